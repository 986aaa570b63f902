"""Two arms that ran on common seeds: the same data order, and the same draws wherever the methods allow.

Everything here works on the differences a - b of the seeds that both arms have. They are rounded to DECIMALS decimals
first, so that differences of printed accuracies tie where they should.

Sources: sign-flip test, Fisher, "The Design of Experiments", 1935, section 21; Hodges and Lehmann, Annals of
Mathematical Statistics 1963; two one-sided tests, Schuirmann, J. Pharmacokinetics and Biopharmaceutics 1987.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from analysis.statistics.attainable import smallest_paired_p
from analysis.statistics.bootstrap import affordable, chunks
from analysis.statistics.counting import count_flips
from analysis.statistics.estimate import (
    LEVEL,
    NAN,
    RESAMPLES,
    Equivalence,
    Estimate,
    FloatArray,
    HypothesisTest,
    finite,
    percent,
    rounded,
    too_few,
)
from analysis.statistics.intervals import t_interval
from analysis.statistics.ranksums import pairs_interval, signed_rank_null
from analysis.statistics.tails import FEW, approximate_flips

EXACT_N = 16
"""Up to so many pairs the sign-flip test goes through all 2**n signs."""
LARGEST_N = 2_000
"""Up to so many pairs the Hodges-Lehmann estimate forms all n (n + 1) / 2 averages."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The seeds that both arms have a value for, in ascending order."""

    seeds: npt.NDArray[np.int64]
    a: FloatArray
    b: FloatArray
    dropped: int
    """Seeds of either arm without a partner, or whose value is missing."""

    @property
    def differences(self) -> FloatArray:
        """a - b [n]."""
        return rounded(self.a - self.b)


def pair(seeds_a: npt.ArrayLike, a: npt.ArrayLike, seeds_b: npt.ArrayLike, b: npt.ArrayLike) -> Pairs:
    """Match two arms, seeds [n] with values [n], by seed. Raises ValueError if an arm has a seed twice."""
    arms = []
    for seeds, values in ((seeds_a, a), (seeds_b, b)):
        names, numbers = np.asarray(seeds, dtype=np.int64), np.asarray(values, dtype=np.float64)
        if len(np.unique(names)) < len(names):
            raise ValueError("an arm must have one value a seed, but a seed occurs twice; average or select first")
        arms.append((names, numbers))
    (names_a, values_a), (names_b, values_b) = arms
    everyone = len(np.union1d(names_a, names_b))
    known_a, known_b = np.isfinite(values_a), np.isfinite(values_b)
    names_a, values_a, names_b, values_b = names_a[known_a], values_a[known_a], names_b[known_b], values_b[known_b]
    common, in_a, in_b = np.intersect1d(names_a, names_b, assume_unique=True, return_indices=True)
    return Pairs(common, values_a[in_a], values_b[in_b], everyone - len(common))


