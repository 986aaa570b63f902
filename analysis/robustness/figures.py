"""The figures of a report: a drawing from drawings.py, a caption with n and the interval, and its message in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.pages.figure import Plot
from analysis.pages.words import listed, number
from analysis.results import accuracies
from analysis.results.epochs import Epochs
from analysis.robustness import drawings
from analysis.robustness.courses.curves import OF_TRIALS, Curves, curves
from analysis.robustness.summary import summarise
from analysis.statistics.estimate import LEVEL, percent

MOST_VARIANTS = 20
MOST_DOTS = 2_001
"""Dots of a variant in the figure of seeds; their number less one divides by four: the quartiles are among them."""
_X_AXES = {"epochs": "search epochs", "queries": "table queries"}


def drawn(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of the variants that fit a figure: all, or the upper and the lower end of the order by mean."""
    variants = list(trials["variant"].cat.categories)
    if len(variants) <= MOST_VARIANTS:
        return trials
    kept = variants[: MOST_VARIANTS // 2] + variants[-(MOST_VARIANTS // 2) :]
    part = trials[trials["variant"].isin(kept)]
    return part.assign(variant=part["variant"].cat.set_categories(kept))


def drawn_note(trials: pd.DataFrame) -> str:
    """Which variants ``drawn`` chose, as a sentence; empty where it chose all."""
    count = len(trials["variant"].cat.categories)
    if count <= MOST_VARIANTS:
        return ""
    half = MOST_VARIANTS // 2
    return f" Of {count} variants, the {half} of the best and the {half} of the worst mean are drawn."


def seeds(trials: pd.DataFrame, column: str, level: float = LEVEL) -> Plot:
    """Every seed of every variant, in one accuracy."""
    summary, what = summarise(trials, column, level), accuracies.title(column)
    optimum = None
    accuracy = accuracies.TABLE.get(column)
    if accuracy is not None and accuracies.is_known(trials, accuracy.regret):
        optimum = float((trials[column] + trials[accuracy.regret]).max())
    figure = drawings.strip_figure(_dots(trials, column), summary, column, accuracies.axis(column), optimum)
    shown = summary.dropna(subset="mean").sort_values("mean", ascending=False, kind="stable")
    (top, last), unit = (shown.iloc[0], shown.iloc[-1]), accuracies.percent(column)
    alternative = (
        f"Strip plot of {what} for {len(shown)} variants, one dot a seed; {accuracies.direction(column)}. Highest mean "
        f"{top['variant']} {number(top['mean'])}{unit}, lowest {last['variant']} {number(last['mean'])}{unit}."
    )
    lost = int(summary["n"].sum() - summary["values"].sum())
    caption = f"{accuracies.heading(column)}, n = {count_range(summary['values'])} seeds a variant"
    caption += f", bar: {percent(level)} t interval of the mean (three seeds or more)"
    caption += f"; {lost} trials without a value are not drawn." if lost else "."
    if summary["values"].max() > MOST_DOTS:
        caption += f" Of a variant with more than {MOST_DOTS:,} seeds so many dots are drawn, at even steps in rank."
    if optimum is not None:
        caption += " Means over the benchmark's training seeds; dashed: the best cell of the table."
    if drawings.is_logarithmic(summary, optimum):
        caption += " The axis is logarithmic in the distance to its right end."
    if accuracies.percent(column) and (summary["high"] > 100).any():
        caption += " An interval beyond 100 % says that the mean is a poor summary here."
    values = trials.loc[(trials["status"] == "ok") & trials[column].notna(), ["variant", "seed", column]]
    return Plot(f"seeds_{accuracies.slug(column)}", caption, alternative, figure, data=values)


def _dots(trials: pd.DataFrame, column: str) -> pd.DataFrame:
    """The trials that seeds draws: of a large variant as many as show its distribution, both ends among them."""
    values = trials.loc[(trials["status"] == "ok") & trials[column].notna(), ["variant", "status", column]]
    rank = values.groupby("variant", observed=True)[column].rank(method="first") - 1
    size = values.groupby("variant", observed=True)[column].transform("size")
    step = np.maximum((size - 1) / (MOST_DOTS - 1), 1)
    nearest = (rank / step).round()
    return values[(nearest * step).round() == rank]


def course(
    trials: pd.DataFrame,
    epochs: Epochs,
    column: str,
    onsets: pd.DataFrame | None = None,
    level: float = LEVEL,
) -> list[Plot]:
    """A regret or share over the search, apart for methods that train and methods that query: their x axes differ.

    ``onsets`` (anytime.collapse_onsets) puts a cross where a seed collapses for good.
    """
    trials = trials[OF_TRIALS]
    is_regret = column in accuracies.REGRETS
    subject = accuracies.title(column) if is_regret else "Skip connections"
    label = (
        f"{accuracies.words(column).what} (points),\nlower is better" if is_regret else "skip connections (% of edges)"
    )
    plotted = []
    for name, chosen in (("epochs", trials["protocol"].notna()), ("queries", trials["protocol"].isna())):
        own = trials[chosen]
        found = curves(own, epochs, column, level=level)
        if found.summary.empty:
            continue
        marks = marks_of(onsets, own)
        figure = drawings.curves_figure(
            found.lines,
            found.summary,
            logarithmic=is_regret,
            x=_X_AXES[name],
            y=label,
            marks=marks,
            share=not is_regret,
        )
        title = f"{subject} against {_X_AXES[name]}"
        plotted.append(panels(f"{column}_by_{name}", title, figure, found, marks=bool(marks)))
    return plotted


def panels(name: str, subject: str, figure: Figure, found: Curves, *, marks: bool = False) -> Plot:
    """A figure of curves with its caption and its message in words."""
    last = found.summary.groupby("variant", observed=True).tail(1)
    ends = [f"{variant} {number(mean)}" for variant, mean in zip(last["variant"], last["mean"], strict=True)]
    caption = (
        f"{subject}, n = {count_range(last['values'])} seeds a variant; dark band: pointwise "
        f"{percent(found.level)} t interval of the mean (three seeds or more)."
    )
    if marks:
        caption += " Crosses: where a seed collapses and stays collapsed."
    alternative = f"Line plots of {subject}, one panel a variant. Means at the end: "
    alternative += f"{listed(ends, most=MOST_VARIANTS)}."
    return Plot(name, caption, alternative, figure, wide=len(last) > 2, data=found.summary)


def marks_of(onsets: pd.DataFrame | None, trials: pd.DataFrame) -> dict[str, list[float]]:
    """Variant -> the epochs of its seeds' collapse, each once: crosses would cover each other."""
    if onsets is None:
        return {}
    own = onsets[onsets["trial"].isin(trials.index)]
    return {str(variant): part["epoch"].unique().tolist() for variant, part in own.groupby("variant")}


def count_range(values: pd.Series) -> str:
    """``5``, or ``3 to 10``."""
    return f"{values.min()}" if values.nunique() == 1 else f"{values.min()} to {values.max()}"
