"""Almost stochastic order: by how much A fails to dominate B in every quantile.

    e(A, B) = integral of ((F_B^-1 - F_A^-1)+)^2 / integral of (F_B^-1 - F_A^-1)^2,  over the levels (0, 1)
    e_min = e + z * std(bootstrap of e)

0 is dominance, 0.5 no difference, 1 dominance of B. e_min, a 95 % upper bound, is no p-value; Ulmer et al. (2022) call
A better below 0.2.

Sources: del Barrio, Cuesta-Albertos and Matran, "An Optimal Transportation Approach for Assessing Almost Stochastic
Order", 2018; Dror, Shlomov and Reichart, "Deep Dominance", ACL 2019, equations 4 to 6.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.statistics.bootstrap import chunks
from analysis.statistics.estimate import LEVEL, NAN, RESAMPLES, Estimate, FloatArray, percent, too_few
from analysis.statistics.unpaired import two_samples

MINIMUM_N = 10
"""Below, the bound means little: from three seeds it can be 0, and one seed can "dominate"."""


def almost_stochastic_order(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    generator: np.random.Generator,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    minimum: int = MINIMUM_N,
) -> Estimate:
    """The violation of A's dominance over B, and as ``high`` its upper bound e_min; ``low`` is not part of it (NaN)."""
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    method = (
        f"violation of stochastic order with {percent(level)} upper bound, {resamples} resamples of {len(x)} and "
        f"{len(y)} seeds"
    )
    if n < minimum:
        return Estimate(NAN, NAN, NAN, n, method, dropped, too_few(minimum, n, "seeds in each arm"))
    estimate = float(violation(x, y))
    if np.isnan(estimate):
        return Estimate(NAN, NAN, NAN, n, method, dropped, "the arms have the same values")
    drawn = np.concatenate(
        [
            violation(
                np.sort(x[generator.integers(len(x), size=(size, len(x)))], axis=-1),
                np.sort(y[generator.integers(len(y), size=(size, len(y)))], axis=-1),
            )
            for size in chunks(resamples, 4 * (len(x) + len(y)))
        ]
    )
    bound = estimate + special.ndtri(level) * float(np.nanstd(drawn))
    return Estimate(estimate, NAN, float(np.clip(bound, 0, 1)), n, method, dropped)


def violation(a: FloatArray, b: FloatArray) -> FloatArray:
    """e(A, B) of sorted samples [..., n_a] and [..., n_b], exact for their step functions; NaN where all is equal."""
    n_a, n_b = a.shape[-1], b.shape[-1]
    levels = np.union1d(np.arange(n_a + 1) * n_b, np.arange(n_b + 1) * n_a)  # in units of 1 / (n_a n_b): no rounding
    widths, starts = np.diff(levels), levels[:-1]
    shortfall = b[..., starts // n_a] - a[..., starts // n_b]
    total = (shortfall**2) @ widths
    violated = (np.maximum(shortfall, 0) ** 2) @ widths
    return np.where(total > 0, violated / np.where(total > 0, total, 1), NAN)
