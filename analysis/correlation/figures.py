"""Every architecture as a dot: one column against the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.correlation.correlate import Correlation
from analysis.correlation.tables import side
from analysis.pages import style
from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed, common_limits, panels
from analysis.pages.words import counted, interval, listed, number
from analysis.results.accuracies import slug
from analysis.results.architectures import Architectures

MOST_DOTS = 2_000
"""Dots of a panel; of more, so many at even steps in rank of x are drawn."""
MOST_PANELS = 12
LOG_FROM = 1_000.0
"""Ratio of the largest to the smallest value from which an axis of positive numbers is logarithmic."""


def scatter(source: Architectures, found: list[Correlation], x: str) -> Plot:
    """x against y, one panel a group."""
    y = found[0].y
    own = [one for one in found if one.x == x and not one.note]
    drawn = own[:MOST_PANELS]
    columns = min(len(drawn), 4)
    size = (2.65 * columns + 0.3, 2.2 * -(-len(drawn) // columns) + 0.4) if len(drawn) > 1 else (4.4, 3.4)
    figure = Figure(figsize=size, layout=Fixed())
    grid = panels(figure, len(drawn), columns)
    look = style.looks([""])[""]
    for axes, one in zip(grid, drawn, strict=True):
        dots = thinned(one.pairs, x)
        axes.scatter(
            dots[x], dots[y], s=9, color=look.colour, alpha=0.5, linewidth=0, rasterized=len(dots) > MOST_DOTS // 4
        )
        if one.group:
            axes.set_title(style.wrapped(one.group, 30))
    everything = pd.concat([one.pairs for one in drawn])
    for axes in grid:
        if _spans(everything[x]):
            style.logarithmic_axis(axes, "x", ticks=4)
        if _spans(everything[y]):
            style.logarithmic_axis(axes, "y", ticks=4)
    common_limits(grid, "x")
    common_limits(grid, "y")
    figure.supxlabel(side(source, x), fontsize=9)
    figure.supylabel(side(source, y), fontsize=9)
    said = [f"{f'{one.group}: ' if one.group else ''}τ-b {number(one.tau.estimate)}" for one in own]
    low, high = min(len(one.pairs) for one in own), max(len(one.pairs) for one in own)
    dots = counted(low, "architecture") if low == high else f"{low} to {high} architectures"
    caption = f"One dot an architecture, n = {dots}{' a group' if len(own) > 1 else ''}."
    if high > MOST_DOTS:
        caption += f" {MOST_DOTS:,} of a group are drawn, at even steps in rank of x; the CSV has all."
    if len(own) > len(drawn):
        caption += f" The first {len(drawn)} of {len(own)} groups are drawn."
    if len(own) == 1 and not np.isnan(own[0].tau.low):
        caption += (
            f" τ-b {number(own[0].tau.estimate)} {interval(own[0].tau.low, own[0].tau.high)}, {own[0].interval} by the "
            "jackknife."
        )
    data = pd.concat([one.pairs.assign(group=one.group) if one.group else one.pairs for one in own], ignore_index=True)
    alternative = f"Scatter plot of {source.titles[y]} against {source.titles[x]}. {listed(said, most=MOST_PANELS)}."
    return Plot(f"scatter_{slug(x)}", caption, alternative, figure, wide=len(drawn) > 2, data=data)


def thinned(pairs: pd.DataFrame, x: str) -> pd.DataFrame:
    """At most MOST_DOTS of them, both ends among them."""
    if len(pairs) <= MOST_DOTS:
        return pairs
    places = np.linspace(0, len(pairs) - 1, MOST_DOTS).round().astype(int)
    return pairs.sort_values(x, kind="stable").iloc[places]


def _spans(values: pd.Series) -> bool:
    return bool(values.min() > 0 and values.max() > LOG_FROM * values.min())
