"""Which method is better: every compared pair of arms, with its tests, its effect size and its verdict.

The family is what the user declared: pairs, methods with their baselines, or every arm against a named one. Where
nothing was declared it is all pairs of up to ALL_PAIRS_UP_TO arms; of more, every arm is compared with the best, and
with random search; the best is picked from the data that it is tested on, so the correction is for all pairs. Holm's
correction is over the tests that could be made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb

import numpy as np
import pandas as pd

from analysis.comparison.declared import Family, Wanted, family
from analysis.comparison.pair import Comparison, beyond, conclude, measure
from analysis.comparison.pairing import Arm, arms
from analysis.comparison.verdicts import Verdict
from analysis.results import accuracies, level
from analysis.results import margin as margins
from analysis.statistics import multiplicity, power
from analysis.statistics.estimate import ALPHA, MARGIN, percent
from trainables.errors import StoreError

MOST_ARMS = 1_000
MANY_PAIRS = 200
"""Of more, each is given fewer random flips and draws: far tails are not counted from them."""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """The declared family in one value."""

    column: str
    margin: float
    alpha: float
    """The level of the family; intervals are of 1 - ``alpha``."""
    arms: list[Arm]
    """Those with a value, best mean first; of declared pairs, those that are in one."""
    without: list[Arm]
    """Those without any value, which cannot be compared."""
    unnamed: list[Arm]
    """Those with a value that no declared pair names."""
    pairs: list[Comparison]
    family: int
    """Tests that are corrected for."""
    declared: Family
    """Which pairs are compared, and why."""
    claimed: bool
    """Whether equal seeds are claimed to be pairs."""

    @property
    def level(self) -> float:
        """Confidence of every interval, a fraction."""
        return 1 - self.alpha

    @property
    def interval(self) -> str:
        """``95 % interval``."""
        return f"{percent(self.level)} interval"

    @property
    def title(self) -> str:
        return accuracies.title(self.column)

    @property
    def axis(self) -> str:
        """What a difference is, ``A − B (points), above 0 A is better``; B − A where less is better."""
        return f"{self.difference} (points), above 0 A is better"

    @property
    def chance(self) -> str:
        """``P(A > B)``, of A being better."""
        return "P(A < B)" if accuracies.lower_is_better(self.column) else "P(A > B)"

    @property
    def difference(self) -> str:
        return "B − A" if accuracies.lower_is_better(self.column) else "A − B"

    def count(self, verdict: Verdict) -> int:
        return sum(pair.verdict is verdict for pair in self.pairs)


def compare(
    trials: pd.DataFrame,
    column: str,
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    wanted: Wanted | None = None,
    paired_seeds: bool = True,
    seed: int = 0,
) -> Comparisons:
    """Compare the variants of ``trials`` in ``column``. Random flips and draws come from ``seed``.

    ``wanted`` are the pairs, where they are not all; ``paired_seeds``: equal seeds of two arms are claimed to draw the
    same. Raises ConfigError where the margin or the level is out of its bounds or ``wanted`` names no arms, StoreError
    where there are not two arms with a value, or more than MOST_ARMS.
    """
    margins.checked(margin)
    level.checked(alpha)
    every = arms(trials, column)
    known = [arm for arm in every if arm.n]
    if not 2 <= len(known) <= MOST_ARMS:
        raise StoreError(
            f"a comparison is of 2 to {MOST_ARMS} methods or settings with a value, but {len(known)} have a "
            f"{accuracies.title(column)}; {_instead(trials, len(known))}"
        )
    declared = family(every, wanted or Wanted())
    chosen_from = comb(len(known), 2) if declared.picked else None
    generator, share = np.random.default_rng(seed), MANY_PAIRS / len(declared.pairs)
    raw = [measure(a, b, margin, alpha, paired_seeds, generator, share) for a, b in declared.pairs]
    equal, alike, large = (
        multiplicity.adjust(p, chosen_from)
        for p in ([o.primary.p for o in raw], [o.equivalence.p for o in raw], [beyond(o) for o in raw])
    )
    pairs = [
        conclude(
            replace(pair, p=float(p), equivalence_p=float(q), beyond_p=float(r)),
            equal.family,
            alpha,
            accuracies.title(column),
        )
        for pair, p, q, r in zip(raw, equal.p, alike.p, large.p, strict=True)
    ]
    named = {arm.name for pair in declared.pairs for arm in pair} if declared.declared else {arm.name for arm in known}
    return Comparisons(
        column=column,
        margin=margin,
        alpha=alpha,
        arms=[arm for arm in known if arm.name in named],
        without=[arm for arm in every if not arm.n],
        unnamed=[arm for arm in known if arm.name not in named],
        pairs=pairs,
        family=equal.family,
        declared=declared,
        claimed=paired_seeds,
    )


def _instead(trials: pd.DataFrame, known: int) -> str:
    """What would do in place of a value that too few or too many have."""
    if known > MOST_ARMS:
        return "look at many settings with nas-study sensitivity"
    variants = {c: trials.loc[accuracies.better(trials, c).notna(), "variant"] for c in accuracies.known(trials)}
    fitting = [column for column, those in variants.items() if those.nunique() > 1]
    return f"choose one of these with --column: {', '.join(fitting)}" if fitting else "compare two or more"


def seeds_to_decide(pair: Comparison, margin: float, family: int, alpha: float) -> power.SeedsNeeded | None:
    """Seeds to detect a difference of ``margin``, from the upper 80 % limit of the spread; None where it is unknown."""
    spread = power.planning_std(pair.spread, pair.n)
    if not spread > 0:
        return None
    plan = power.seeds_to_detect_paired if pair.paired else power.seeds_to_detect_unpaired
    return plan(margin / spread, family=max(family, 1), alpha=alpha)
