"""Where the axes of a figure lie: margins in inches from the texts around them, in one pass and without drawing.

Matplotlib's own solvers draw a figure several times to learn how large its texts are, which took half of the time of a
report. Here the sizes come from the font, so that they are known before anything is drawn. The page shows its figures
in the reader's font; DejaVu Sans, which is measured here, is wider than all of those that it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import GridSpecBase
from matplotlib.layout_engine import LayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.ticker import AutoLocator, MaxNLocator
from matplotlib.transforms import Bbox, offset_copy

SIZE = 9.0
"""Points of a figure's text, unless it says otherwise."""
_EDGE, _GAP = 0.07, 0.16
"""Inches left free at the edge of the canvas, and between the texts of two panels."""
_LINE = 1.2
_PAD = 4.0
"""Points between tick labels and the label of their axis, and around labels of the figure."""
_TICK = 3.5
"""Points of a tick, and again of the gap between it and its label; matplotlib's defaults."""
_TITLE_PAD = 6.0
_TICKS = {"x": 8, "y": 6}
"""Steps between ticks at most, along either axis, unless a drawing sets its own."""
_LEAST = 0.3
"""Inches that all panels of a line keep together, however much their texts want."""


def text_width(texts: Iterable[str], size: float = SIZE) -> float:
    """Inches of the widest line of all the texts."""
    return max((_line_width(line, size) for text in texts for line in text.split("\n")), default=0.0)


def text_height(texts: Iterable[str], size: float = SIZE) -> float:
    """Inches of the text of the most lines; 0 where all are empty."""
    return max((text.count("\n") + 1 for text in texts if text), default=0) * _LINE * size / 72


@cache
def _line_width(line: str, size: float) -> float:
    return float(text_to_path.get_text_width_height_descent(line, FontProperties(size=size), False)[0]) / 72


@dataclass
class _Around:
    """Inches that the texts on each side of a panel need."""

    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0


class Fixed(LayoutEngine):
    """Lays a grid of panels out, with what stands at the edges of the figure: its labels and its legend.

    ``left``, ``right``, ``top`` and ``bottom`` are inches for texts that a drawing puts beside its axes itself;
    ``legend`` is the side on which the figure's legend stands.
    """

    _adjust_compatible = True
    _colorbar_gridspec = False

    def __init__(
        self,
        *,
        left: float = 0.0,
        right: float = 0.0,
        top: float = 0.0,
        bottom: float = 0.0,
        legend: Literal["right", "top"] | None = None,
    ) -> None:
        super().__init__()
        self.extra = _Around(left, right, top, bottom)
        self.legend = legend

    def execute(self, fig: Figure) -> None:
        """Put every panel where its texts, those of its neighbours and those of the figure leave it room."""
        shown = {_cell(axes): axes for axes in fig.axes if axes.get_visible()}
        grid = _gridspec(fig.axes[0])
        outer, (wide, high) = self._outer(fig), fig.get_size_inches()
        left, right, top, bottom = np.zeros((4, grid.nrows, grid.ncols))
        for cell, axes in shown.items():
            own = _around(axes, wide / grid.ncols, self.extra)
            left[cell], right[cell], top[cell], bottom[cell] = own.left, own.right, own.top, own.bottom
        x, widths = _spread(wide - outer.left - outer.right, left, right, grid.get_width_ratios())
        y, heights = _spread(high - outer.top - outer.bottom, top.T, bottom.T, grid.get_height_ratios())
        x, y = x + outer.left, high - outer.top - y - heights
        for (row, column), axes in shown.items():
            axes.set_position((x[column] / wide, y[row] / high, widths[column] / wide, heights[row] / high))
        if fig.get_supxlabel():
            middle = (x[0] + x[-1] + widths[-1]) / 2
            fig.supxlabel(fig.get_supxlabel(), x=middle / wide, y=_EDGE / high, va="bottom", fontsize=SIZE)
        if fig.get_supylabel():
            middle = (y[0] + heights[0] + y[-1]) / 2
            fig.supylabel(fig.get_supylabel(), x=_EDGE / wide, y=middle / high, ha="left", fontsize=SIZE)

    def _outer(self, fig: Figure) -> _Around:
        """What the edges of the canvas keep free for the figure's own labels and legend."""
        one_line = text_height("x") + _PAD / 72
        outer = _Around(_EDGE, _EDGE, _EDGE, _EDGE)
        outer.bottom += one_line if fig.get_supxlabel() else 0.0
        outer.left += text_height([fig.get_supylabel()]) + _PAD / 72 if fig.get_supylabel() else 0.0
        if self.legend is not None:
            box = fig.legends[0].get_window_extent()
            if self.legend == "right":
                outer.right += box.width / fig.dpi
            else:
                outer.top += box.height / fig.dpi
        return outer


