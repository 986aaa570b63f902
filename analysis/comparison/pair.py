"""One comparison: two arms in one value, with every effect size, every test, and the verdict that follows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.comparison.pairing import Arm, pairing
from analysis.comparison.verdicts import Evidence, Verdict, Wording, judge, sentence
from analysis.pages.words import counted, listed, number, p_value
from analysis.statistics import Estimate, HypothesisTest, bayes, paired, probability, unpaired
from analysis.statistics.attainable import Attainable, attainable_paired, attainable_unpaired
from analysis.statistics.bootstrap import FEWEST
from analysis.statistics.estimate import NAN, RESAMPLES, Equivalence, FloatArray, percent


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
    limit: str
    """Why these two can be decided by no test at all; mostly empty."""
    p: float = NAN
    """Of ``primary``, after Holm."""
    equivalence_p: float = NAN
    """Of ``equivalence``, after Holm over the same family."""
    beyond_p: float = NAN
    """Of the difference being no larger than the margin on the observed side, after Holm over the same family."""
    verdict: Verdict = Verdict.UNDECIDED
    sentence: str = ""

    @property
    def name(self) -> str:
        first, second = (self.a, self.b) if self.a.sign > 0 else (self.b, self.a)
        return f"{first.name} − {second.name}"

    @property
    def differences(self) -> FloatArray:
        """A - B on the common seeds [n]; empty where unpaired."""
        return common(self.a, self.b).differences if self.paired else np.empty(0)

    @property
    def spread(self) -> float:
        """Standard deviation that a plan for more seeds starts from: of the differences, or within the arms."""
        if self.n < 2:
            return NAN
        if self.paired:
            return float(self.differences.std(ddof=1))
        return float(np.sqrt((self.a.std**2 + self.b.std**2) / 2))


def common(a: Arm, b: Arm) -> paired.Pairs:
    return paired.pair(a.seeds, a.values, b.seeds, b.values)


def measure(
    a: Arm, b: Arm, margin: float, alpha: float, claimed: bool, generator: np.random.Generator, share: float = 1.0
) -> Comparison:
    """Everything but Holm and the verdict. ``claimed``: equal seeds of the arms are claimed to be pairs.

    Intervals are of 1 - ``alpha``.
    ``share`` of the random flips and draws is made, but never fewer than FEWEST: one of many comparisons has less time.
    """
    decided = pairing(a, b, claimed)
    compared = (_paired if decided.paired else _unpaired)(a, b, margin, 1 - alpha, decided.reason, generator, share)
    return _untested(compared) if compared.limit else compared


def _paired(
    a: Arm, b: Arm, margin: float, level: float, reason: str, generator: np.random.Generator, share: float
) -> Comparison:
    pairs = common(a, b)
    d, n = pairs.differences, len(pairs.differences)
    if n == 0:
        limit = "they have no common seed; --unpaired compares them as independent samples"
    elif n == 1:
        limit = "one common seed decides nothing"
    else:
        limit = _without_spread(pairs.a, pairs.b)
    return Comparison(
        a=a,
        b=b,
        paired=True,
        reason=reason,
        n=n,
        dropped=pairs.dropped,
        difference=paired.mean_difference(d, level),
        shift=paired.hodges_lehmann(d, level),
        effect=paired.standardised_difference(d),
        improvement=probability.probability_of_improvement_paired(d, level),
        primary=paired.sign_flip(d, generator, _part(RESAMPLES, share)),
        rank_test=paired.wilcoxon(d),
        t_test=paired.paired_t(d),
        equivalence=paired.equivalence(d, margin),
        posterior=bayes.signed_rank(d, margin, generator, draws=_part(bayes.DRAWS, share)),
        attainable=attainable_paired(n),
        limit=limit,
    )


def _unpaired(
    a: Arm, b: Arm, margin: float, level: float, reason: str, generator: np.random.Generator, share: float
) -> Comparison:
    n = min(a.n, b.n)
    if n == 1:
        limit = f"one seed ({listed(arm.name for arm in (a, b) if arm.n == 1)}) beats nobody"
    else:
        limit = _without_spread(a.values[a.known], b.values[b.known])
    return Comparison(
        a=a,
        b=b,
        paired=False,
        reason=reason,
        n=n,
        dropped=0,
        difference=unpaired.mean_difference(a.values, b.values, level),
        shift=unpaired.hodges_lehmann_shift(a.values, b.values, level),
        effect=probability.cliffs_delta(a.values, b.values).estimate,
        improvement=probability.probability_of_improvement(a.values, b.values, level),
        primary=unpaired.permutation(a.values, b.values, generator, _part(RESAMPLES, share)),
        rank_test=unpaired.brunner_munzel(a.values, b.values),
        t_test=unpaired.welch(a.values, b.values),
        equivalence=unpaired.equivalence(a.values, b.values, margin),
        posterior=bayes.Posterior(NAN, NAN, NAN, margin, n, bayes.NAME, note="needs pairs of common seeds"),
        attainable=attainable_unpaired(a.n, b.n),
        limit=limit,
    )


def _part(draws: int, share: float) -> int:
    return max(FEWEST, int(draws * min(share, 1.0)))


def _without_spread(a: FloatArray, b: FloatArray) -> str:
    if np.ptp(a) or np.ptp(b):
        return ""
    return "neither arm varies over its seeds, so they do not tell what another seed would give"


def _untested(pair: Comparison) -> Comparison:
    """Without tests and intervals, which would pretend to know what one seed, or no spread, does not tell."""

    def no(test: HypothesisTest) -> HypothesisTest:
        return replace(test, p=NAN, statistic=NAN, note=pair.limit)

    def bare(estimate: Estimate) -> Estimate:
        return replace(estimate, low=NAN, high=NAN, note=pair.limit)

    return replace(
        pair,
        difference=bare(pair.difference),
        shift=bare(pair.shift),
        primary=no(pair.primary),
        rank_test=no(pair.rank_test),
        t_test=no(pair.t_test),
        equivalence=replace(pair.equivalence, p=NAN, p_lower=NAN, p_upper=NAN, note=pair.limit),
        posterior=replace(pair.posterior, better=NAN, equivalent=NAN, worse=NAN, note=pair.limit),
    )


def beyond(pair: Comparison) -> float:
    """p of the one-sided test that the difference is no larger than the margin, on the side that was observed."""
    inside = pair.equivalence.p_upper if pair.difference.estimate > 0 else pair.equivalence.p_lower
    return 1 - inside


def conclude(pair: Comparison, family: int, alpha: float, what: str) -> Comparison:
    """The verdict on ``pair``, whose p-values were corrected over ``family`` tests; ``what`` was compared."""
    family = max(family, 1)
    floor = pair.primary.smallest_p
    possible = (
        attainable_paired(pair.n, family, floor, alpha)
        if pair.paired
        else attainable_unpaired(pair.a.n, pair.b.n, family, alpha)
    )
    # A test whose smallest p-value lies above the level after correction was never one.
    evidence = Evidence(pair.difference.estimate, pair.p, pair.equivalence_p, pair.beyond_p, possible.reachable, alpha)
    rule = judge(evidence)
    seeds = "paired by seed" if pair.paired else f"{pair.a.n} against {pair.b.n} seeds, unpaired"
    known = (interval_words(pair.difference, 1 - alpha), seeds)
    test = "sign-flip" if pair.paired else "permutation"
    limit = pair.limit or _short(possible)
    margin = pair.equivalence.margin
    words = Wording(pair.a.name, pair.b.name, what, margin, _observed(pair), known, test, family, limit)
    return replace(pair, attainable=possible, verdict=rule.verdict, sentence=sentence(rule, evidence, words))


def _observed(pair: Comparison) -> str:
    """``8 of 8 common seeds higher, by 2.90 points``."""
    if pair.n == 0:
        return "nothing to compare"
    d = pair.difference.estimate
    if pair.paired and not pair.differences.any():
        return f"equal on {'the common seed' if pair.n == 1 else f'all {pair.n} common seeds'}"
    if d == 0:
        return "equal on average"
    size, direction = number(abs(d)), "higher" if (d > 0) == (pair.a.sign > 0) else "lower"
    if pair.paired:
        count = int(np.sum(np.sign(pair.differences) == np.sign(d)))
        return f"{count} of {counted(pair.n, 'common seed')} {direction}, by {size} points on average"
    better, worse = (pair.a, pair.b) if d > 0 else (pair.b, pair.a)
    count = int(np.searchsorted(np.sort(worse.values[worse.known]), better.values[better.known]).sum())
    share = number(100 * count / (better.n * worse.n), 0)
    many = "every seed" if count == better.n * worse.n else f"{share} % of all pairs of their seeds"
    return f"{many} {direction}, by {size} points on average"


def _short(possible: Attainable) -> str:
    """``one seed short of an exact test over 7 comparisons``."""
    missing = possible.needed_n - possible.n
    test = f"an exact test over {possible.family:,} comparisons" if possible.family > 1 else "an exact test"
    smallest = f"the smallest p that these seeds allow is {p_value(possible.smallest_adjusted_p)}"
    if missing < 1:
        return f"{smallest}, because some differences are 0"
    return f"{'one seed' if missing == 1 else f'{missing} seeds'} short of {test} ({smallest})"


def interval_words(difference: Estimate, level: float) -> str:
    """``95 % interval 0.10 to 0.70``."""
    if not difference.low <= difference.high:
        return "no interval"
    return f"{percent(level)} interval {number(difference.low)} to {number(difference.high)}"
