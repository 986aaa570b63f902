"""Intervals and tests that calibration.py measures beside those of the reports, and that no report uses.

Sources: seeds drawn anew in each data set, Agarwal et al., NeurIPS 2021; Brunner and Munzel, Biometrical Journal 2000;
Iman and Davenport, Communications in Statistics 1980.
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
