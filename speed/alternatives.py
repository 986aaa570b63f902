"""Intervals and tests that calibration.py measures beside those of the reports, and that no report uses.

Sources: seeds drawn anew in each data set, Agarwal et al., NeurIPS 2021; Brunner and Munzel, Biometrical Journal 2000;
almost stochastic order, del Barrio, Cuesta-Albertos and Matran, "An Optimal Transportation Approach for Assessing
Almost Stochastic Order", 2018, and Dror, Shlomov and Reichart, "Deep Dominance", ACL 2019, equations 4 to 6; Iman and
Davenport, Communications in Statistics 1980.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.proportion import proportion_confint

from analysis.statistics.bootstrap import MINIMUM_N, chunks, resample, weighted_quantiles
from analysis.statistics.estimate import LEVEL, NAN, Estimate, FloatArray, complete_rows
from analysis.statistics.probability import probability_of_improvement
from analysis.statistics.proportions import proportion_interval

TAILS = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
STOCHASTIC_ORDER_MINIMUM_N = 10
"""Below, the bound means little: from three seeds it can be 0, and one seed can "dominate"."""


def mean_of_whole_seeds(matrix: FloatArray, generator: np.random.Generator, resamples: int) -> Estimate:
    """The mean of ``matrix`` [n, data sets] with its percentile bootstrap interval; a seed keeps its row."""
    data, dropped = complete_rows(matrix)
    drawn, weights = resample(data, _mean, generator, resamples)
    low, high = weighted_quantiles(drawn, weights, TAILS)
    return Estimate(float(_mean(data)), float(low), float(high), len(data), "whole seeds", dropped)


def mean_of_stratified_seeds(matrix: FloatArray, generator: np.random.Generator, resamples: int) -> Estimate:
    """The same with seeds drawn anew in each data set, as rliable does: far too narrow, as a seed's scores go together.

    None below MINIMUM_N seeds.
    """
    data, dropped = complete_rows(matrix)
    n, datasets = data.shape
    low = high = NAN
    if n >= MINIMUM_N:
        drawn = [
            _mean(data[generator.integers(n, size=(size, n, datasets)), np.arange(datasets)])
            for size in chunks(resamples, data.size)
        ]
        low, high = np.quantile(np.concatenate(drawn), TAILS)
    return Estimate(float(_mean(data)), float(low), float(high), n, "stratified", dropped)


def probability_over_datasets(a: FloatArray, b: FloatArray, generator: np.random.Generator, resamples: int) -> Estimate:
    """The probability of improvement averaged over data sets, from [n_a, data sets] and [n_b, data sets].

    Percentile bootstrap of whole seeds, the arms apart; none below MINIMUM_N seeds.
    """
    (x, dropped_a), (y, dropped_b) = complete_rows(a), complete_rows(b)
    n, datasets = min(len(x), len(y)), x.shape[1]
    low = high = NAN
    if n >= MINIMUM_N:
        drawn = []
        for size in chunks(resamples, len(x) + len(y)):
            counts_a, counts_b = resample_counts(len(x), size, generator), resample_counts(len(y), size, generator)
            drawn.append(
                sum(_resampled_shares(x[:, d], y[:, d], counts_a, counts_b) for d in range(datasets)) / datasets
            )
        low, high = np.quantile(np.concatenate(drawn), TAILS)
    estimate = float(np.mean([probability_of_improvement(x[:, d], y[:, d]).estimate for d in range(datasets)]))
    return Estimate(estimate, float(low), float(high), n, "whole seeds", dropped_a + dropped_b)


def brunner_munzel_interval(a: FloatArray, b: FloatArray, *, logit: bool) -> Estimate:
    """P(A > B) with the interval of Brunner and Munzel, which allows for any difference in shape.

    None where the arms are completely separate. Off the logit scale it may leave [0, 1] and is cut.
    """
    found = probability_of_improvement(a, b)
    share, low, high = found.estimate, NAN, NAN
    if found.n > 1 and 0 < share < 1 and np.ptp(np.append(a, b)):
        compared = rank_compare_2indep(a, b)
        if logit:
            half = stats.t.ppf((1 + LEVEL) / 2, compared.df) * np.sqrt(compared.var_prob) / (share * (1 - share))
            low, high = special.expit(special.logit(share) + half * np.array([-1, 1]))
        else:
            low, high = np.clip(compared.conf_int(alpha=1 - LEVEL), 0, 1)
    return Estimate(share, float(low), float(high), found.n, "Brunner-Munzel")


def almost_stochastic_order(a: FloatArray, b: FloatArray, generator: np.random.Generator, resamples: int) -> Estimate:
    """By how much A fails to dominate B in every quantile, and as ``high`` an upper bound of it; ``low`` is NaN.

    0 is dominance, 0.5 no difference, 1 dominance of B. The bound is estimate + z * std(bootstrap), no p-value; Ulmer
    et al. (2022) call A better below 0.2. None below STOCHASTIC_ORDER_MINIMUM_N seeds, or where the arms are equal.
    """
    x, y = np.sort(a), np.sort(b)
    n, estimate = min(len(x), len(y)), float(violation(x, y))
    if n < STOCHASTIC_ORDER_MINIMUM_N or np.isnan(estimate):
        return Estimate(NAN, NAN, NAN, n, "stochastic order")
    drawn = [
        violation(
            np.sort(x[generator.integers(len(x), size=(size, len(x)))], axis=-1),
            np.sort(y[generator.integers(len(y), size=(size, len(y)))], axis=-1),
        )
        for size in chunks(resamples, 4 * (len(x) + len(y)))
    ]
    bound = estimate + special.ndtri(LEVEL) * float(np.nanstd(np.concatenate(drawn)))
    return Estimate(estimate, NAN, float(np.clip(bound, 0, 1)), n, "stochastic order")


def violation(a: FloatArray, b: FloatArray) -> FloatArray:
    """Of sorted samples [..., n_a] and [..., n_b], exact for their step functions F; NaN where all is equal.

    integral of ((F_B^-1 - F_A^-1)+)^2 / integral of (F_B^-1 - F_A^-1)^2, over the levels (0, 1)
    """
    n_a, n_b = a.shape[-1], b.shape[-1]
    levels = np.union1d(np.arange(n_a + 1) * n_b, np.arange(n_b + 1) * n_a)  # in units of 1 / (n_a n_b): no rounding
    widths, starts = np.diff(levels), levels[:-1]
    shortfall = b[..., starts // n_a] - a[..., starts // n_b]
    total = (shortfall**2) @ widths
    violated = (np.maximum(shortfall, 0) ** 2) @ widths
    return np.where(total > 0, violated / np.where(total > 0, total, 1), NAN)


def iman_davenport(chi2: float, n: int, k: int) -> tuple[float, float]:
    """F and its p-value, of Friedman's ``chi2`` for k methods over n blocks; where all blocks agree F is infinite."""
    rest = n * (k - 1) - chi2
    if rest <= 1e-9 * chi2:
        return float("inf"), 0.0
    f = (n - 1) * chi2 / rest
    return f, float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))


