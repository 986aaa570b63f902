"""Which method is better: every compared pair of arms, with its tests, its effect size and its verdict.

The family is all pairs of up to ALL_PAIRS_UP_TO arms, or every arm against a named one. Of more arms, and none named,
every arm is compared with the best, and with random search; the best is picked from the data that it is tested on, so
the correction is for all pairs. Holm's correction is over the tests that could be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from analysis.comparison.pair import Comparison, beyond, common, conclude, measure
from analysis.comparison.pairing import Arm, arms, pairing
from analysis.comparison.verdicts import Verdict
from analysis.pages.words import listed
from analysis.results import accuracies
from analysis.results.margin import checked
from analysis.statistics import Estimate, multiplicity, paired, power, unpaired
from analysis.statistics.estimate import MARGIN
from analysis.statistics.intervals import t_interval
from trainables.errors import ConfigError, StoreError, choose

ALL_PAIRS_UP_TO = 7
"""21 pairs: ten seeds can decide at most 25 tests under Holm's correction."""
MOST_ARMS = 1_000
MANY_PAIRS = 200
"""Of more, each is given fewer random flips and draws: far tails are not counted from them."""
BASELINE = "random_search"


@dataclass(frozen=True, eq=False)
class Comparisons:
    """The declared family in one value."""

    column: str
    margin: float
    arms: list[Arm]
    """Those with a value, best mean first."""
    without: list[Arm]
    """Those without any value, which cannot be compared."""
    pairs: list[Comparison]
    family: int
    """Tests that are corrected for."""
    choice: str
    """Which pairs are compared, and why, in words."""
    every_pair: bool
    picked: bool
    """Whether the reference was picked from the data."""
    claimed: bool
    """Whether equal seeds are claimed to be pairs."""

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
    against: str | None = None,
    paired_seeds: bool = True,
    seed: int = 0,
) -> Comparisons:
    """Compare the variants of ``trials`` in ``column``. Random flips and draws come from ``seed``.

    ``paired_seeds``: equal seeds of two arms are claimed to draw the same. Raises ConfigError where the margin is no
    number of points or ``against`` is no single arm, StoreError where there are not two arms with a value, or more than
    MOST_ARMS.
    """
    checked(margin)
    every = arms(trials, column)
    known = [arm for arm in every if arm.n]
    if not 2 <= len(known) <= MOST_ARMS:
        raise StoreError(
            f"a comparison is of 2 to {MOST_ARMS} methods or settings with a value, but {len(known)} have a "
            f"{accuracies.title(column)}; {_instead(trials, len(known))}"
        )
    declared, choice = _declared(known, against)
    every_pair = len(declared) == comb(len(known), 2) and against is None
    picked = not every_pair and against is None
    chosen_from = comb(len(known), 2) if picked else None
    generator = np.random.default_rng(seed)
    raw = [measure(a, b, margin, paired_seeds, generator, MANY_PAIRS / len(declared)) for a, b in declared]
    equal, alike, large = (
        multiplicity.adjust(p, chosen_from)
        for p in ([o.primary.p for o in raw], [o.equivalence.p for o in raw], [beyond(o) for o in raw])
    )
    pairs = [
        conclude(
            replace(pair, p=float(p), equivalence_p=float(q), beyond_p=float(r)), equal.family, accuracies.title(column)
        )
        for pair, p, q, r in zip(raw, equal.p, alike.p, large.p, strict=True)
    ]
    without = [arm for arm in every if not arm.n]
    return Comparisons(
        column, margin, known, without, pairs, equal.family, choice, every_pair, picked, claimed=paired_seeds
    )


def _instead(trials: pd.DataFrame, known: int) -> str:
    """What would do in place of a value that too few or too many have."""
    if known > MOST_ARMS:
        return "look at many settings with nas-study sensitivity"
    variants = {c: trials.loc[accuracies.better(trials, c).notna(), "variant"] for c in accuracies.known(trials)}
    fitting = [column for column, those in variants.items() if those.nunique() > 1]
    return f"choose one of these with --column: {', '.join(fitting)}" if fitting else "compare two or more"


def _declared(known: Sequence[Arm], against: str | None) -> tuple[list[tuple[Arm, Arm]], str]:
    """The pairs, and in words which; each with the arm of the better mean first, but a named one second."""
    if against is not None:
        control = _control(known, against)
        return [(arm, control) for arm in known if arm is not control], f"Every arm against {control.name}."
    if len(known) <= ALL_PAIRS_UP_TO:
        return list(combinations(known, 2)), f"All pairs of the {len(known)} arms."
    best = known[0]
    highest = "highest" if best.sign > 0 else "lowest"
    baseline = next((arm for arm in known[1:] if arm.method == BASELINE), None)
    pairs = [(best, arm) for arm in known[1:]]
    with_baseline = ""
    if baseline is not None:
        pairs += [(arm, baseline) for arm in known[1:] if arm is not baseline]
        with_baseline = f", and every arm with {baseline.name}"
    return pairs, (
        f"Compared are {best.name}, which was picked because it has the {highest} mean, with every "
        f"other{with_baseline}. "
        f"The pick looked at the data, so p-values are corrected for all {comb(len(known), 2):,} pairs of the "
        f"{len(known)} arms; a reference named with --against is corrected for {len(known) - 1} only."
    )


def _control(known: Sequence[Arm], against: str) -> Arm:
    named = [arm for arm in known if arm.name == against] or [arm for arm in known if arm.method == against]
    if len(named) > 1:
        raise ConfigError(
            f"--against names one arm, but {against} has {len(named)}; name one of: {listed([a.name for a in named])}"
        )
    if not named:
        raise ConfigError(f"--against: {choose('arm', against, [arm.name for arm in known])}")
    return named[0]


def seeds_to_decide(pair: Comparison, margin: float, family: int) -> power.SeedsNeeded | None:
    """Seeds to detect a difference of ``margin``, from the upper 80 % limit of the spread; None where it is unknown."""
    spread = power.planning_std(pair.spread, pair.n)
    if not spread > 0:
        return None
    plan = power.seeds_to_detect_paired if pair.paired else power.seeds_to_detect_unpaired
    return plan(margin / spread, family=max(family, 1))


def difference_on(trials: pd.DataFrame, column: str, a: str, b: str, claimed: bool) -> Estimate:
    """The difference of two arms in another value, paired or not as RULE has it there."""
    found = {arm.name: arm for arm in arms(trials[trials["variant"].isin([a, b])], column)}
    if a not in found or b not in found or not (found[a].n and found[b].n):
        return t_interval([])
    if pairing(found[a], found[b], claimed).paired:
        return paired.mean_difference(common(found[a], found[b]).differences)
    return unpaired.mean_difference(found[a].values, found[b].values)