def mean_difference(differences: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The mean of the paired differences [n] with its Student-t interval."""
    method = f"mean paired difference with {percent(level)} Student-t interval"
    return replace(t_interval(rounded(differences), level), method=method)


def standardised_difference(differences: npt.ArrayLike) -> float:
    """Cohen's d_z, mean / std (ddof = 1) of the differences; NaN where they do not vary."""
    sample, _ = finite(rounded(differences))
    if len(sample) < 2 or np.ptp(sample) == 0:
        return NAN
    return float(sample.mean() / sample.std(ddof=1))


def hodges_lehmann(differences: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The median of all averages of two differences (one with itself too), with its signed-rank interval.

    The interval is exact for symmetric differences up to 50 pairs and a normal approximation above. Below n = 6 there
    is none at 95 %.
    """
    sample, dropped = finite(rounded(differences))
    n = len(sample)
    method = f"Hodges-Lehmann difference with {percent(level)} signed-rank interval"
    if n == 0:
        return Estimate(NAN, NAN, NAN, 0, method, dropped, too_few(1, 0, "pairs"))
    if n > LARGEST_N:
        note = f"left out above {LARGEST_N} pairs; the mean difference has its own interval"
        return Estimate(NAN, NAN, NAN, n, method, dropped, note)
    first, second = np.triu_indices(n)
    averages = np.sort((sample[first] + sample[second]) / 2)
    low, high = pairs_interval(averages, signed_rank_null(n), level)
    note = "" if np.isfinite(low) else f"{percent(level)} cannot be reached with {n} pairs"
    return Estimate(float(np.median(averages)), low, high, n, method, dropped, note)


def sign_flip(differences: npt.ArrayLike, generator: np.random.Generator, resamples: int = RESAMPLES) -> HypothesisTest:
    """The exact test of differences that are symmetric about 0, which they are if the arms differ in name only.

    p is the share of all sign vectors whose mean difference is at least as large: gone through up to EXACT_N pairs,
    above counted by ``counting``. Where these are too many, it is that of ``resamples`` random ones, the observed one
    included, and where these hardly reach it, the approximation of ``tails``. The statistic is the mean difference.
    """
    sample, dropped = finite(rounded(differences))
    n = len(sample)
    varied = int(np.count_nonzero(sample))
    method = f"sign-flip test of {n} pairs"
    if n == 0:
        return HypothesisTest(NAN, NAN, 0, method, NAN, dropped, too_few(1, 0, "pairs"))
    reached = abs(sample.sum()) - 1e-9 * np.abs(sample).sum()  # sums of the same numbers differ in their last bits
    smallest = smallest_paired_p(varied)
    if n <= EXACT_N:
        p, method = float(np.mean(np.abs(_all_signs(n) @ sample) >= reached)), f"exact {method}"
    elif counted := count_flips(sample, reached):
        p, method = counted.p, counted.words(method)
    else:
        resamples = affordable(resamples, n)
        method += f", {resamples} random flips"
        hits = 0
        for size in chunks(resamples, n):
            signs = 2.0 * generator.integers(2, size=(size, n), dtype=np.int8) - 1
            hits += int(np.count_nonzero(np.abs(signs @ sample) >= reached))
        p = (hits + 1) / (resamples + 1)
        if hits < FEW:
            p, method = approximate_flips(sample, reached), f"{method}, tail by saddlepoint"
    p = max(p, smallest)
    note = "the arms are equal on every common seed" if varied == 0 else ""
    return HypothesisTest(p, float(sample.mean()), n, method, smallest, dropped, note)


def paired_t(differences: npt.ArrayLike) -> HypothesisTest:
    """Student's t test of the mean of the differences [n]."""
    sample, dropped = finite(rounded(differences))
    n = len(sample)
    method = f"paired t test of {n} pairs"
    if n < 2:
        return HypothesisTest(NAN, NAN, n, method, NAN, dropped, too_few(2, n, "pairs"))
    if np.ptp(sample) == 0:
        if sample[0] == 0:
            return HypothesisTest(1.0, 0.0, n, method, 0.0, dropped, "the arms are equal on every common seed")
        return HypothesisTest(NAN, NAN, n, method, NAN, dropped, "all differences are equal, so t is undefined")
    result = stats.ttest_1samp(sample, 0.0)
    return HypothesisTest(float(result.pvalue), float(result.statistic), n, method, 0.0, dropped)


def wilcoxon(differences: npt.ArrayLike) -> HypothesisTest:
    """Wilcoxon's signed-rank test; the statistic is the smaller rank sum. Differences of 0 are left out, as he did.

    Exact, by the tabulated distribution or with ties by all 2**n signs, up to 50 pairs; with ties only up to 13, and a
    normal approximation above.
    """
    sample, dropped = finite(rounded(differences))
    sample = sample[sample != 0]
    n, zeros = len(sample), len(finite(differences)[0]) - len(sample)
    ties = len(np.unique(np.abs(sample))) < n
    exact = n <= (13 if ties else 50)
    method = f"{'exact ' if exact else ''}Wilcoxon signed-rank test of {n} pairs"
    note = f"{zeros} differences are 0 and left out" if zeros else ""
    if n == 0:
        p = 1.0 if zeros else NAN
        return HypothesisTest(p, NAN, 0, method, 1.0, dropped, note or too_few(1, 0, "pairs"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy's, of the normal approximation at small n
        result = stats.wilcoxon(sample)
    smallest = smallest_paired_p(n) if exact else 0.0
    return HypothesisTest(float(result.pvalue), float(result.statistic), n, method, smallest, dropped, note)


def equivalence(differences: npt.ArrayLike, margin: float) -> Equivalence:
    """Paired TOST: whether the mean difference lies within ± ``margin``, which the study declares beforehand.

    At level 0.05 it does if and only if the 90 % Student-t interval of the difference lies within the margin.
    """
    sample, dropped = finite(rounded(differences))
    n = len(sample)
    method = f"two one-sided paired t tests of {n} pairs, margin ±{margin:g}"
    if n < 2:
        return Equivalence(NAN, NAN, NAN, margin, n, method, dropped, too_few(2, n, "pairs"))
    if np.ptp(sample) == 0:
        p = 0.0 if abs(sample[0]) < margin else 1.0
        return Equivalence(p, p, p, margin, n, method, dropped, "all differences are equal")
    p, (_, p_lower, _), (_, p_upper, _) = DescrStatsW(sample).ttost_mean(-margin, margin)
    return Equivalence(float(p), float(p_lower), float(p_upper), margin, n, method, dropped)


@lru_cache(maxsize=EXACT_N)
def _all_signs(n: int) -> FloatArray:
    """Every sign vector up to its negative, [2**(n - 1), n]."""
    bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n) & 1
    return np.where(bits, -1.0, 1.0)
