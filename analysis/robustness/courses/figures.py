"""Figures of the course of a search beside its epochs: against time and cost, and what the supernet says of itself."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.pages import style
from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed
from analysis.pages.words import listed, number
from analysis.results import accuracies
from analysis.results.epochs import Epochs
from analysis.robustness import drawings
from analysis.robustness.courses.curves import OF_TRIALS, Curves, curves
from analysis.robustness.figures import MOST_VARIANTS, count_range, panels
from trainables.metrics import DIAGNOSTICS, Metric

GAP = Metric("gap", "relaxed_accuracy less discrete_accuracy", "Discretisation gap", "relaxed - derived (points)")
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
    return panels(f"{column}_by_time", f"{accuracies.title(column)} against minutes of search", figure, minutes.summary)


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
    caption += "; bands: pointwise 95 % t interval." if len(variants) <= _BANDS_UP_TO else "; intervals in the CSV."
    caption += f" Cost: time times what a trial occupied, in {unit}."
    alternative = f"Line plot of the mean {accuracies.title(column)} against {unit}. Ends: "
    alternative += f"{listed(ends, most=MOST_VARIANTS)}."
    return Plot(f"{column}_by_cost", caption, alternative, figure, wide=True, data=summary)


def diagnostics(trials: pd.DataFrame, epochs: Epochs) -> list[Plot]:
    """One figure for the gap and each of DIAGNOSTICS with a title that was recorded, against the epoch."""
    shown = []
    trained = trials.loc[trials["protocol"].notna(), OF_TRIALS]
    for metric in (GAP, *(metric for metric in DIAGNOSTICS if metric.title)):
        both = ("relaxed_accuracy", "discrete_accuracy") if metric is GAP else (metric.name,)
        found = curves(trained, epochs, *both)
        if found.summary.empty:
            continue
        figure = drawings.curves_figure(found.lines, found.summary, logarithmic=False, x="search epochs", y=metric.axis)
        shown.append(panels(metric.name, f"{metric.title} against search epochs", figure, found.summary))
    return shown
