"""The figures of a report: a drawing from plots.py, a caption with n and the interval, and its message in words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from analysis import metrics, plots
from analysis.robustness import curve_summary, curves, summarise
from analysis.tables import listed, number

MOST_VARIANTS = 20
_X_AXES = {"epochs": "search epochs", "queries": "table queries"}


@dataclass(frozen=True)
class Plot:
    """A figure with its caption and, for readers who cannot see it, its message in words.

    ``wide`` figures take the full width of the page; two others lie side by side.
    """

    name: str
    caption: str
    alternative: str
    figure: Figure
    wide: bool = False


def drawn(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of the variants that fit a figure: all, or the upper and the lower end of the order by mean."""
    variants = list(trials["variant"].cat.categories)
    if len(variants) <= MOST_VARIANTS:
        return trials
    kept = variants[: MOST_VARIANTS // 2] + variants[-(MOST_VARIANTS // 2) :]
    part = trials[trials["variant"].isin(kept)]
    return part.assign(variant=part["variant"].cat.set_categories(kept))


def seeds(trials: pd.DataFrame, column: str) -> Plot:
    """Every seed of every variant, in one accuracy."""
    summary, what = summarise(trials, column), metrics.title(column)
    optimum = None
    if column in metrics.TABLE_ACCURACIES and metrics.is_known(trials, metrics.regret_column(column)):
        optimum = float((trials[column] + trials[metrics.regret_column(column)]).max())
    figure = plots.strip_figure(trials, summary, column, f"{what} (%)", optimum)
    shown = summary.dropna(subset="mean").sort_values("mean", ascending=False, kind="stable")
    top, last = shown.iloc[0], shown.iloc[-1]
    alternative = (
        f"Strip plot of {what} for {len(shown)} variants, one dot a search seed. "
        f"Highest mean {top['variant']} {number(top['mean'])} %, lowest {last['variant']} {number(last['mean'])} %."
    )
    lost = int(summary["n"].sum() - summary["values"].sum())
    caption = f"{what[0].upper()}{what[1:]}, n = {_range(summary['values'])} seeds a variant"
    caption += f"; {lost} trials without a value are not drawn." if lost else "."
    if optimum is not None:
        caption += " Means over the benchmark's training seeds; dashed: the best cell of the table."
    if plots.is_logarithmic(summary, optimum):
        caption += " The axis is logarithmic in the distance to its right end."
    if (summary["high"] > 100).any():
        caption += " An interval beyond 100 % says that the mean is a poor summary here."
    return Plot(f"seeds_{column}", caption, alternative, figure)


def course(trials: pd.DataFrame, epochs: pd.DataFrame, column: str) -> list[Plot]:
    """A regret or share over the search, apart for methods that train and methods that query: their x axes differ."""
    is_regret = column.endswith("_regret")
    subject = metrics.title(column) if is_regret else "Skip connections"
    label = f"{metrics.split_title(column)} regret (points)" if is_regret else "skip connections (% of edges)"
    plotted = []
    for name, chosen in (("epochs", trials["protocol"].notna()), ("queries", trials["protocol"].isna())):
        curve = curves(trials[chosen], epochs, column)
        if curve.empty:
            continue
        summary = curve_summary(curve)
        figure = plots.curves_figure(curve, summary, logarithmic=is_regret, x=_X_AXES[name], y=label)
        last = summary.groupby("variant", observed=True).tail(1)
        ends = [f"{variant} {number(mean)}" for variant, mean in zip(last["variant"], last["mean"], strict=True)]
        caption = f"{subject} against {_X_AXES[name]}, n = {_range(last['values'])} seeds a variant."
        alternative = f"Line plots of {subject} against {_X_AXES[name]}, one panel a variant. Means at the end: "
        alternative += f"{listed(ends, most=MOST_VARIANTS)}."
        plotted.append(Plot(f"{column}_by_{name}", caption, alternative, figure, wide=len(last) > 2))
    return plotted


def _range(values: pd.Series) -> str:
    return f"{values.min()}" if values.nunique() == 1 else f"{values.min()} to {values.max()}"
