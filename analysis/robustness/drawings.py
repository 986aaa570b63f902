"""The figures of seeds: one accuracy of every seed, and the course of every search.

The functions named after what they draw do so on an Axes they are given, and return that Axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullLocator,
)

from analysis.pages.layout import Fixed, common_limits, panels
from analysis.pages.style import (
    INK,
    MUTED,
    line_counts,
    logarithmic_axis,
    logarithmic_regret,
    looks,
    row_centres,
    row_labels,
    wrapped,
)

BOX_FROM = 10
"""Seeds from which a box is drawn: quartiles of fewer values are hardly more than the values."""
DOTS_AS_IMAGE = 600
LOG_FROM_SPAN = 20.0
"""Percentage points between worst and best seed from which an accuracy axis is logarithmic."""
LINES_UP_TO = 12


def seed_strip(
    trials: pd.DataFrame, summary: pd.DataFrame, column: str, axes: Axes, optimum: float | None = None
) -> Axes:
    """One row a variant: a dot for every seed, a quartile box from BOX_FROM seeds on, the mean with its t interval.

    ``summary`` is robustness.summarise of the same trials and column. ``optimum`` draws the table's best cell. Where
    values lie more than LOG_FROM_SPAN points below it, the axis is logarithmic in the distance to the right end, so
    that collapsed runs do not squeeze the others together.
    """
    variants = [str(variant) for variant in summary["variant"]]
    look = looks(trials["variant"].cat.categories)
    values = trials.loc[(trials["status"] == "ok") & trials[column].notna(), ["variant", column]]
    values = values.astype({"variant": str})
    labels = row_labels(summary)
    rows = row_centres(labels)
    values = values.assign(row=values["variant"].map(dict(zip(variants, rows, strict=True))))
    enough = values[values.groupby("row")["row"].transform("size") >= BOX_FROM]
    quartiles = enough.groupby("row")[column].quantile([0.25, 0.5, 0.75]).unstack()
    for row, (low, middle, high) in zip(quartiles.index, quartiles.to_numpy(), strict=True):
        axes.barh(row, high - low, 0.62, left=low, facecolor=(0.5, 0.5, 0.5, 0.12), edgecolor=MUTED, linewidth=0.8)
        axes.vlines(middle, row - 0.31, row + 0.31, color=INK, linewidth=1.4)
    crowd = len(values) > DOTS_AS_IMAGE
    sns.scatterplot(
        values.assign(row=values["row"] + values.groupby("row")[column].transform(_offsets)), x=column, y="row",
        hue="variant", palette={variant: look[variant].colour for variant in variants},
        style="variant", markers={variant: look[variant].marker for variant in variants},
        s=9 if crowd else 22, alpha=0.45 if crowd else 0.75, linewidth=0, legend=False, rasterized=crowd, ax=axes,
    )  # fmt: skip
    has_interval = summary["low"].notna().to_numpy()
    half = (summary["high"] - summary["mean"]).to_numpy()
    axes.errorbar(
        summary["mean"].to_numpy()[has_interval], rows[has_interval] + 0.36, xerr=half[has_interval],
        fmt="none", ecolor=INK, elinewidth=1.4, capsize=2.5,
    )  # fmt: skip
    axes.plot(summary["mean"], rows + 0.36, linestyle="none", marker="d", markersize=5, color=INK)
    axes.set(xlabel="", ylabel="", ylim=(line_counts(labels).sum() / 2 - 0.4, -0.5))
    axes.set_yticks(rows, labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    _accuracy_axis(axes, values[column], summary, optimum)
    return axes


def _accuracy_axis(axes: Axes, values: pd.Series, summary: pd.DataFrame, optimum: float | None) -> None:
    end = optimum if optimum is not None else float(values.max())
    if is_logarithmic(summary, optimum):
        axes.set_xscale("function", functions=(lambda x: -_log_distance(end - x), lambda t: end - _unlog(-t)))
        lowest = max(float(np.nanmin([values.min(), summary["low"].min()])), 0.0)
        low = end - float(_unlog(1.04 * _log_distance(end - lowest + 1)))
        axes.set_xlim(low, end + 0.15)
        top = float(np.floor(end))
        ticks = [top, top - 1, top - 2, *(5.0 * ((end - distance) // 5) for distance in (3, 10, 20, 40, 70))]
        axes.xaxis.set_major_locator(FixedLocator([tick for tick in dict.fromkeys(ticks) if tick >= low]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    else:
        low = float(np.nanmin([values.min(), summary["low"].min()]))
        high = float(np.nanmax([end, summary["high"].max()]))
        margin = max(0.04 * (high - low), 0.05)
        axes.set_xlim(low - margin, high + margin)
        axes.xaxis.set_major_locator(MaxNLocator(6))
    if optimum is not None:
        axes.axvline(optimum, color=MUTED, linewidth=1, linestyle=(0, (4, 2)), zorder=0.5)


def is_logarithmic(summary: pd.DataFrame, optimum: float | None) -> bool:
    """Whether seed_strip draws this summary on its logarithmic axis."""
    end = summary["best"].max() if optimum is None else optimum
    return bool(end - summary["worst"].min() > LOG_FROM_SPAN)  # never where less is better: worst is then above best


def _log_distance(distance: Any) -> Any:
    return np.sign(distance) * np.log1p(np.abs(distance))


def _unlog(value: Any) -> Any:
    return np.sign(value) * np.expm1(np.abs(value))


def _offsets(values: pd.Series) -> pd.Series:
    """Deterministic jitter in [-0.2, 0.2]: neighbours in value lie far apart (golden-ratio sequence)."""
    return ((values.rank(method="first") * 0.6180339887) % 1 - 0.5) * (0.4 if len(values) > 1 else 0.0)


def seed_curves(
    curve: pd.DataFrame,
    summary: pd.DataFrame,
    variant: str,
    axes: Axes,
    *,
    logarithmic: bool,
    marks: Iterable[float] = (),
) -> Axes:
    """One variant against its budget: every seed faint, the mean bold with its t interval, all variants' means in grey.

    ``curve`` and ``summary`` are the lines and the summary of courses.curves.Curves. Above LINES_UP_TO seeds a band
    from the 10th to the 90th percentile replaces the seeds. ``logarithmic``: linear below 0.1, so that 0 shows.
    ``marks`` are budgets, such as that of a seed's collapse, that get a cross at the lower edge.
    """
    look = looks(summary["variant"].cat.categories)[variant]
    means = summary.pivot(index="budget", columns="variant", values="mean")
    means = means.interpolate(method="index", limit_area="inside")
    axes.fill_between(means.index, means.min(axis=1), means.max(axis=1), color=MUTED, alpha=0.16, linewidth=0, zorder=1)
    own, mean = curve[curve["variant"] == variant], summary[summary["variant"] == variant]
    if mean["values"].max() <= LINES_UP_TO:
        seeds = own.pivot(index="budget", columns="trial_id", values="value")
        axes.plot(seeds.index, seeds.to_numpy(), color=look.colour, linewidth=0.7, alpha=0.4)
    else:
        axes.fill_between(mean["budget"], mean["p10"], mean["p90"], color=look.colour, alpha=0.18, linewidth=0)
    axes.fill_between(mean["budget"], mean["low"], mean["high"], color=look.colour, alpha=0.22, linewidth=0, zorder=3)
    axes.plot(
        mean["budget"], mean["mean"], color=look.colour, linewidth=2, marker=look.marker, markersize=4.5,
        markevery=max(len(mean) // 6, 1), zorder=4,
    )  # fmt: skip
    crosses = sorted(marks)
    if crosses:
        axes.plot(crosses, [0.03] * len(crosses), transform=axes.get_xaxis_transform(), linestyle="none", marker="x",
                  markersize=5, markeredgewidth=1.3, color=INK, clip_on=False, zorder=5)  # fmt: skip
    axes.set(xlabel="", ylabel="", title=wrapped(variant, 30))
    if logarithmic:
        logarithmic_regret(axes)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return axes


def strip_figure(trials: pd.DataFrame, summary: pd.DataFrame, column: str, label: str, optimum: float | None) -> Figure:
    """seed_strip on a figure as tall as its rows need."""
    figure = Figure(figsize=(4.9, 0.75 + 0.19 * line_counts(row_labels(summary)).sum()), layout=Fixed())
    axes = seed_strip(trials, summary, column, figure.subplots(), optimum)
    axes.set_xlabel(label)
    return figure


def curves_figure(
    curve: pd.DataFrame,
    summary: pd.DataFrame,
    *,
    logarithmic: bool,
    x: str,
    y: str,
    marks: Mapping[str, Iterable[float]] = MappingProxyType({}),
    logarithmic_x: bool = False,
    share: bool = False,
) -> Figure:
    """seed_curves as small multiples with common axes, one panel a variant.

    ``marks`` are the crosses of each variant; ``share``: the y axis goes from 0 to 100.
    """
    variants = [str(variant) for variant in summary["variant"].unique()]
    columns = min(len(variants), 4)
    rows = -(-len(variants) // columns)
    figure = Figure(figsize=(2.65 * columns + 0.3, 2.0 * rows + 0.4), layout=Fixed())
    grid = panels(figure, len(variants), columns)
    for axes, variant in zip(grid, variants, strict=True):
        seed_curves(curve, summary, variant, axes, logarithmic=logarithmic, marks=marks.get(variant, ()))
        if logarithmic_x:
            logarithmic_axis(axes, "x")
    common_limits(grid, "x")
    common_limits(grid, "y")
    highest = np.nanmax([0.0, *curve["value"], *summary["p90"]]) if logarithmic else None
    for axes in grid:
        if highest is not None:
            axes.set_ylim(-0.01, max(float(highest) * 1.15, 1.0))
        elif share:
            axes.set_ylim(-2, 102)
    figure.supxlabel(x, fontsize=9)
    figure.supylabel(y, fontsize=9)
    return figure
