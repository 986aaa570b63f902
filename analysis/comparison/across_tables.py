"""The tables about several data sets, and about gains over baselines, each made of the values of across.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from analysis.comparison.across import Value
from analysis.comparison.compare import Comparisons
from analysis.comparison.pair import Comparison
from analysis.comparison.tables import estimate_words, pair_counts
from analysis.pages.table import Table
from analysis.pages.words import mean_std
from analysis.results import accuracies
from analysis.statistics.bootstrap import bootstrap_interval
from analysis.statistics.estimate import Estimate
from analysis.statistics.intervals import t_interval
from analysis.statistics.summary import IQM_INTERVAL_FROM, iqm


def differences_table(found: Comparisons, each: Sequence[Value], average: Value) -> Table:
    """The same differences on every data set and on their mean, untested."""
    shown, data = _of_pairs(
        found, [*each, average], "points", lambda value, pair: value.difference(pair, found.claimed, found.level)
    )
    several = (
        "Whether the runs of a seed on two data sets are one search, the table does not say; a row is read as if they "
        "were."
        if accuracies.is_foreign(found.column)
        else "One search looked up on several data sets is one search, not several."
    )
    caption = (
        f"Mean differences with {found.interval}s (Student t of pairs, Welch of unpaired arms), not tested. {several} "
        f"The {average.title} is taken seed by seed, of seeds that have them all, so that its interval is one over "
        "seeds; it weighs points alike wherever they were made, and speaks of these data sets only."
    )
    return Table("other_data_sets", "The same comparisons on every data set", caption, shown, data)


def averages_table(found: Comparisons, each: Sequence[Value], average: Value) -> Table:
    """Every arm on every data set, and its mean and IQM over all of them."""
    names = [arm.name for arm in found.arms]
    generator = np.random.default_rng(0)
    values = {name: average.arms[name].recorded for name in names}
    means = {name: t_interval(values[name], found.level) for name in names}
    middles = {
        name: bootstrap_interval(
            values[name], iqm, generator, kind="percentile", level=found.level, minimum=IQM_INTERVAL_FROM
        )
        for name in names
    }
    shown = pd.DataFrame({"arm": names, "seeds": [average.arms[name].n for name in names]})
    data = shown.copy()
    for value in each:
        of = [value.arms[name] for name in names]
        shown[f"{value.title}{value.unit}"] = [mean_std(arm.sign * arm.mean, arm.std) for arm in of]
        data[f"{value.title} mean{value.unit}"] = [arm.sign * arm.mean for arm in of]
    for title, estimates in ((average.title, means), (f"IQM, {average.title}", middles)):
        shown[f"{title}{average.unit}"] = [estimate_words(estimates[name]) for name in names]
        _numbers(data, f"{title}{average.unit}", [estimates[name] for name in names])
    caption = (
        f"Each data set: mean ± standard deviation over {accuracies.seeds(found.column)}. The last two are of "
        "the means of each seed over its data sets, n in the column seeds: their mean with Student's t "
        f"{found.interval}, and their interquartile mean, which leaves out a quarter of the seeds at each end, with "
        f"the percentile bootstrap of whole seeds from {IQM_INTERVAL_FROM} on. Data sets differ in scale, so no score "
        "is cut for being high or low."
    )
    return Table("over_data_sets", "Every arm over all data sets", caption, shown, data)


def improvements_table(found: Comparisons, each: Sequence[Value]) -> Table:
    """How many percent each method gains over its baseline, on every data set."""
    shown, data = _of_pairs(
        found, each, "%", lambda value, pair: value.improvement(pair, found.claimed, found.level), "method − baseline"
    )
    shown.insert(1, "n", [pair_counts(pair) for pair in found.pairs])
    lower = accuracies.lower_is_better(found.column)
    formula = "100 (baseline − method) / baseline" if lower else "100 (method − baseline) / baseline"
    caption = (
        f"Relative improvement over the baseline, {formula} of the means, above 0 where the method is better, with "
        f"Fieller's {found.interval} of a ratio of means: over common seeds where arms are paired, otherwise with the "
        "degrees of freedom of Welch. Not tested: the test is of the difference. After Yang et al., ICLR 2020."
    )
    return Table("relative_improvement", "Relative improvement over the baseline", caption, shown, data)


def improvements(found: Comparisons, each: Sequence[Value]) -> list[Estimate]:
    """The relative improvement of every pair in the value that is compared."""
    (own,) = (value for value in each if value.title == found.title)
    return [own.improvement(pair, found.claimed, found.level) for pair in found.pairs]


def _of_pairs(
    found: Comparisons,
    values: Sequence[Value],
    unit: str,
    estimate: Callable[[Value, Comparison], Estimate],
    heading: str = "",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is shown and the numbers behind it: a row a pair, a column a value."""
    shown = pd.DataFrame({heading or found.difference: [pair.name for pair in found.pairs]})
    data = shown.copy()
    for value in values:
        estimates = [estimate(value, pair) for pair in found.pairs]
        shown[f"{value.title} ({unit})"] = [estimate_words(one, 2 if unit == "%" else None) for one in estimates]
        _numbers(data, f"{value.title} ({unit})", estimates)
    return shown, data


def _numbers(data: pd.DataFrame, name: str, estimates: Sequence[Estimate]) -> None:
    data[name] = [one.estimate for one in estimates]
    data[f"{name} low"] = [one.low for one in estimates]
    data[f"{name} high"] = [one.high for one in estimates]
    data[f"{name} n"] = [one.n for one in estimates]
