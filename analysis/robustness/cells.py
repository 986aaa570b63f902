"""Draw a cell as an SVG graph: its nodes in a row, labelled edges between them.

Edges of neighbours are straight. Others are arcs, the higher the further they lead: above the row from its first node,
below from its second, and so on by turns, so that the six of NAS-Bench-201 never cross.
"""

from __future__ import annotations

from math import atan2, cos, sin
from typing import NamedTuple

from trainables.spaces.space import Graph


class Look(NamedTuple):
    """How an operation is drawn."""

    label: str
    colour: str
    """of seaborn's colour-blind palette; the label on every edge says the same without colour"""
    dash: str
    width: float


LOOKS = {
    "none": Look("none", "#949494", "2 5", 1.0),
    "skip_connect": Look("skip", "#de8f05", "7 4", 2.2),
    "nor_conv_1x1": Look("conv 1×1", "#56b4e9", "", 2.2),
    "nor_conv_3x3": Look("conv 3×3", "#0173b2", "", 3.4),
    "sep_conv_3x3": Look("sep 3×3", "#56b4e9", "", 2.2),
    "sep_conv_5x5": Look("sep 5×5", "#0173b2", "", 3.4),
    "dil_conv_3x3": Look("dil 3×3", "#cc78bc", "", 2.2),
    "dil_conv_5x5": Look("dil 5×5", "#ca9161", "", 3.4),
    "avg_pool_3x3": Look("pool 3×3", "#029e73", "1.5 3", 2.2),
    "max_pool_3x3": Look("max 3×3", "#029e73", "5 2", 2.2),
}
_Y, _STEP, _MARGIN, _RADIUS = 112.0, 110.0, 28.0, 15.0


def look_of(operation: str) -> Look:
    """A space of one's own may have operations that nobody gave a look."""
    return LOOKS.get(operation, Look(operation.replace("_", " "), "#444444", "", 2.2))


def cell_svg(graph: Graph) -> str:
    """An inline SVG of a cell, readable at about 300 px; text takes the colour of the surrounding page."""
    apexes = [_Y + _bend(source, target) / 2 for source, target, _ in graph.edges]
    top, bottom = min([_Y, *apexes]) - 31, max([_Y + _RADIUS, *apexes]) + 8
    width = _x(len(graph.nodes) - 1) + _MARGIN
    edges = "".join(_edge(source, target, operation) for source, target, operation in graph.edges)
    style = 'font-size="13" font-family="sans-serif" fill="currentColor"'
    title = f'<text x="2" y="{top + 14:.0f}" {style}>{graph.title}</text>' if graph.title else ""
    nodes = "".join(_node(_x(place), _Y, name) for place, name in enumerate(graph.nodes))
    return (
        f'<svg viewBox="0 {top:.0f} {width:.0f} {bottom - top:.0f}" role="img" aria-label="{describe(graph)}" '
        f'class="cell" xmlns="http://www.w3.org/2000/svg">{title}{edges}{nodes}</svg>'
    )


def describe(graph: Graph) -> str:
    """The cell in words: "Cell: in to 1 conv 3×3, ..."."""
    names, title = graph.nodes, f"{graph.title} cell".strip().capitalize()
    parts = (f"{names[a]} to {names[b]} {look_of(operation).label}" for a, b, operation in graph.edges)
    return f"{title}: " + ", ".join(parts)


def _x(place: int) -> float:
    return _MARGIN + _STEP * place


def _bend(source: int, target: int) -> float:
    """How far the control point of an edge's curve lies below (+) or above (-) the row."""
    past = target - source - 1
    return 0.0 if past == 0 else (114.0 * past - 22) * (-1 if source % 2 == 0 else 1)


def _edge(source: int, target: int, operation: str) -> str:
    x0, x1, look = _x(source), _x(target), look_of(operation)
    cx, cy = (x0 + x1) / 2, _Y + _bend(source, target)
    start, end = _leave(x0, _Y, cx, cy, _RADIUS + 2), _leave(x1, _Y, cx, cy, _RADIUS + 9)
    faint = ' opacity="0.7"' if operation == "none" else ""
    dash = f' stroke-dasharray="{look.dash}"' if look.dash else ""
    line = (
        f'<path d="M{start[0]:.1f} {start[1]:.1f}Q{cx:.1f} {cy:.1f} {end[0]:.1f} {end[1]:.1f}" fill="none" '
        f'stroke="{look.colour}" stroke-width="{look.width}"{dash}{faint}/>'
    )
    head = "" if operation == "none" else _arrow(end, (cx, cy), (x1, _Y), look.colour)
    label = (
        f'<text x="{cx:.1f}" y="{(start[1] + 2 * cy + end[1]) / 4 - 7:.1f}" text-anchor="middle" font-size="13" '
        f'font-family="sans-serif" fill="currentColor">{look.label}</text>'
    )
    return line + head + label


def _leave(x: float, y: float, towards_x: float, towards_y: float, distance: float) -> tuple[float, float]:
    angle = atan2(towards_y - y, towards_x - x)
    return x + distance * cos(angle), y + distance * sin(angle)


def _arrow(tail: tuple[float, float], control: tuple[float, float], node: tuple[float, float], colour: str) -> str:
    angle = atan2(node[1] - control[1], node[0] - control[0])
    tip = tail[0] + 8 * cos(angle), tail[1] + 8 * sin(angle)
    sides = [(tail[0] + 5 * cos(angle + turn), tail[1] + 5 * sin(angle + turn)) for turn in (1.57, -1.57)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (tip, *sides))
    return f'<polygon points="{points}" fill="{colour}"/>'


def _node(x: float, y: float, name: str) -> str:
    return (
        f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        f'<text x="{x}" y="{y + 4.5}" text-anchor="middle" font-size="13" font-family="sans-serif" '
        f'fill="currentColor">{name}</text>'
    )
