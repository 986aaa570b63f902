"""What picking the best of many settings adds to its score: the maximum of K noisy means is too high, by chance alone.

The remedy is to choose on some seeds and to score on the others, and to average over both directions and many halves.
"""

from __future__ import annotations

from itertools import combinations
from math import comb, sqrt

import numpy as np
import numpy.typing as npt
from scipy import integrate, stats

from analysis.statistics.estimate import NAN, Estimate, complete_rows, too_few

EXACT_HALVES = 252
"""Up to so many ways to halve the seeds (ten seeds) all are taken; above, so many are drawn."""


def expected_inflation(settings: int, n: int) -> float:
    """By how many standard deviations over seeds the best of equally good settings exceeds the truth, n seeds each.

    E[max of K standard normals] / sqrt(n): 0.84 for the best of 20 settings on five seeds.
    """
    if settings < 2:
        return 0.0

    def integrand(z: float) -> float:
        return float(settings * z * stats.norm.pdf(z) * stats.norm.cdf(z) ** (settings - 1))

    return float(integrate.quad(integrand, -10, 10)[0]) / sqrt(n)


def cross_fitted_best(scores: npt.ArrayLike, generator: np.random.Generator) -> Estimate:
    """The score of the setting one would choose, free of the bias of choosing it, from ``scores`` [seeds, settings].

    Higher is better, and settings share their seeds. For every half of the seeds, the setting of the highest mean
    there is scored on the other half; the estimate is the mean of these scores. No interval: the halves overlap.
    """
    matrix, dropped = complete_rows(scores)
    n, settings = matrix.shape
    half = n // 2
    count = comb(n, half)
    which = f"all {count}" if count <= EXACT_HALVES else f"{EXACT_HALVES} random"
    method = f"best of {settings} settings, chosen on {half} seeds and scored on the other {n - half}, {which} halves"
    if n < 2:
        return Estimate(NAN, NAN, NAN, n, method, dropped, too_few(2, n, "seeds of every setting"))
    if count <= EXACT_HALVES:
        halves = [list(chosen) for chosen in combinations(range(n), half)]
    else:
        halves = [generator.permutation(n)[:half].tolist() for _ in range(EXACT_HALVES)]
    chosen = np.zeros((len(halves), n))
    for row, members in zip(chosen, halves, strict=True):
        row[members] = 1
    best = np.argmax(chosen @ matrix, axis=1)
    held_out = (1 - chosen) @ matrix / (n - half)
    return Estimate(float(held_out[np.arange(len(best)), best].mean()), NAN, NAN, n, method, dropped)
