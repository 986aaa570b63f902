"""Draw a NAS-Bench-201 cell as an SVG graph: four nodes in a row, six labelled edges that never cross."""

from __future__ import annotations

from math import atan2, cos, sin

from trainables.spaces.nas_bench_201.genotype import EDGES, OPERATIONS, Genotype

LABELS = dict(zip(OPERATIONS, ("none", "skip", "conv 1×1", "conv 3×3", "pool 3×3"), strict=True))
COLOURS = dict(zip(OPERATIONS, ("#949494", "#de8f05", "#56b4e9", "#0173b2", "#029e73"), strict=True))
"""seaborn's colour-blind palette; the label on every edge says the same without colour."""
_DASHES = dict(zip(OPERATIONS, ("2 5", "7 4", "", "", "1.5 3"), strict=True))
_WIDTHS = dict(zip(OPERATIONS, (1.0, 2.2, 2.2, 3.4, 2.2), strict=True))
_NODES = ((28.0, 112.0), (138.0, 112.0), (248.0, 112.0), (358.0, 112.0))
_BENDS = {(1, 0): 0.0, (2, 1): 0.0, (3, 2): 0.0, (2, 0): -92.0, (3, 1): 92.0, (3, 0): -206.0}
"""How far the control point of each edge's curve lies below (+) or above (-) its chord."""
_RADIUS = 15.0


def cell_svg(genotype: Genotype) -> str:
    """An inline SVG of the cell, readable at about 300 px; text takes the colour of the surrounding page."""
    edges = [_edge(edge, OPERATIONS[o]) for edge, o in zip(EDGES, genotype.operations, strict=True)]
    nodes = [_node(*position, name) for position, name in zip(_NODES, ("in", "1", "2", "out"), strict=True)]
    return (
        f'<svg viewBox="0 -22 386 188" role="img" aria-label="{describe(genotype)}" class="cell" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(edges)}{"".join(nodes)}</svg>'
    )


def describe(genotype: Genotype) -> str:
    """The cell in words: "in to 1 conv 3×3, ..."."""
    names = ("in", "1", "2", "out")
    parts = [
        f"{names[source]} to {names[target]} {LABELS[OPERATIONS[o]]}"
        for (target, source), o in zip(EDGES, genotype.operations, strict=True)
    ]
    return "Cell: " + ", ".join(parts)


def _edge(edge: tuple[int, int], operation: str) -> str:
    target, source = edge
    (x0, y0), (x1, y1) = _NODES[source], _NODES[target]
    cx, cy = (x0 + x1) / 2, y0 + _BENDS[edge]
    start, end = _leave(x0, y0, cx, cy, _RADIUS + 2), _leave(x1, y1, cx, cy, _RADIUS + 9)
    colour, faint = COLOURS[operation], ' opacity="0.7"' if operation == "none" else ""
    dash = f' stroke-dasharray="{_DASHES[operation]}"' if _DASHES[operation] else ""
    line = (
        f'<path d="M{start[0]:.1f} {start[1]:.1f}Q{cx:.1f} {cy:.1f} {end[0]:.1f} {end[1]:.1f}" fill="none" '
        f'stroke="{colour}" stroke-width="{_WIDTHS[operation]}"{dash}{faint}/>'
    )
    head = "" if operation == "none" else _arrow(end, (cx, cy), (x1, y1), colour)
    label = (
        f'<text x="{cx:.1f}" y="{(start[1] + 2 * cy + end[1]) / 4 - 7:.1f}" text-anchor="middle" font-size="13" '
        f'font-family="sans-serif" fill="currentColor">{LABELS[operation]}</text>'
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
