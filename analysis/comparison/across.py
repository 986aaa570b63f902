"""The compared pairs on every data set that has the value, and on the mean of these.

What may be exchanged is the seed, with all of its data sets: one search that is looked up on three of them is one
search, and its three values go together. So the mean over data sets is taken first, seed by seed, and what is left are
as many values as seeds, which are paired, tested and resampled like those of one data set. Where the runs of a seed on
two data sets were separate after all, that costs degrees of freedom and no validity. A seed that lacks one of the data
sets has no mean. The data sets are those at hand, no sample of others: an interval is about them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.comparison.compare import Comparisons
from analysis.comparison.pair import Comparison, common
from analysis.comparison.pairing import Arm, arms, pairing
from analysis.results import accuracies
from analysis.statistics import Estimate, paired, relative, unpaired
from analysis.statistics.intervals import t_interval


@dataclass(frozen=True, eq=False)
class Value:
    """One value of every compared arm: on one data set, or the mean over several."""

    title: str
    """``CIFAR-10 test accuracy``, ``mean of 3 data sets``."""
    unit: str
    arms: dict[str, Arm]

    def difference(self, pair: Comparison, claimed: bool, level: float) -> Estimate:
        """Of the means of ``pair`` in this value, paired or not as RULE has it here."""
        a, b = self._both(pair)
        if not (a.n and b.n):
            return t_interval([], level)
        if pairing(a, b, claimed).paired:
            return paired.mean_difference(common(a, b).differences, level)
        return unpaired.mean_difference(a.values, b.values, level)

    def improvement(self, pair: Comparison, claimed: bool, level: float) -> Estimate:
        """Percent by which the first of ``pair`` is better than the second."""
        a, b = self._both(pair)
        if pairing(a, b, claimed).paired:
            both = common(a, b)
            return relative.improvement_paired(both.a, both.b, level)
        return relative.improvement(a.values, b.values, level)

    def _both(self, pair: Comparison) -> tuple[Arm, Arm]:
        return self.arms[pair.a.name], self.arms[pair.b.name]


def on_each(found: Comparisons, trials: pd.DataFrame) -> list[Value]:
    """The compared value on every data set that has it, in the order of the table."""
    columns = accuracies.on_all_datasets(trials, found.column)
    return [_value(found, trials, column, accuracies.title(column)) for column in columns]


def on_average(found: Comparisons, trials: pd.DataFrame) -> Value:
    """Every seed's mean over all data sets that have the value."""
    columns = accuracies.on_all_datasets(trials, found.column)
    title = f"mean of {len(columns)} data sets"
    column = accuracies.foreign_column(title, "mean", lower=accuracies.lower_is_better(found.column))
    means = trials[columns].astype(float).mean(axis=1, skipna=False)
    return _value(found, trials.assign(**{column: means}), column, title)


def _value(found: Comparisons, trials: pd.DataFrame, column: str, title: str) -> Value:
    names = {arm.name for arm in found.arms}
    rows = trials[trials["variant"].isin(names)]
    return Value(title, accuracies.unit(found.column), {arm.name: arm for arm in arms(rows, column)})
