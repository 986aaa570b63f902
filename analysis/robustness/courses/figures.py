"""Figures of the course of a search beside its epochs: against time and cost, and what the supernet says of itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.pages import layout, style
from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed
from analysis.pages.words import listed, number
from analysis.results import accuracies
from analysis.results.epochs import Epochs
from analysis.robustness import drawings
from analysis.robustness.courses.curves import OF_TRIALS, Curves, curves
from analysis.robustness.figures import MOST_VARIANTS, count_range, panels
from analysis.statistics.estimate import LEVEL, percent
from trainables.metrics import DIAGNOSTICS, Metric

GAP = Metric("gap", "relaxed_accuracy less discrete_accuracy", "Discretisation gap", "relaxed - derived (points)")
_HOURS_FROM = 7_200
"""Seconds from which budgets are drawn in hours."""
_LOG_FROM = 50
"""Ratio of the largest to the smallest budget from which the axis of budgets is logarithmic."""
_BANDS_UP_TO = 5
"""Variants in one panel up to which their intervals are drawn: more cover each other."""


def by_time(curve: Curves, column: str) -> Plot | None:
    """Regret against the minutes of search, one panel a variant. ``curve``: anytime.against_seconds."""
    if curve.summary.empty:
        return None
    minutes = curve.in_unit(1.0, 60)
    label = f"{accuracies.words(column).what} (points),\nlower is better"
    figure = drawings.curves_figure(
        minutes.lines, minutes.summary, logarithmic=True, x="minutes of search", y=label, logarithmic_x=True
    )
    return panels(f"{column}_by_time", f"{accuracies.title(column)} against minutes of search", figure, minutes)


def by_cost(curve: Curves, column: str, factor: float | pd.Series | None, unit: str) -> Plot | None:
    """Mean regret against cost, all variants on one axis. ``factor`` is what an hour of a trial costs in ``unit``.

    None where that is not known, or there are no curves.
    """
    if curve.summary.empty or factor is None:
        return None
    summary = curve.in_unit(factor, 3600).summary
    variants = [str(variant) for variant in summary["variant"].unique()]
    look = style.looks(summary["variant"].cat.categories)
    figure = Figure(figsize=(6.4, max(3.2, 0.75 + 0.2 * len(variants))), layout=Fixed(legend="right"))
    axes = figure.subplots()
    for variant in variants:
        own = summary[summary["variant"] == variant]
        axes.plot(own["budget"], own["mean"], color=look[variant].colour, marker=look[variant].marker, markersize=4.5,
                  markevery=max(len(own) // 6, 1), linewidth=1.6, label=style.wrapped(variant, 34))  # fmt: skip
        if len(variants) <= _BANDS_UP_TO:
            axes.fill_between(
                own["budget"], own["low"], own["high"], color=look[variant].colour, alpha=0.15, linewidth=0
            )
    style.logarithmic_regret(axes)
    axes.set_ylim(-0.01, max(float(summary["mean"].max()) * 1.3, 1.0))
    style.logarithmic_axis(axes, "x")
    axes.set(xlabel=unit, ylabel=f"mean {accuracies.words(column).what} (points),\nlower is better")
    figure.legend(loc="upper right", frameon=False, fontsize=8)
    last = summary.groupby("variant", observed=True).tail(1)
    ends = [f"{r['variant']} {number(r['mean'])} at {r['budget']:.2g}" for r in last.to_dict("records")]
    caption = f"Mean {accuracies.title(column)} against cost, n = {count_range(last['values'])} seeds a variant"
    bands = f"; bands: pointwise {percent(curve.level)} t interval."
    caption += bands if len(variants) <= _BANDS_UP_TO else "; intervals in the CSV."
    caption += f" Cost: time times what a trial occupied, in {unit}."
    alternative = f"Line plot of the mean {accuracies.title(column)} against {unit}. Ends: "
    alternative += f"{listed(ends, most=MOST_VARIANTS)}."
    return Plot(f"{column}_by_cost", caption, alternative, figure, wide=True, data=summary)


def reached(runs: pd.DataFrame, column: str, unit: str, drawn: list[str]) -> Plot | None:
    """Share of the runs that have reached each target within a budget, one panel a target. ``runs``: targets.runs_to.

    ``unit``: one of theirs, or ``seconds``, for the runs of all units. None where its budgets are unknown.
    """
    spent, own = ("spent_s", runs) if unit == "seconds" else ("spent", runs[runs["unit"] == unit])
    own = own[own[spent].notna()]
    if unit == "seconds" and own[spent].max() > _HOURS_FROM:
        own, unit = own.assign(spent_s=own[spent] / 3600), "hours"
    shown = own[own["variant"].isin(drawn)]
    if shown.empty:
        return None
    targets, look = list(own["target"].unique()), style.looks(drawn)
    columns = min(len(targets), 3)
    size = (2.65 * columns + 2.6, 2.1 * -(-len(targets) // columns) + 0.5)
    figure = Figure(figsize=size, layout=Fixed(legend="right"))
    grid = layout.panels(figure, len(targets), columns)
    end, first = float(shown[spent].max()), float(shown.loc[shown[spent] > 0, spent].min())
    curves_of = []
    for axes, target in zip(grid, targets, strict=True):
        for variant in dict.fromkeys(shown["variant"]):
            curve = _share_within(own[(own["target"] == target) & (own["variant"] == variant)], spent, end)
            curves_of.append(curve.assign(target=target, variant=variant))
            axes.step(curve["budget"], curve["share"], where="post", color=look[variant].colour, linewidth=1.6,
                      marker=look[variant].marker, markersize=4, markevery=max(len(curve) // 5, 1),
                      label=style.wrapped(variant, 28))  # fmt: skip
        axes.set_title(f"target {target:g}")
        axes.set_ylim(-3, 103)
        if first > 0 and end > _LOG_FROM * first:
            style.logarithmic_axis(axes, "x", ticks=4)
            axes.set_xlim(first / 1.1, end * 1.1)
    layout.common_limits(grid, "x")
    layout.common_limits(grid, "y")
    figure.supxlabel(unit, fontsize=9)
    figure.supylabel("runs that reached it (%)", fontsize=9)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="upper right", frameon=False, fontsize=8)
    counts = shown[shown["target"] == targets[0]].groupby("variant", sort=False).size()
    ends = [
        f"{variant} {part['reached'].sum()} of {len(part)}"
        for variant, part in shown[shown["target"] == targets[-1]].groupby("variant", sort=False)
    ]
    what = accuracies.title(column)
    caption = (
        f"{accuracies.heading(column)}: share of the runs that had a value as good as the target within the budget, "
        f"n = {count_range(counts)} runs a variant. A run that ended before counts as not having reached it."
    )
    alternative = (
        f"Step plots of the share of runs that reached {listed(f'{t:g}' for t in targets)} of {what} against {unit}. "
        f"At the end, {targets[-1]:g}: {listed(ends, most=MOST_VARIANTS)}."
    )
    data = pd.concat(curves_of, ignore_index=True)
    name = f"reached_{accuracies.slug(column)}_by_{accuracies.slug(unit)}"
    return Plot(name, caption, alternative, figure, wide=len(targets) > 1, data=data)


def _share_within(runs: pd.DataFrame, spent: str, end: float) -> pd.DataFrame:
    """The steps of an empirical distribution function: budget and percent of all ``runs``, from 0 to ``end``."""
    at = np.sort(runs.loc[runs["reached"], spent].to_numpy())
    share = 100 * np.arange(len(at) + 1) / len(runs)
    return pd.DataFrame({"budget": [0.0, *at, end], "share": [*share, share[-1]]})


def diagnostics(trials: pd.DataFrame, epochs: Epochs, level: float = LEVEL) -> list[Plot]:
    """One figure for the gap and each of DIAGNOSTICS with a title that was recorded, against the epoch."""
    shown = []
    trained = trials.loc[trials["protocol"].notna(), OF_TRIALS]
    for metric in (GAP, *(metric for metric in DIAGNOSTICS if metric.title)):
        column, less = ("relaxed_accuracy", "discrete_accuracy") if metric is GAP else (metric.name, None)
        found = curves(trained, epochs, column, less, level)
        if found.summary.empty:
            continue
        figure = drawings.curves_figure(found.lines, found.summary, logarithmic=False, x="search epochs", y=metric.axis)
        shown.append(panels(metric.name, f"{metric.title} against search epochs", figure, found))
    return shown
