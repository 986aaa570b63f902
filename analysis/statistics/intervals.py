"""Intervals that need no resampling: of the mean, of the standard deviation, of the median.

Below three values no interval is given: two seeds have a t multiplier of 12.7, which informs nobody.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics.estimate import LEVEL, NAN, Estimate, finite, percent, too_few

MINIMUM_N = 3


@lru_cache(maxsize=4096)
def t_multiplier(n: int, level: float = LEVEL) -> float:
    """Standard errors on either side of the mean of n values, 2.776 for five; NaN below n = 2."""
    return float(stats.t.ppf((1 + level) / 2, n - 1)) if n > 1 else NAN


def t_interval(values: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The mean with its Student-t interval, mean ± t(n - 1) std / sqrt(n)."""
    sample, dropped = finite(values)
    n = len(sample)
    method = f"mean with {percent(level)} Student-t interval"
    mean = float(sample.mean()) if n else NAN
    if n < MINIMUM_N:
        return Estimate(mean, NAN, NAN, n, method, dropped, f"the interval {too_few(MINIMUM_N, n)}")
    half = t_multiplier(n, level) * float(sample.std(ddof=1)) / np.sqrt(n)
    note = f"all {n} values are equal, so the interval has no width" if np.ptp(sample) == 0 else ""
    return Estimate(mean, float(mean - half), float(mean + half), n, method, dropped, note)


def std_interval(values: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The standard deviation (ddof = 1) with its chi-squared interval, which holds for normal values only."""
    sample, dropped = finite(values)
    n = len(sample)
    method = f"standard deviation with {percent(level)} chi-squared interval (for normal values)"
    std = float(np.std(sample, ddof=1)) if n > 1 else NAN
    if n < MINIMUM_N:
        return Estimate(std, NAN, NAN, n, method, dropped, f"the interval {too_few(MINIMUM_N, n)}")
    upper, lower = stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], n - 1)
    low, high = std * np.sqrt((n - 1) / np.array([upper, lower]))
    return Estimate(std, float(low), float(high), n, method, dropped)


def median_interval(values: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The median between two order statistics: free of any distribution, and its coverage is known exactly.

    Below n = 6 even the smallest and the largest value do not make a 95 % interval.
    """
    sample, dropped = finite(values)
    n = len(sample)
    method = f"median with {percent(level)} order-statistic interval"
    if n == 0:
        return Estimate(NAN, NAN, NAN, 0, method, dropped, too_few(1, 0))
    median = float(np.median(sample))
    rank = int(stats.binom.ppf((1 - level) / 2, n, 0.5))  # the first rank whose tail is too heavy
    if rank < 1:
        widest = 100 * median_coverage(n, 1)
        needed = smallest_n_for_median(level)
        note = f"{percent(level)} needs n >= {needed}; from smallest to largest of {n} covers {widest:.1f} %"
        return Estimate(median, NAN, NAN, n, method, dropped, note)
    coverage = 100 * median_coverage(n, rank)
    method += f" (values {rank} and {n + 1 - rank} of {n} in order; exact coverage {coverage:.1f} %)"
    return Estimate(median, float(sample[rank - 1]), float(sample[n - rank]), n, method, dropped)


def median_coverage(n: int, rank: int) -> float:
    """Exact coverage of the median by the order statistics ``rank`` and n + 1 - ``rank``, counted from 1."""
    return 1 - 2 * float(stats.binom.cdf(rank - 1, n, 0.5))


def smallest_n_for_median(level: float = LEVEL) -> int:
    """The smallest n at which the extremes cover the median often enough, 1 - 2 / 2**n >= ``level``."""
    return int(np.ceil(np.log2(2 / (1 - level)) - 1e-9))


def relative_improvement(values: npt.ArrayLike, baseline: float, level: float = LEVEL) -> Estimate:
    """Percent by which the mean exceeds ``baseline``, a mean known exactly, with its Student-t interval.

    ``baseline`` is the mean over all architectures of the benchmark's table, which is what random sampling expects.
    Source: Yang, Esperança and Carlucci, "NAS Evaluation is Frustratingly Hard", ICLR 2020.
    """
    mean = t_interval(values, level)
    estimate, low, high = (100 * (value / baseline - 1) for value in (mean.estimate, mean.low, mean.high))
    method = f"relative improvement with {percent(level)} Student-t interval"
    return replace(mean, estimate=estimate, low=low, high=high, method=method)
