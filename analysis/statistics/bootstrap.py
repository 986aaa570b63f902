"""Bootstrap intervals: the seeds are drawn again with replacement.

Up to EXACT_N seeds all distinct resamples are enumerated with their multiplicities (126 at n = 5), which is the limit
of infinitely many random ones and the same whatever the generator; above, RESAMPLES are drawn.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile: chapter 13; BCa: chapter 14,
equations 14.10, 14.14 and 14.15; studentised, or bootstrap-t: chapter 12).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement, pairwise
from math import factorial
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.statistics.estimate import (
    CHUNK,
    LEVEL,
    NAN,
    RESAMPLES,
    Estimate,
    FloatArray,
    finite,
    percent,
    too_few,
)
from analysis.statistics.summary import Statistic

IntArray = npt.NDArray[np.intp]
Kind = Literal["percentile", "bca"]

MINIMUM_N = 5
"""Below, an interval is refused: three seeds have ten distinct resamples, and a constant one is too likely."""
LARGEST_WORK = 20 * CHUNK
FEWEST = 999
"""So many numbers are drawn for one result (9,999 resamples of 20,000 seeds), but never fewer than FEWEST resamples."""
EXACT_N = 8
"""Up to so many seeds the distinct resamples (6,435) are fewer than RESAMPLES, and all are taken."""


def bootstrap_interval(
    values: npt.ArrayLike,
    statistic: Statistic,
    generator: np.random.Generator,
    *,
    kind: Kind = "bca",
    resamples: int = RESAMPLES,
    minimum: int = MINIMUM_N,
    level: float = LEVEL,
) -> Estimate:
    """``statistic`` of the seeds' ``values`` [n] with its bootstrap interval."""
    data, dropped = finite(values)
    n = len(data)
    name = {"bca": "BCa", "percentile": "percentile"}[kind]
    method = f"{percent(level)} {name} bootstrap interval, {resampling_words(n, resamples)}"
    estimate = float(statistic(data)) if n else NAN
    if n < minimum:
        return Estimate(estimate, NAN, NAN, n, method, dropped, f"the bootstrap {too_few(minimum, n, 'seeds')}")
    drawn, weights = resample(data, statistic, generator, resamples)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if kind == "bca":
        tails = _bca_tails(data, statistic, estimate, drawn, weights, tails)
    if np.isnan(tails).any():
        note = "BCa does not apply: the statistic lies at the edge of its resamples"
        return Estimate(estimate, NAN, NAN, n, method, dropped, note)
    low, high = weighted_quantiles(drawn, weights, tails)
    return Estimate(estimate, float(low), float(high), n, method, dropped)


def studentised_interval(
    values: npt.ArrayLike,
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    minimum: int = MINIMUM_N,
    level: float = LEVEL,
) -> Estimate:
    """The mean [n] with its bootstrap-t interval: the resamples' own t statistics take the place of Student's t."""
    data, dropped = finite(values)
    n = len(data)
    method = f"mean with {percent(level)} studentised bootstrap interval, {resampling_words(n, resamples)}"
    estimate = float(data.mean()) if n else NAN
    if n < minimum:
        return Estimate(estimate, NAN, NAN, n, method, dropped, f"the bootstrap {too_few(minimum, n, 'seeds')}")
    error = float(data.std()) / np.sqrt(n)

    def t_statistic(sample: FloatArray) -> FloatArray:
        spread = sample.std(axis=-1)
        constant = spread <= 1e-12 * error  # a resample of one value over and over
        shift = sample.mean(axis=-1) - estimate
        t = shift / np.where(constant, 1.0, spread / np.sqrt(n))
        return np.where(constant, np.copysign(np.inf, shift), t) if error else shift

    drawn, weights = resample(data, t_statistic, generator, resamples)
    with np.errstate(invalid="ignore"):  # between two infinite statistics there is no quantile
        upper, lower = weighted_quantiles(drawn, weights, np.array([(1 + level) / 2, (1 - level) / 2]))
    low, high = estimate - upper * error, estimate - lower * error
    if not np.isfinite([low, high]).all():
        note = "too many resamples hold one value only"
        return Estimate(estimate, NAN, NAN, n, method, dropped, note)
    return Estimate(estimate, float(low), float(high), n, method, dropped)


