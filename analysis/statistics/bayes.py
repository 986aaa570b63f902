"""Bayesian signed-rank test: how probable it is that A is practically better, equal or worse.

    differences d_1 .. d_n of common seeds, and one at d_0 = 0 of weight PRIOR
    w ~ Dirichlet(PRIOR, 1, .., 1)
    better(w) = sum over i, j of w_i w_j [d_i + d_j > 2 margin], worse(w) likewise, equivalent(w) the rest; ties half
    P(better) = P over w that better(w) is the largest of the three

Source: Benavoli, Mangili, Corani, Zaffalon and Ruggeri, "A Bayesian Wilcoxon signed-rank test based on the Dirichlet
process", ICML 2014; with the region of practical equivalence: Benavoli, Corani, Demšar and Zaffalon, "Time for a
Change", JMLR 2017, section 4.2. Prior strength as in their software baycomp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics.bootstrap import affordable, chunks
from analysis.statistics.estimate import DECIMALS, NAN, FloatArray, finite, rounded, too_few

NAME = "Bayesian signed-rank test"
PRIOR = 0.5
"""Weight of the pseudo-difference 0, in seeds."""
MINIMUM_N = 5
"""Below, the answer is the weakness of the prior: three differences of one sign make "better" some 96 % probable."""
DRAWS = 20_000


@dataclass(frozen=True)
class Posterior:
    """Probabilities that sum to 1; NaN where refused."""

    better: float
    """Of A being above B by more than the margin."""
    equivalent: float
    """Of the difference being within ± margin."""
    worse: float
    margin: float
    n: int
    method: str
    dropped: int = 0
    note: str = ""


def signed_rank(
    differences: npt.ArrayLike,
    margin: float,
    generator: np.random.Generator,
    *,
    draws: int = DRAWS,
    minimum: int = MINIMUM_N,
) -> Posterior:
    """The posterior for differences a - b [n] of common seeds; ``margin``, in their unit, is declared by the study."""
    sample, dropped = finite(rounded(differences))
    n = len(sample)
    draws = affordable(draws, 10 * (n + 1))
    method = f"{NAME} of {n} pairs, margin ±{margin:g}, {draws} draws"
    if n < minimum:
        return Posterior(NAN, NAN, NAN, margin, n, method, dropped, f"the prior {too_few(minimum, n, 'pairs')}")
    at = np.append(sample, 0.0)
    order = np.argsort(at)
    concentration = np.append(np.ones(n), PRIOR)[order]
    at = at[order]
    wins = np.zeros(3)
    for size in chunks(draws, 8 * (n + 1)):
        weights = generator.dirichlet(concentration, size=size)
        above = 1 - _mass_up_to(at, weights, 2 * margin)
        below = _mass_up_to(at, weights, -2 * margin)
        wins += np.bincount(np.argmax([above, 1 - above - below, below], axis=0), minlength=3)
    better, equivalent, worse = (wins / draws).tolist()
    return Posterior(better, equivalent, worse, margin, n, method, dropped)


def _mass_up_to(at: FloatArray, weights: FloatArray, bound: float) -> FloatArray:
    """The weight [draws] of all ordered pairs of ``at`` [m] whose sum is below ``bound``; at it, half."""
    reached = np.pad(np.cumsum(weights, axis=1), ((0, 0), (1, 0)))
    slack = 10.0**-DECIMALS / 2  # sums of rounded numbers are equal up to their last bits
    partners = [np.searchsorted(at, bound - at + shift) for shift in (-slack, slack)]
    return sum(np.einsum("di,di->d", weights, reached[:, place]) for place in partners) / 2
