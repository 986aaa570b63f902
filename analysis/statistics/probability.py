"""How probable it is that a seed of A beats a seed of B, and how probable it is to do better than a given score.

P(A > B) + P(A = B) / 2, the probability of improvement, is the Mann-Whitney U over the number of pairs; Cliff's delta
is twice that less one.

Sources: Agarwal et al., NeurIPS 2021 (probability of improvement, performance profiles); Newcombe, Statistics in
Medicine 2006, 25:559-573, method 5; Cliff, Psychological Bulletin 1993.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from analysis.statistics.bootstrap import MINIMUM_N
from analysis.statistics.estimate import (
    LEVEL,
    NAN,
    Estimate,
    FloatArray,
    finite,
    percent,
    rounded,
    too_few,
)
from analysis.statistics.proportions import proportion_interval
from analysis.statistics.unpaired import two_samples


def probability_of_improvement(a: npt.ArrayLike, b: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """P(A > B) + P(A = B) / 2 of arms that share no seeds; the interval never collapses to a point."""
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    method = f"probability of improvement of {len(x)} over {len(y)} seeds with {percent(level)} Newcombe score interval"
    if n == 0:
        return Estimate(NAN, NAN, NAN, 0, method, dropped, too_few(1, 0, "values in each arm"))
    share = _share(x, y)
    low, high = _newcombe(share, len(x), len(y), level)
    return Estimate(share, low, high, n, method, dropped)


def probability_of_improvement_paired(differences: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The share of common seeds on which A is above B, ties half, from differences [n]; exact binomial interval."""
    sample, dropped = finite(rounded(differences))
    wins = np.count_nonzero(sample > 0) + np.count_nonzero(sample == 0) / 2
    interval = proportion_interval(wins, len(sample), level)
    method = f"share of {len(sample)} common seeds that improve with {percent(level)} exact (Clopper-Pearson) interval"
    return replace(interval, method=method, dropped=dropped)


def cliffs_delta(a: npt.ArrayLike, b: npt.ArrayLike) -> Estimate:
    """P(A > B) - P(A < B), in [-1, 1], with the Newcombe interval of the probability of improvement."""
    found = probability_of_improvement(a, b)
    method = found.method.replace("probability of improvement", "Cliff's delta")
    low, high = 2 * found.low - 1, 2 * found.high - 1
    return replace(found, estimate=2 * found.estimate - 1, low=low, high=high, method=method)


@dataclass(frozen=True, eq=False)
class Profile:
    """The share of runs above each threshold, in the order given."""

    share: FloatArray
    low: FloatArray
    high: FloatArray
    """A pointwise band; NaN below MINIMUM_N seeds."""
    n: int
    method: str
    dropped: int = 0
    note: str = ""


def performance_profile(scores: npt.ArrayLike, thresholds: npt.ArrayLike, level: float = LEVEL) -> Profile:
    """The share of ``scores`` [n] strictly above each of ``thresholds`` [t]. Band: percentile bootstrap of seeds.

    How many of n resampled seeds are above a threshold is binomial, so that nothing need be drawn.
    """
    data, dropped = finite(scores)
    taus = np.asarray(thresholds, dtype=np.float64)
    n = len(data)
    method = f"share of runs above the threshold with pointwise {percent(level)} percentile bootstrap band, "
    method += f"all resamples of {n} whole seeds"
    unknown = np.full(len(taus), NAN)
    if n == 0:
        return Profile(unknown, unknown, unknown, 0, method, dropped, too_few(1, 0, "seeds"))
    share = 1 - np.searchsorted(data, taus, side="right") / n
    if n < MINIMUM_N:
        note = f"the band {too_few(MINIMUM_N, n, 'seeds')}"
        return Profile(share, unknown, unknown, n, method, dropped, note)
    low, high = (stats.binom.ppf(tail, n, share) / n for tail in ((1 - level) / 2, (1 + level) / 2))
    return Profile(share, low, high, n, method, dropped)


def _share(x: FloatArray, y: FloatArray) -> float:
    """U / (n_a n_b), by searching the sorted ``y`` instead of forming all pairs."""
    below = np.searchsorted(y, x, side="left") + np.searchsorted(y, x, side="right")
    return float(below.mean() / (2 * len(y)))


def _newcombe(share: float, n_a: int, n_b: int, level: float) -> tuple[float, float]:
    """The two probabilities whose score statistic is just z; variance of exponential scores, sizes averaged."""
    z = stats.norm.ppf((1 + level) / 2)
    others = (n_a + n_b) / 2 - 1

    def excess(p: float) -> float:
        spread = p * (1 - p) * (2 + others + (1 + 2 * others) * p * (1 - p)) / ((2 - p) * (1 + p))
        return n_a * n_b * (share - p) ** 2 - z**2 * spread

    inside = 1 - 1e-9  # at a share of 0 or 1 itself the equation has a second root
    low = 0.0 if share == 0 else float(optimize.brentq(excess, 0.0, share * inside))
    high = 1.0 if share == 1 else float(optimize.brentq(excess, 1 - (1 - share) * inside, 1.0))
    return low, high
