"""Two arms that share no seeds, or not enough of them.

Sources: Welch, Biometrika 1947; Brunner and Munzel, Biometrical Journal 2000; Neubert and Brunner, Computational
Statistics and Data Analysis 2007; Hodges and Lehmann, Annals of
Mathematical Statistics 1963.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from analysis.statistics.attainable import smallest_unpaired_p
from analysis.statistics.bootstrap import IntArray, affordable, chunks
from analysis.statistics.counting import count_divisions
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
from analysis.statistics.ranksums import pairs_interval, rank_sum_null
from analysis.statistics.tails import FEW, approximate_divisions

EXACT_SPLITS = 20_000
"""Up to so many ways to divide the seeds (two arms of eight) the permutation test goes through all of them."""
LARGEST_PAIRS = 4_000_000
"""Up to so many differences between a seed of one arm and one of the other the Hodges-Lehmann shift forms them all."""


def mean_difference(a: npt.ArrayLike, b: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """mean a - mean b with Welch's interval; the variances need not be equal."""
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    method = f"difference of means of {len(x)} and {len(y)} seeds with {percent(level)} Welch interval"
    estimate = float(x.mean() - y.mean()) if n else NAN
    if n < 2:
        return Estimate(estimate, NAN, NAN, n, method, dropped, f"the interval {too_few(2, n, 'values in each arm')}")
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        note = "neither arm varies, so the interval has no width"
        return Estimate(estimate, estimate, estimate, n, method, dropped, note)
    interval = _unequal_variances(x, y).confidence_interval(level)
    return Estimate(estimate, float(interval.low), float(interval.high), n, method, dropped)


def welch(a: npt.ArrayLike, b: npt.ArrayLike) -> HypothesisTest:
    """Welch's t test of equal means."""
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    method = f"Welch's t test of {len(x)} and {len(y)} seeds"
    if n < 2:
        return HypothesisTest(NAN, NAN, n, method, NAN, dropped, too_few(2, n, "values in each arm"))
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        if x[0] == y[0]:
            return HypothesisTest(1.0, 0.0, n, method, 0.0, dropped, "both arms have one and the same value")
        return HypothesisTest(NAN, NAN, n, method, NAN, dropped, "neither arm varies, so t is undefined")
    result = _unequal_variances(x, y)
    return HypothesisTest(float(result.pvalue), float(result.statistic), n, method, 0.0, dropped)


