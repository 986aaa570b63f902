"""When a search counts as collapsed, and how probable that is.

By default a fact about the derived cell, skip connections on most of its edges (cf. Zela et al., ICLR 2020, and Liang
et al., "DARTS+", 2019); on request an outcome, an accuracy below a threshold. The first foretells poor cells, the
second is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.results import accuracies
from analysis.robustness.derived import derived, space_of
from analysis.statistics.estimate import LEVEL
from analysis.statistics.proportions import proportion_interval
from study.store.schema import EPOCHS
from trainables.errors import ConfigError


@dataclass(frozen=True)
class Collapse:
    """The rule: at least ``skips`` skip connections, or an accuracy under ``below`` percent where that is given.

    Where ``skips`` is None, so many as the space declares. Raises ConfigError where a threshold cannot tell anything
    apart.
    """

    skips: int | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        if self.below is not None and not 0 < self.below < 100:
            raise ConfigError(
                f"an accuracy that separates collapsed searches lies between 0 and 100 %, but got {self.below:g}; "
                "give percent, as in --collapse-below 70"
            )

    def check(self, trials: pd.DataFrame) -> None:
        """Raises ConfigError where no cell has so many edges, or lower is better of what the threshold is of."""
        space = space_of(trials)
        if not 1 <= self.threshold(trials) <= space.edges:
            raise ConfigError(
                f"a collapsed cell has at least 1 to {space.edges} skip connections, but got {self.skips}; "
                f"give a number of edges, as in --collapse-skips {space.collapsed_skips}"
            )
        column = accuracies.headline(trials)
        if self.below is not None and accuracies.lower_is_better(column):
            raise ConfigError(
                f"--collapse-below is an accuracy, but of {accuracies.title(column)} lower is better; leave it out"
            )

    def threshold(self, trials: pd.DataFrame) -> int:
        """From how many skip connections a cell has collapsed."""
        return space_of(trials).collapsed_skips if self.skips is None else self.skips

    def is_judged(self, trials: pd.DataFrame) -> bool:
        """Whether there is anything to judge: a derived cell, or an accuracy where a threshold is given."""
        return bool(self.flags(trials).notna().any())

    def words(self, trials: pd.DataFrame) -> str:
        """The rule as part of a sentence, "at least 4 of 6 edges skip connections"."""
        if self.below is None:
            return f"at least {self.threshold(trials)} of {space_of(trials).edges} edges skip connections"
        return f"{accuracies.title(accuracies.headline(trials))} below {self.below:g} %"

    def heading(self, trials: pd.DataFrame) -> str:
        """The rule as the heading of a column."""
        return f"≥ {self.threshold(trials)} skips" if self.below is None else f"below {self.below:g} %"

    def flags(self, trials: pd.DataFrame) -> pd.Series:
        """1 collapsed, 0 not, NaN where a trial did not end ok or what the rule looks at is unknown."""
        ok = trials["status"] == "ok"
        if self.below is not None:
            values = trials[accuracies.headline(trials)].where(ok)
            return (values < self.below).astype(float).where(values.notna())
        space, (places, cells) = space_of(trials), derived(trials)
        skips = np.array([*(space.skips(cell) for cell in cells), np.nan])[places]
        return pd.Series(np.where(np.isnan(skips), np.nan, skips >= self.threshold(trials)), index=trials.index)

    def epoch_column(self, trials: pd.DataFrame) -> str | None:
        """What ``of_epochs`` looks at; None where epochs cannot have it, such as an accuracy after retraining."""
        column = "skip_share" if self.below is None else accuracies.headline(trials)
        return column if column in EPOCHS.names else None

    def of_epochs(self, trials: pd.DataFrame, values: np.ndarray) -> np.ndarray:
        """The same of the cells that would be derived on the way, from what ``epoch_column`` has of them."""
        if self.below is None:
            collapsed = values * space_of(trials).edges / 100 > self.threshold(trials) - 0.5
        else:
            collapsed = values < self.below
        return np.where(np.isnan(values), np.nan, collapsed)


def collapse_probability(trials: pd.DataFrame, rule: Collapse, level: float = LEVEL) -> pd.DataFrame:
    """How often each variant collapsed, one row a variant.

    Columns: variant; judged (ok trials that the rule can judge); collapsed; share (percent of judged) and its
    Clopper-Pearson interval low, high. What failed or diverged is neither collapsed nor well: it is not judged.
    """
    grouped = rule.flags(trials).groupby(trials["variant"], observed=True)
    frame = pd.DataFrame({"judged": grouped.count(), "collapsed": grouped.sum().astype(int)}).reset_index()
    found = [proportion_interval(k, n, level) for k, n in frame[["collapsed", "judged"]].to_numpy()]
    return frame.assign(
        share=[100 * e.estimate for e in found], low=[100 * e.low for e in found], high=[100 * e.high for e in found]
    )
