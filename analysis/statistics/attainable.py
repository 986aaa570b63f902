"""Whether a test can reach its level at all with these seeds: an exact test has a smallest p-value, set by n alone.

"Not significant" would be the wrong word for a test that no data could have made significant.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from math import comb

from analysis.statistics.estimate import ALPHA


@dataclass(frozen=True)
class Attainable:
    """What an exact two-sided test of n seeds can reach, one of ``family`` tests under Holm's correction."""

    n: int
    """Pairs of seeds, or the seeds of the smaller arm."""
    smallest_p: float
    smallest_adjusted_p: float
    """Under Holm: the smallest of the family is multiplied by its size."""
    needed_n: int
    """The smallest n, for unpaired arms in both, at which the adjusted p-value can reach ``alpha``."""
    family: int
    alpha: float = ALPHA
    """The level of the family."""

    @property
    def reachable(self) -> bool:
        """Whether any data of this size could reach the level."""
        return self.smallest_adjusted_p <= self.alpha


def attainable_paired(n: int, family: int = 1, smallest_p: float | None = None, alpha: float = ALPHA) -> Attainable:
    """For the sign-flip and the signed-rank test on n differences: 2 / 2**n, or ``smallest_p`` where some are 0."""
    smallest = smallest_paired_p(n) if smallest_p is None else smallest_p
    needed = next(m for m in count(1) if family * smallest_paired_p(m) <= alpha)
    return Attainable(n, smallest, min(1.0, family * smallest), needed, family, alpha)


def attainable_unpaired(n_a: int, n_b: int, family: int = 1, alpha: float = ALPHA) -> Attainable:
    """For the permutation test on arms of n_a and n_b seeds."""
    smallest = smallest_unpaired_p(n_a, n_b)
    needed = next(m for m in count(1) if family * smallest_unpaired_p(m, m) <= alpha)
    return Attainable(min(n_a, n_b), smallest, min(1.0, family * smallest), needed, family, alpha)


def smallest_paired_p(n: int) -> float:
    """2 / 2**n: all differences have one sign."""
    return min(1.0, 2 * 0.5**n)


def smallest_unpaired_p(n_a: int, n_b: int) -> float:
    """1 / (n_a + n_b choose n_a), where one arm holds the largest values of both; twice that in arms of equal size.

    Only there is the opposite division, with the arms' names exchanged, one of those that are counted.
    """
    return min(1.0, (2 if n_a == n_b else 1) / comb(n_a + n_b, n_a))
