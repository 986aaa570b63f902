"""The two randomisation tests of more seeds than can be counted: hundreds in each arm, or thousands of pairs.

Both are saddlepoint approximations after Lugannani and Rice: K is the cumulant function of the statistic, t solves
K'(t) = s, and

    P(S >= s) = 1 - Phi(r) + phi(r) (1 / u - 1 / r),   r = sqrt(2 (t s - K(t))),   u = t sqrt(K''(t))

The sum over one arm is that of independent draws of each seed, on condition that as many are drawn as the arm has
(Skovgaard). Where values lie on a grid, s is half a step of it below the sum in question.

Sources: Robinson, "Saddlepoint approximations for permutation tests and confidence intervals", JRSS B 1982; Skovgaard,
"Saddlepoint expansions for conditional distributions", J. Applied Probability 1987.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special, stats

from analysis.statistics.counting import common_step
from analysis.statistics.estimate import FloatArray

FEW = 10
"""Where fewer of the random draws are as extreme as the observed one, their share says little: p is the tail's."""


def approximate_flips(differences: FloatArray, reached: float) -> float:
    """P(|sum of ± ``differences`` [n]| >= ``reached``), all signs equally probable.

    ``reached`` is no larger than the largest sum there is, and not all differences are 0.
    """
    d = np.abs(differences)
    step = 2 * common_step(d)  # to turn a sign around moves the sum by twice the difference
    room = math.floor((d.sum() - reached) / step)
    if room == 0:
        return min(1.0, 2 * 0.5 ** np.count_nonzero(d))
    return min(1.0, 2 * flip_tail(d, d.sum() - step * (room + 0.5)))


def approximate_divisions(pool: FloatArray, chosen: int, distance: float) -> float:
    """P(the sum of ``chosen`` of ``pool`` [n] is ``distance`` or more from its expectation), all choices equal.

    ``distance`` is no larger than the largest there is, and not all values are equal.
    """
    step = common_step(pool - pool.min())
    both = 0.0
    for side in (np.sort(pool - pool.mean()), np.sort(pool.mean() - pool)):
        largest = float(side[-chosen:].sum())
        room = math.floor((largest - distance) / step)
        if room > 0:
            both += division_tail(side, chosen, largest - step * (room + 0.5))
        elif room == 0:
            both += _ways_to_the_largest(side, chosen, step)
    return min(1.0, both)


def flip_tail(d: FloatArray, s: float) -> float:
    """P(sum of ± ``d`` [n] >= ``s``), where s is below the largest sum there is."""
    if s <= 0:
        return 0.5
    scale = d.max()
    d, s = d / scale, s / scale

    def excess(t: float) -> float:
        return float(d @ np.tanh(t * d)) - s

    high = 1.0
    while excess(high) < 0:
        high *= 2
    t = float(optimize.brentq(excess, 0.0, high))
    cumulant = np.sum(np.logaddexp(t * d, -t * d) - np.log(2))
    curvature = np.sum((d / np.cosh(np.minimum(t * d, 300))) ** 2)
    return _tail(t * s - float(cumulant), t * np.sqrt(curvature))


def division_tail(pool: FloatArray, chosen: int, s: float) -> float:
    """P(sum of ``chosen`` of the centred ``pool`` [n] >= ``s``), where s is below the largest sum there is."""
    if s <= 0:
        return 0.5
    x = pool / pool.std()
    s, n = s / pool.std(), len(pool)
    design = np.stack([np.ones(n), x])
    wanted = np.array([chosen, s])
    start = np.array([special.logit(chosen / n), 0.0])

    def height(at: FloatArray) -> float:
        return float(np.logaddexp(0, at @ design).sum() - wanted @ at)

    def slope(at: FloatArray) -> FloatArray:
        return design @ special.expit(at @ design) - wanted

    def curvature(at: FloatArray) -> FloatArray:
        p = special.expit(at @ design)
        return (design * (p * (1 - p))) @ design.T

    found = optimize.minimize(height, start, jac=slope, hess=curvature, method="trust-exact").x
    spread = np.linalg.det(curvature(found)) / curvature(start)[0, 0]
    return _tail(height(start) - height(found), found[1] * np.sqrt(spread))


def _tail(exponent: float, u: float) -> float:
    r = np.sqrt(2 * max(exponent, 0.0))
    if r < 1e-3:  # the correction is the difference of two large numbers, and of no account
        return float(stats.norm.sf(r))
    return float(stats.norm.sf(r) + stats.norm.pdf(r) * (1 / u - 1 / r))


def _ways_to_the_largest(side: FloatArray, chosen: int, step: float) -> float:
    """The share of all choices of ``chosen`` of ``side`` [n], in ascending order, whose sum is the largest."""
    border = side[-chosen]
    equal = np.abs(side - border) < step / 2
    return math.comb(int(equal.sum()), int(equal[-chosen:].sum())) / math.comb(len(side), chosen)
