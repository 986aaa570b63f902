"""Which method is better: every declared pair of arms, with its tests, its effect size and its verdict.

The family is declared before any test is made: all pairs of up to ALL_PAIRS_UP_TO arms; of more, every arm against the
best and against random search; or every arm against a named one. Holm's correction is over the tests of the family that
could be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.comparison.pairing import Arm, arms, pairing
from analysis.comparison.verdicts import Evidence, Verdict, Wording, judge, sentence
from analysis.pages.words import counted, listed
from analysis.results import accuracies
from analysis.statistics import Estimate, HypothesisTest, bayes, multiplicity, paired, power, probability, unpaired
from analysis.statistics.attainable import Attainable, attainable_paired, attainable_unpaired
from analysis.statistics.estimate import MARGIN, NAN, Equivalence, FloatArray
from analysis.statistics.intervals import t_interval
from trainables.errors import ConfigError, StoreError, choose

ALL_PAIRS_UP_TO = 7
"""21 pairs: ten seeds can decide at most 25 tests under Holm's correction."""
MOST_ARMS = 1_000
BASELINE = "random_search"


@dataclass(frozen=True, eq=False)
class Comparison:
    """A against B in one value; differences are by how much A is better, points: A - B, B - A where less is better."""

    a: Arm
    b: Arm
    paired: bool
    reason: str
    """Why the arms are not paired."""
    n: int
    """Pairs of common seeds, or the seeds of the smaller arm."""
    dropped: int
    """Seeds of either arm without a partner that has a value, which no pair can be made of; 0 where unpaired."""
    difference: Estimate
    shift: Estimate
    """Hodges-Lehmann."""
    effect: float
    """Cohen's d_z of pairs, Cliff's delta of unpaired arms."""
    improvement: Estimate
    """P(A > B)."""
    primary: HypothesisTest
    rank_test: HypothesisTest
    t_test: HypothesisTest
    equivalence: Equivalence
    posterior: bayes.Posterior
    attainable: Attainable
    p: float = NAN
    """Of ``primary``, after Holm."""
    equivalence_p: float = NAN
    """Of ``equivalence``, after Holm over the same family."""
    verdict: Verdict = Verdict.UNDECIDED
    sentence: str = ""

    @property
    def name(self) -> str:
        first, second = (self.a, self.b) if self.a.sign > 0 else (self.b, self.a)
        return f"{first.name} − {second.name}"

    @property
    def differences(self) -> FloatArray:
        """A - B on the common seeds [n]; empty where unpaired."""
        return _pairs(self.a, self.b).differences if self.paired else np.empty(0)

    @property
    def spread(self) -> float:
        """Standard deviation that a plan for more seeds starts from: of the differences, or within the arms."""
        if self.n < 2:
            return NAN
        if self.paired:
            return float(self.differences.std(ddof=1))
        return float(np.sqrt((self.a.std**2 + self.b.std**2) / 2))


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
    """Tests that could be made, and are corrected for."""
    choice: str
    """Which pairs were declared, and why, in words."""
    every_pair: bool

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
    trials: pd.DataFrame, column: str, *, margin: float = MARGIN, against: str | None = None, seed: int = 0
) -> Comparisons:
    """Compare the variants of ``trials`` in ``column``. Random flips and draws come from ``seed``.

    Raises ConfigError where the margin is not positive or ``against`` is no single arm, StoreError where there are not
    two arms with a value, or more than MOST_ARMS.
    """
    if not margin > 0:
        raise ConfigError(
            f"a margin of equivalence must be a positive number of points, but got {margin:g}; choose one"
        )
    every = arms(trials, column)
    known = [arm for arm in every if arm.n]
    if not 2 <= len(known) <= MOST_ARMS:
        raise StoreError(
            f"a comparison is of 2 to {MOST_ARMS} methods or settings with a value, but {len(known)} have a "
            f"{accuracies.title(column)}; {_instead(trials, len(known))}"
        )
    declared, choice, every_pair = _declared(known, against)
    generator = np.random.default_rng(seed)
    raw = [_compare(a, b, margin, len(declared), generator) for a, b in declared]
    equal = multiplicity.adjust([pair.primary.p for pair in raw])
    alike = multiplicity.adjust([pair.equivalence.p for pair in raw])
    pairs = [
        _concluded(replace(pair, p=float(p), equivalence_p=float(q)), equal.family, accuracies.title(column))
        for pair, p, q in zip(raw, equal.p, alike.p, strict=True)
    ]
    without = [arm for arm in every if not arm.n]
    return Comparisons(column, margin, known, without, pairs, equal.family, choice, every_pair)


def _instead(trials: pd.DataFrame, known: int) -> str:
    """What would do in place of a value that too few or too many have."""
    if known > MOST_ARMS:
        return "look at many settings with nas-study sensitivity"
    variants = {c: trials.loc[accuracies.better(trials, c).notna(), "variant"] for c in accuracies.known(trials)}
    fitting = [column for column, those in variants.items() if those.nunique() > 1]
    return f"choose one of these with --column: {', '.join(fitting)}" if fitting else "compare two or more"


