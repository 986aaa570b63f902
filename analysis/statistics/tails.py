"""Far tails of the two randomisation tests, where too few random flips or divisions arrive to be counted.

Both are saddlepoint approximations after Lugannani and Rice: K is the cumulant function of the statistic, t solves
K'(t) = s, and

    P(S >= s) = 1 - Phi(r) + phi(r) (1 / u - 1 / r),   r = sqrt(2 (t s - K(t))),   u = t sqrt(K''(t))

The sum over one arm is that of independent draws of each seed, on condition that as many are drawn as the arm has
(Skovgaard). Against full enumeration they gave 0.64 to 1.4 times p; where differences tie down to 0.46, and with a few
collapsed seeds in arms of two or three up to 7.5 times.

Sources: Robinson, "Saddlepoint approximations for permutation tests and confidence intervals", JRSS B 1982; Skovgaard,
"Saddlepoint expansions for conditional distributions", J. Applied Probability 1987.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special, stats

from analysis.statistics.estimate import FloatArray

FEW = 10
"""Where fewer of the random draws are as extreme as the observed one, their share says little: p is the tail's."""


def sign_flip_tail(differences: FloatArray, reached: float) -> float:
    """P(sum of ± ``differences`` >= ``reached``), all signs equally probable; below the largest sum there is."""
    scale = np.abs(differences).max()
    d, s = np.abs(differences) / scale, reached / scale

    def excess(t: float) -> float:
        return float(d @ np.tanh(t * d)) - s

    high = 1.0
    while excess(high) < 0:
        high *= 2
    t = float(optimize.brentq(excess, 0.0, high))
    cumulant = np.sum(np.logaddexp(t * d, -t * d) - np.log(2))
    curvature = np.sum((d / np.cosh(np.minimum(t * d, 300))) ** 2)
    return _tail(t * s - float(cumulant), t * np.sqrt(curvature))


def division_tail(pool: FloatArray, chosen: int, reached: float) -> float:
    """P(sum of ``chosen`` of the centred ``pool`` >= ``reached``), all choices equally probable.

    ``reached`` is above 0 and below the largest sum there is.
    """
    x = pool / pool.std()
    s, n = reached / pool.std(), len(pool)
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
    r = np.sqrt(2 * exponent)
    return float(stats.norm.sf(r) + stats.norm.pdf(r) * (1 / u - 1 / r))