def panels(figure: Figure, count: int, columns: int) -> list[Axes]:
    """So many panels, row by row. They share nothing: shared axes ask each other at every step."""
    rows = -(-count // columns)
    grid = figure.add_gridspec(rows, columns)
    return [figure.add_subplot(grid[divmod(place, columns)]) for place in range(count)]


def common_limits(grid: list[Axes], axis: Literal["x", "y"]) -> None:
    """One scale for all panels, labelled on the outer ones alone: on the left, and where no panel is below."""
    every = Bbox.union([axes.dataLim for axes in grid])
    for axes in grid:
        axes.update_datalim(every.get_points(), updatex=axis == "x", updatey=axis == "y")
        axes.autoscale_view(scalex=axis == "x", scaley=axis == "y")
        if axis == "y" and _cell(axes)[1] > 0:
            axes.tick_params(labelleft=False)
    if axis == "x":
        for axes in grid[: -_gridspec(grid[0]).ncols]:
            axes.tick_params(labelbottom=False)


def settle(figure: Figure) -> None:
    """Lay the figure out for good: however often it is drawn, nothing is computed again."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def _gridspec(axes: Axes) -> GridSpecBase:
    place = axes.get_subplotspec()
    assert place is not None
    return place.get_gridspec()


def _cell(axes: Axes) -> tuple[int, int]:
    """Row and column of a panel."""
    place = axes.get_subplotspec()
    assert place is not None
    return place.rowspan.start, place.colspan.start


def _spread(total: float, before: np.ndarray, after: np.ndarray, ratios: Any) -> tuple[np.ndarray, np.ndarray]:
    """Start and length of the panels of a line, between the texts ``before`` and ``after`` each in every line."""
    gaps = (after[:, :-1] + before[:, 1:]).max(axis=0, initial=0.0) + _GAP
    first, last = before[:, 0].max(), after[:, -1].max()
    parts = np.asarray(ratios, dtype=float)
    lengths = max(total - first - last - gaps.sum(), _LEAST) * parts / parts.sum()
    return first + np.append(0.0, np.cumsum(lengths[:-1] + gaps)), lengths


def _around(axes: Axes, rough_width: float, extra: _Around) -> _Around:
    """Measure the texts of one panel, and put the labels of its axes just beyond those of the ticks."""
    x, y = _labels(axes.xaxis, "x"), _labels(axes.yaxis, "y")
    figure = axes.get_figure(root=True)
    below = x.height + x.pad if x.texts else 0.0
    beside = y.width + y.pad if y.texts else 0.0
    found = _Around(extra.left, extra.right, extra.top, extra.bottom)
    if x.texts:  # the first and the last may stand out beyond the axis
        inside = 0.6 * rough_width
        ends = min(x.texts), max(x.texts)
        found.left = max(found.left, x.width_of(ends[0]) / 2 - ends[0] * inside)
        found.right = max(found.right, x.width_of(ends[1]) / 2 - (1 - ends[1]) * inside)
    at_right = axes.yaxis.get_label_position() == "right"
    away = (below + _PAD / 72, beside + _PAD / 72)
    axes.xaxis.set_label_coords(0.5, 0, offset_copy(axes.transAxes, figure, 0, -away[0]))
    sideways = away[1] if at_right else -away[1]
    axes.yaxis.set_label_coords(at_right, 0.5, offset_copy(axes.transAxes, figure, sideways, 0))
    if axes.get_xlabel():
        below = away[0] + text_height([axes.get_xlabel()])
    if axes.get_ylabel():
        beside = away[1] + text_height([axes.get_ylabel()])
    side = "right" if at_right else "left"
    setattr(found, side, max(getattr(found, side), beside))
    found.bottom += below
    if axes.get_title(loc="left"):
        found.top += text_height([axes.get_title(loc="left")]) + _TITLE_PAD / 72
    return found


@dataclass(frozen=True)
class _Labels:
    """The labels of an axis' ticks by their place along it, 0 to 1, in points of ``size``."""

    texts: dict[float, str]
    size: float
    pad: float
    rotation: float

    def width_of(self, place: float) -> float:
        return self._turned(text_width([self.texts[place]], self.size), text_height([self.texts[place]], self.size))

    @property
    def width(self) -> float:
        return max(self.width_of(place) for place in self.texts)

    @property
    def height(self) -> float:
        return max(
            self._turned(text_height([text], self.size), text_width([text], self.size)) for text in self.texts.values()
        )

    def _turned(self, along: float, across: float) -> float:
        angle = np.deg2rad(self.rotation)
        return float(abs(np.cos(angle)) * along + abs(np.sin(angle)) * across)


def _labels(axis: Axis, name: Literal["x", "y"]) -> _Labels:
    """What is written at the ticks of an axis; no texts where they are not labelled."""
    if isinstance(axis.get_major_locator(), AutoLocator):
        # It sets as many ticks as fit, and how many fit depends on their labels: a circle.
        axis.set_major_locator(MaxNLocator(_TICKS[name], steps=[1, 2, 2.5, 5, 10]))
    kept = axis.get_tick_params(which="major")
    sides = ("labelbottom", "labeltop") if name == "x" else ("labelleft", "labelright")
    size, pad = float(kept.get("labelsize", SIZE)), (kept.get("length", _TICK) + kept.get("pad", _TICK)) / 72
    texts = {}
    if any(kept[side] for side in sides):
        scale, places = axis.get_transform(), axis.get_majorticklocs()
        low, high = scale.transform(np.array(axis.get_view_interval(), dtype=float))
        along = (scale.transform(np.asarray(places, dtype=float)) - low) / (high - low)
        written = axis.get_major_formatter().format_ticks(list(places))
        texts = {float(a): text for a, text in zip(along, written, strict=True) if -0.001 <= a <= 1.001 and text}
    return _Labels(texts, size, pad, float(kept.get("labelrotation", 0.0)))
