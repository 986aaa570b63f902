"""The null distributions of Wilcoxon's two rank statistics, and the intervals that come of turning the tests around.

Source: Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", sections 3.3 and 4.3.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import stats

from analysis.statistics.estimate import LEVEL, NAN, FloatArray

EXACT_PAIRS = 50
EXACT_TOTAL = 60
"""Above so many pairs, or so many seeds in both arms together, the distribution is taken as normal."""


@lru_cache(maxsize=128)
def signed_rank_null(n: int) -> FloatArray:
    """P(W+ <= w) for w = 0 .. n (n + 1) / 2, without ties."""
    largest = n * (n + 1) // 2
    if n > EXACT_PAIRS:
        return _normal(largest, n * (n + 1) * (2 * n + 1) / 24)
    ways = np.zeros(largest + 1)
    ways[0] = 1
    for rank in range(1, n + 1):
        ways[rank:] += ways[: largest + 1 - rank].copy()
    return np.cumsum(ways) / 2.0**n


@lru_cache(maxsize=128)
def rank_sum_null(n_a: int, n_b: int) -> FloatArray:
    """P(U <= u) for u = 0 .. n_a n_b, without ties."""
    largest = n_a * n_b
    if n_a + n_b > EXACT_TOTAL:
        return _normal(largest, n_a * n_b * (n_a + n_b + 1) / 12)
    ways = np.zeros((n_a + 1, largest + 1))  # of choosing i of the seeds seen so far, with statistic u
    ways[0, 0] = 1
    for seen in range(n_a + n_b):
        for chosen in range(min(seen, n_a - 1), -1, -1):
            passed = seen - chosen  # seeds of the other arm below the one chosen now
            if passed <= n_b:
                ways[chosen + 1, passed:] += ways[chosen, : largest + 1 - passed]
    return np.cumsum(ways[n_a]) / ways[n_a].sum()


def pairs_interval(ordered: FloatArray, null: FloatArray, level: float = LEVEL) -> tuple[float, float]:
    """The interval between two of the ``ordered`` averages or differences [m] of pairs; ``null`` is [m + 1].

    It holds every shift that the two-sided test of level 1 - ``level`` does not reject; NaN where none is rejected.
    """
    rank = int(np.searchsorted(null, (1 - level) / 2, side="right"))
    if rank == 0:
        return NAN, NAN
    return float(ordered[rank - 1]), float(ordered[-rank])


def _normal(largest: int, variance: float) -> FloatArray:
    return stats.norm.cdf(np.arange(largest + 1) + 0.5, largest / 2, np.sqrt(variance))