def _proportion_limits(method: str) -> Callable[[int, int], tuple[float, float]]:
    return lambda successes, n: proportion_confint(successes, n, alpha=1 - LEVEL, method=method)


def _clopper_pearson(successes: int, n: int) -> tuple[float, float]:
    found = proportion_interval(successes, n)
    return found.low, found.high


PROPORTION_INTERVALS: dict[str, Callable[[int, int], tuple[float, float]]] = {
    "clopper-pearson": _clopper_pearson,
    "wilson": _proportion_limits("wilson"),
    "jeffreys": _proportion_limits("jeffreys"),
}
"""Successes and n -> limits; the first is that of the reports."""
PROPORTION_TESTS: dict[str, Callable[[np.ndarray], Any]] = {
    "boschloo": stats.boschloo_exact,
    "barnard": stats.barnard_exact,
    "fisher": stats.fisher_exact,
}


def compare_proportions(successes_a: int, successes_b: int, n: int, kind: str) -> float:
    """The two-sided p-value of two arms of n sharing one proportion, by one of PROPORTION_TESTS."""
    if successes_a + successes_b in (0, 2 * n):
        return 1.0
    table = np.array([[successes_a, successes_b], [n - successes_a, n - successes_b]])
    return float(PROPORTION_TESTS[kind](table).pvalue)


def _mean(matrix: FloatArray) -> FloatArray:
    """Over seeds and data sets, [..., n, data sets] -> [...]."""
    return matrix.reshape(*matrix.shape[:-2], -1).mean(axis=-1)


def _resampled_shares(x: FloatArray, y: FloatArray, counts_a: FloatArray, counts_b: FloatArray) -> FloatArray:
    """P(A > B) [resamples] with each seed of ``x`` [n_a] and ``y`` [n_b] drawn ``counts`` [resamples, n] times."""
    order = np.argsort(y)
    below = np.pad(np.cumsum(counts_b[:, order], axis=1), ((0, 0), (1, 0)))
    left, right = (np.searchsorted(y[order], x, side=side) for side in ("left", "right"))
    return np.einsum("ri,ri->r", counts_a, below[:, left] + below[:, right]) / (2 * len(x) * len(y))


def resample_counts(n: int, resamples: int, generator: np.random.Generator) -> FloatArray:
    """How often each of n seeds is drawn in each resample, [resamples, n]: for statistics that are sums over seeds."""
    drawn = generator.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)