def _unequal_variances(x: FloatArray, y: FloatArray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one arm without spread is no loss of precision
        return stats.ttest_ind(x, y, equal_var=False)


def permutation(
    a: npt.ArrayLike, b: npt.ArrayLike, generator: np.random.Generator, resamples: int = RESAMPLES
) -> HypothesisTest:
    """The exact test of arms that differ in name only; the statistic is the difference of means.

    p is the share of all ways to divide the seeds whose difference is at least as large: gone through up to
    EXACT_SPLITS ways, above counted by ``counting``. Where that is too much work, it is that of ``resamples`` random
    ones, the observed one included, and where these hardly reach it, the approximation of ``tails``. It answers for
    equal distributions: arms of equal mean and unequal spread may be rejected too often.
    """
    x, y, dropped = two_samples(a, b)
    n_a, n_b = len(x), len(y)
    n = min(n_a, n_b)
    method = f"permutation test of {n_a} and {n_b} seeds"
    if n == 0:
        return HypothesisTest(NAN, NAN, 0, method, NAN, dropped, too_few(1, 0, "values in each arm"))
    pool = np.concatenate([x, y])
    pool -= pool.mean()
    # With the pool centred, the sum over one arm is the difference of means up to a factor.
    reached = abs(pool[:n_a].sum()) - 1e-9 * np.abs(pool).sum()
    smallest = smallest_unpaired_p(n_a, n_b)
    if math.comb(n_a + n_b, n_a) <= EXACT_SPLITS:
        sums = pool[_divisions(n_a, n_a + n_b)].sum(axis=1)
        p, method = float(np.mean(np.abs(sums) >= reached)), f"exact {method}"
    elif counted := count_divisions(pool, n, reached):
        p, method = counted.p, counted.words(method)
    else:
        resamples = affordable(resamples, n_a + n_b)
        method += f", {resamples} random divisions"
        hits = 0
        for size in chunks(resamples, len(pool)):
            shuffled = generator.permuted(np.broadcast_to(pool, (size, len(pool))), axis=1)
            hits += int(np.count_nonzero(np.abs(shuffled[:, :n_a].sum(axis=1)) >= reached))
        p = (hits + 1) / (resamples + 1)
        if hits < FEW:
            p, method = approximate_divisions(pool, n, reached), f"{method}, tail by saddlepoint"
    p = max(p, smallest)
    return HypothesisTest(p, float(x.mean() - y.mean()), n, method, smallest, dropped)


def brunner_munzel(a: npt.ArrayLike, b: npt.ArrayLike) -> HypothesisTest:
    """The test that neither arm tends to larger values, P(A > B) + P(A = B) / 2 = 1/2; t approximation.

    Spread and shape of the arms may differ. Where every value of one arm exceeds every value of the other the
    statistic is infinite, and p is that of its permutation distribution (Neubert and Brunner 2007), which is known
    there: 2 of all divisions are as extreme.
    """
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    method = f"Brunner-Munzel test of {len(x)} and {len(y)} seeds"
    if n < 2:
        return HypothesisTest(NAN, NAN, n, method, NAN, dropped, too_few(2, n, "values in each arm"))
    if x[0] == x[-1] == y[0] == y[-1]:
        return HypothesisTest(1.0, 0.0, n, method, 0.0, dropped, "both arms have one and the same value")
    if x[0] > y[-1] or y[0] > x[-1]:
        p = 2 / math.comb(len(x) + len(y), len(x))
        note = "the arms are completely separate: p is exact, of the permutation distribution"
        return HypothesisTest(p, math.copysign(math.inf, x[0] - y[0]), n, method, 0.0, dropped, note)
    result = rank_compare_2indep(x, y)
    return HypothesisTest(float(result.pvalue), float(result.statistic), n, method, 0.0, dropped)


def equivalence(a: npt.ArrayLike, b: npt.ArrayLike, margin: float) -> Equivalence:
    """Welch's TOST: whether the difference of means lies within ± ``margin``, which the study declares beforehand.

    At level 0.05 it does if and only if the 90 % Welch interval of the difference lies within the margin.
    """
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    method = f"two one-sided Welch tests of {len(x)} and {len(y)} seeds, margin ±{margin:g}"
    if n < 2 or (np.ptp(x) == 0 and np.ptp(y) == 0):
        note = "needs two seeds in each arm, and a spread"
        return Equivalence(NAN, NAN, NAN, margin, n, method, dropped, note)
    means = CompareMeans(DescrStatsW(x), DescrStatsW(y))
    p, ((_, p_lower, _), (_, p_upper, _)) = means.ttost_ind(-margin, margin, usevar="unequal")
    return Equivalence(float(p), float(p_lower), float(p_upper), margin, n, method, dropped)


def hodges_lehmann_shift(a: npt.ArrayLike, b: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The median of all differences between a seed of A and one of B, with its rank-sum interval.

    The interval is exact for arms that differ by a shift only, up to 60 seeds in all, and a normal approximation above.
    """
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    method = f"Hodges-Lehmann shift of {len(x)} and {len(y)} seeds with {percent(level)} rank-sum interval"
    if n == 0:
        return Estimate(NAN, NAN, NAN, 0, method, dropped, too_few(1, 0, "values in each arm"))
    if len(x) * len(y) > LARGEST_PAIRS:
        note = f"left out above {LARGEST_PAIRS} pairs; the difference of means has its own interval"
        return Estimate(NAN, NAN, NAN, n, method, dropped, note)
    differences = np.sort(rounded(np.subtract.outer(x, y)), axis=None)
    low, high = pairs_interval(differences, rank_sum_null(len(x), len(y)), level)
    note = "" if np.isfinite(low) else f"{percent(level)} cannot be reached with {len(x)} and {len(y)} seeds"
    return Estimate(float(np.median(differences)), low, high, n, method, dropped, note)


def two_samples(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[FloatArray, FloatArray, int]:
    """The known values of both arms in ascending order, and how many were missing in all."""
    (x, dropped_a), (y, dropped_b) = finite(a), finite(b)
    return x, y, dropped_a + dropped_b


@lru_cache(maxsize=32)
def _divisions(chosen: int, total: int) -> IntArray:
    """Every way to choose ``chosen`` of ``total``, [ways, chosen]."""
    return np.array(list(combinations(range(total), chosen)), dtype=np.intp)