def resample(
    data: FloatArray, statistic: Statistic, generator: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[FloatArray, IntArray]:
    """The statistics [resamples, ...] of the seeds ``data`` [n, ...] drawn again, and how often each counts."""
    n = len(data)
    if n <= EXACT_N:
        indices, weights = distinct_resamples(n)
        return statistic(data[indices]), weights
    narrow = np.uint16 if n < 2**16 else np.int64  # drawing and reading indices is most of the work
    parts = [
        statistic(data[generator.integers(n, size=(size, n), dtype=narrow)]) for size in chunks(resamples, data.size)
    ]
    return np.concatenate(parts), np.ones(resamples, dtype=np.intp)


@lru_cache(maxsize=EXACT_N)
def distinct_resamples(n: int) -> tuple[IntArray, IntArray]:
    """Every multiset of n out of n, as indices [multisets, n], and in how many orders it can be drawn [multisets]."""
    indices = np.array(list(combinations_with_replacement(range(n), n)), dtype=np.intp)
    counts = (indices[:, :, None] == np.arange(n)).sum(axis=1)
    return indices, (factorial(n) / special.factorial(counts).prod(axis=1)).round().astype(np.intp)


def weighted_quantiles(values: FloatArray, weights: IntArray, probabilities: FloatArray) -> FloatArray:
    """numpy's linear quantiles of ``values`` [m], each repeated ``weights`` times, without repeating any."""
    order = np.argsort(values)
    last = np.cumsum(weights[order])
    position = probabilities * (last[-1] - 1)
    below = np.floor(position)
    nearest = [values[order][np.searchsorted(last, place, side="right")] for place in (below, np.ceil(position))]
    return nearest[0] + (position - below) * (nearest[1] - nearest[0])


def affordable(resamples: int, size: int) -> int:
    """As many resamples of ``size`` numbers as asked for, fewer of very many numbers, but never below FEWEST."""
    return min(resamples, max(FEWEST, LARGEST_WORK // max(size, 1)))


def chunks(resamples: int, size: int) -> list[int]:
    """How many resamples of ``size`` numbers to hold at a time."""
    step = max(1, CHUNK // max(size, 1))
    return [min(step, resamples - start) for start in range(0, resamples, step)]


def resampling_words(n: int, resamples: int) -> str:
    """``all distinct resamples of 5 whole seeds`` or ``9999 resamples of 20 whole seeds``."""
    return f"{'all distinct' if n <= EXACT_N else resamples} resamples of {n} whole seeds"


def _bca_tails(
    data: FloatArray,
    statistic: Statistic,
    estimate: float,
    drawn: FloatArray,
    weights: IntArray,
    tails: FloatArray,
) -> FloatArray:
    """The tail probabilities, corrected for bias (ties count half) and acceleration (by the jackknife)."""
    tie = 1e-10 * np.ptp(drawn)
    below, above = weights[drawn < estimate - tie].sum(), weights[drawn > estimate + tie].sum()
    share = 0.5 + (below - above) / (2 * weights.sum())
    if share in (0, 1):
        return np.full(2, NAN)
    left_out = _jackknife(data, statistic)
    distance = left_out.mean() - left_out
    squares = np.sum(distance**2)
    acceleration = np.sum(distance**3) / (6 * squares**1.5) if squares > 0 else 0.0
    bias = special.ndtri(share)
    z = bias + special.ndtri(tails)
    return special.ndtr(bias + z / (1 - acceleration * z))


def _jackknife(data: FloatArray, statistic: Statistic) -> FloatArray:
    """The statistic without each seed in turn, [n]: n * (n - 1) numbers, in chunks."""
    n, starts = len(data), np.cumsum([0, *chunks(len(data), data.size)])
    parts = []
    for start, end in pairwise(starts):
        others = np.arange(n - 1) + (np.arange(n - 1) >= np.arange(start, end)[:, None])
        parts.append(statistic(data[others]))
    return np.concatenate(parts)