def _declared(known: Sequence[Arm], against: str | None) -> tuple[list[tuple[Arm, Arm]], str, bool]:
    """The family, in words too; each pair with the arm of the better mean first, but a named one second."""
    if against is not None:
        control = _control(known, against)
        return [(arm, control) for arm in known if arm is not control], f"Every arm against {control.name}.", False
    if len(known) <= ALL_PAIRS_UP_TO:
        return list(combinations(known, 2)), f"All pairs of the {len(known)} arms.", True
    best = known[0]
    highest = "highest" if best.sign > 0 else "lowest"
    baseline = next((arm for arm in known[1:] if arm.method == BASELINE), None)
    pairs = [(best, arm) for arm in known[1:]]
    choice = (
        f"{len(known)} arms have {len(known) * (len(known) - 1) // 2} pairs, more than these seeds could decide: "
        f"compared are {best.name}, which has the {highest} mean, with every other"
    )
    if baseline is not None:
        pairs += [(arm, baseline) for arm in known[1:] if arm is not baseline]
        choice += f", and every arm with {baseline.name}"
    return pairs, choice + ". Name another with --against.", False


def _control(known: Sequence[Arm], against: str) -> Arm:
    named = [arm for arm in known if arm.name == against] or [arm for arm in known if arm.method == against]
    if len(named) > 1:
        raise ConfigError(
            f"--against names one arm, but {against} has {len(named)}; name one of: {listed([a.name for a in named])}"
        )
    if not named:
        raise ConfigError(f"--against: {choose('arm', against, [arm.name for arm in known])}")
    return named[0]


def _pairs(a: Arm, b: Arm) -> paired.Pairs:
    return paired.pair(a.seeds, a.values, b.seeds, b.values)


def _compare(a: Arm, b: Arm, margin: float, family: int, generator: np.random.Generator) -> Comparison:
    """Everything but Holm and the verdict. ``family`` tests are declared."""
    decided = pairing(a, b)
    if decided.paired:
        pairs = _pairs(a, b)
        d = pairs.differences
        return Comparison(
            a=a,
            b=b,
            paired=True,
            reason="",
            n=len(d),
            dropped=pairs.dropped,
            difference=paired.mean_difference(d),
            shift=paired.hodges_lehmann(d),
            effect=paired.standardised_difference(d),
            improvement=probability.probability_of_improvement_paired(d),
            primary=paired.sign_flip(d, generator),
            rank_test=paired.wilcoxon(d),
            t_test=paired.paired_t(d),
            equivalence=paired.equivalence(d, margin),
            posterior=bayes.signed_rank(d, margin, generator),
            attainable=attainable_paired(len(d), family),
        )
    n = min(a.n, b.n)
    return Comparison(
        a=a,
        b=b,
        paired=False,
        reason=decided.reason,
        n=n,
        dropped=0,
        difference=unpaired.mean_difference(a.values, b.values),
        shift=unpaired.hodges_lehmann_shift(a.values, b.values),
        effect=probability.cliffs_delta(a.values, b.values).estimate,
        improvement=probability.probability_of_improvement(a.values, b.values),
        primary=unpaired.permutation(a.values, b.values, generator),
        rank_test=unpaired.brunner_munzel(a.values, b.values),
        t_test=unpaired.welch(a.values, b.values),
        equivalence=unpaired.equivalence(a.values, b.values, margin),
        posterior=bayes.Posterior(
            NAN, NAN, NAN, margin, n, "Bayesian signed-rank test", note="needs pairs of common seeds"
        ),
        attainable=attainable_unpaired(a.n, b.n, family),
    )


def _concluded(pair: Comparison, family: int, what: str) -> Comparison:
    # A test whose smallest p-value lies above the level after correction was never one.
    evidence = Evidence(pair.difference.estimate, pair.p, pair.equivalence_p, pair.attainable.reachable and pair.n > 1)
    verdict = judge(evidence)
    seeds = counted(pair.n, "paired seed") if pair.paired else f"{pair.a.n} and {pair.b.n} seeds, unpaired"
    test = "sign-flip" if pair.paired else "permutation"
    limit = f"the {test} test {pair.primary.note if not pair.p >= 0 else pair.attainable.sentence}"
    words = Wording(pair.a.name, pair.b.name, what, pair.equivalence.margin, seeds, test, family, limit)
    return replace(pair, verdict=verdict, sentence=sentence(verdict, evidence, pair.difference, words))


def seeds_to_decide(pair: Comparison, margin: float, family: int) -> power.SeedsNeeded | None:
    """Seeds to detect a difference of ``margin``, from the upper 80 % limit of the spread; None where it is unknown."""
    spread = power.planning_std(pair.spread, pair.n)
    if not spread > 0:
        return None
    plan = power.seeds_to_detect_paired if pair.paired else power.seeds_to_detect_unpaired
    return plan(margin / spread, family=max(family, 1))


def difference_on(trials: pd.DataFrame, column: str, a: str, b: str) -> Estimate:
    """The difference of two arms in another value, paired or not as RULE has it there."""
    found = {arm.name: arm for arm in arms(trials[trials["variant"].isin([a, b])], column)}
    if a not in found or b not in found or not (found[a].n and found[b].n):
        return t_interval([])
    if pairing(found[a], found[b]).paired:
        return paired.mean_difference(_pairs(found[a], found[b]).differences)
    return unpaired.mean_difference(found[a].values, found[b].values)
