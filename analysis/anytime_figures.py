"""Figures of the course of a search beside its epochs: against time and cost, and what the supernet says of itself."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis import metrics, plots
from analysis.figures import MOST_VARIANTS, Plot, count_range, panels
from analysis.robustness import curve_summary, curves
from analysis.tables import listed, number

DIAGNOSTICS = {
    "gap": ("Discretisation gap", "relaxed - derived (points)"),
    "entropy": ("Entropy of the mixing weights", "entropy (1 = uniform)"),
    "hessian_eigenvalue": ("Largest Hessian eigenvalue", "eigenvalue"),
}
"""Column of the epochs -> what it is, and the label of its axis."""
_BANDS_UP_TO = 5
"""Variants in one panel up to which their intervals are drawn: more cover each other."""


def by_time(curve: pd.DataFrame, column: str) -> Plot | None:
    """Regret against the minutes of search, one panel a variant. ``curve``: anytime.on_common_grid, seconds."""
    if curve.empty:
        return None
    minutes = curve.assign(budget=curve["budget"] / 60)
    summary = curve_summary(minutes)
    label = f"{metrics.split_title(column)} regret (points)"
    figure = plots.curves_figure(minutes, summary, logarithmic=True, x="minutes of search", y=label, logarithmic_x=True)
    return panels(f"{column}_by_time", f"{metrics.title(column)} against minutes of search", figure, minutes, summary)


def by_cost(curve: pd.DataFrame, column: str, factor: float, unit: str) -> Plot | None:
    """Mean regret against cost, all variants on one axis. ``factor`` is what an hour of a trial costs in ``unit``."""
    if curve.empty:
        return None
    summary = curve_summary(curve.assign(budget=curve["budget"] * factor / 3600))
    variants = [str(variant) for variant in summary["variant"].unique()]
    look = plots.looks(summary["variant"].cat.categories)
    figure = Figure(figsize=(6.4, max(3.2, 0.75 + 0.2 * len(variants))), layout="constrained")
    axes = figure.subplots()
    for variant in variants:
        own = summary[summary["variant"] == variant]
        axes.plot(own["budget"], own["mean"], color=look[variant].colour, marker=look[variant].marker, markersize=4.5,
                  markevery=max(len(own) // 6, 1), linewidth=1.6, label=plots.wrapped(variant, 34))  # fmt: skip
        if len(variants) <= _BANDS_UP_TO:
            axes.fill_between(
                own["budget"], own["low"], own["high"], color=look[variant].colour, alpha=0.15, linewidth=0
            )
    axes.set_yscale("symlog", linthresh=0.1, linscale=0.4)
    axes.yaxis.set_major_locator(plots.SymmetricalLogLocator(base=10, linthresh=0.1))
    axes.yaxis.set_major_formatter(plots.FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(plots.NullLocator())
    axes.set_ylim(-0.01, max(float(summary["mean"].max()) * 1.3, 1.0))
    plots.logarithmic_budget(axes)
    axes.set(xlabel=unit, ylabel=f"mean {metrics.split_title(column)} regret (points)")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    last = summary.groupby("variant", observed=True).tail(1)
    ends = [f"{r['variant']} {number(r['mean'])} at {r['budget']:.2g}" for r in last.to_dict("records")]
    caption = f"Mean {metrics.title(column)} against cost, n = {count_range(last['values'])} seeds a variant"
    caption += "; bands: pointwise 95 % t interval." if len(variants) <= _BANDS_UP_TO else "; intervals in the CSV."
    caption += f" Cost: time times what a trial occupied, in {unit}."
    alternative = f"Line plot of the mean {metrics.title(column)} against {unit}. Ends: "
    alternative += f"{listed(ends, most=MOST_VARIANTS)}."
    return Plot(f"{column}_by_cost", caption, alternative, figure, wide=True, data=summary)


def diagnostics(trials: pd.DataFrame, epochs: pd.DataFrame) -> list[Plot]:
    """One figure for each of DIAGNOSTICS that was recorded, against the epoch."""
    rows = epochs.assign(gap=epochs["relaxed_accuracy"] - epochs["discrete_accuracy"])
    shown = []
    for column, (subject, label) in DIAGNOSTICS.items():
        curve = curves(trials[trials["protocol"].notna()], rows, column)
        if curve.empty:
            continue
        summary = curve_summary(curve)
        figure = plots.curves_figure(curve, summary, logarithmic=False, x="search epochs", y=label)
        shown.append(panels(column, f"{subject} against search epochs", figure, curve, summary))
    return shown
