"""Relative improvement: by how many percent one arm's mean exceeds the mean of another, its baseline.

    improvement = 100 (mean_a - mean_b) / |mean_b|

The interval is Fieller's: it holds every ratio θ = mean_a / mean_b for which a t test of mean(a - θ b) = 0 does not
reject. Of pairs it is exact for normal values; of unpaired arms the degrees of freedom are Welch's, taken at the
estimate. Unlike the bootstrap it is no narrower at few seeds. Where the mean of the baseline cannot be told from 0 the
set of such ratios is no interval, and none is given.

Sources: Yang, Esperança and Carlucci, "NAS Evaluation is Frustratingly Hard", ICLR 2020 (the measure); Fieller, "Some
Problems in Interval Estimation", Journal of the Royal Statistical Society B, 1954 (the interval).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics.estimate import LEVEL, NAN, Estimate, FloatArray, complete_rows, percent, too_few
from analysis.statistics.intervals import MINIMUM_N
from analysis.statistics.unpaired import two_samples


def improvement_paired(a: npt.ArrayLike, b: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """Percent by which the mean of ``a`` [n] exceeds that of its baseline ``b`` [n], of the same seeds in one order."""
    rows, dropped = complete_rows(np.stack([a, b], axis=1))
    n = len(rows)
    method = f"relative improvement over {n} common seeds with {percent(level)} Fieller interval"
    x, y = rows.T
    ratio = _ratio(x, y)
    if n < MINIMUM_N or math.isnan(ratio):
        return _point(ratio, y, n, method, dropped, f"the interval {too_few(MINIMUM_N, n, 'pairs')}")
    (rest, together), (_, spread) = np.cov(x - ratio * y, y) / n
    return _interval(ratio, y, (rest, together, spread), n - 1, level, Estimate(NAN, NAN, NAN, n, method, dropped))


def improvement(a: npt.ArrayLike, b: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """Percent by which the mean of ``a`` [n_a] exceeds that of its baseline ``b`` [n_b], of independent seeds."""
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    method = f"relative improvement of {len(x)} over {len(y)} seeds with {percent(level)} Fieller interval"
    ratio = _ratio(x, y)
    if n < 2 or math.isnan(ratio):
        return _point(ratio, y, n, method, dropped, f"the interval {too_few(2, n, 'values in each arm')}")
    of_a, spread = float(x.var(ddof=1)) / len(x), float(y.var(ddof=1)) / len(y)
    of_b = ratio**2 * spread
    parts = of_a**2 / (len(x) - 1) + of_b**2 / (len(y) - 1)
    freedom = (of_a + of_b) ** 2 / parts if parts > 0 else 1.0
    moments = (of_a + of_b, -ratio * spread, spread)
    return _interval(ratio, y, moments, freedom, level, Estimate(NAN, NAN, NAN, n, method, dropped))


def _ratio(x: FloatArray, y: FloatArray) -> float:
    """Of the means; NaN where there is none."""
    return float(x.mean() / y.mean()) if len(x) and len(y) and y.mean() else NAN


def _percent(ratio: float, y: FloatArray) -> float:
    """The improvement that a ratio to the mean of the baseline ``y`` is: that mean may be negative, as of losses."""
    return float(100 * (ratio - 1) * np.sign(y.mean()))


def _point(ratio: float, y: FloatArray, n: int, method: str, dropped: int, note: str) -> Estimate:
    if n and math.isnan(ratio):
        note = "the mean of the baseline is 0"
    return Estimate(NAN if math.isnan(ratio) else _percent(ratio, y), NAN, NAN, n, method, dropped, note)


def _interval(
    ratio: float,
    y: FloatArray,
    moments: tuple[float, float, float],
    freedom: float,
    level: float,
    words: Estimate,
) -> Estimate:
    """``words`` with its numbers. ``moments``, at the estimated ratio: variance of mean(a - ratio b), its covariance
    with mean(b), variance of mean(b).
    """
    rest, together, spread = moments
    estimate = _percent(ratio, y)
    if rest == spread == 0:
        note = "neither arm varies, so the interval has no width"
        return replace(words, estimate=estimate, low=estimate, high=estimate, note=note)
    square = float(stats.t.ppf((1 + level) / 2, freedom)) ** 2
    leading = float(y.mean()) ** 2 - square * spread
    if leading <= 0:
        note = "the mean of the baseline cannot be told from 0, so the ratios to it make no finite interval"
        return replace(words, estimate=estimate, note=note)
    # With θ = ratio + δ: δ² mean(b)² <= t² (rest - 2 δ together + δ² spread), between the roots of a quadratic.
    root = math.sqrt((square * together) ** 2 + leading * square * rest)
    low, high = sorted(_percent(ratio + (side * root - square * together) / leading, y) for side in (-1, 1))
    return replace(words, estimate=estimate, low=low, high=high)
