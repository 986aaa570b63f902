"""What the functions of this package return: a number with its interval, or a test, and the words of its caption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

NAN = float("nan")
LEVEL = 0.95
"""Confidence of an interval unless told otherwise."""
ALPHA = 0.05
"""Level of a test."""
RESAMPLES = 9_999
"""Random resamples, sign flips or permutations where their full number is out of reach."""
CHUNK = 10_000_000
"""So many numbers of resampled data are held at a time."""
DECIMALS = 10
"""Differences are rounded to so many decimals before they are ranked: accuracies of few digits tie in decimal, not in
binary."""


MARGIN = 0.5
"""Points below which a difference of accuracies does not matter, unless the reader says otherwise."""


@dataclass(frozen=True)
class Estimate:
    """A number, its interval and how both came about."""

    estimate: float
    """NaN where it cannot be computed; ``note`` says why."""
    low: float
    high: float
    """NaN where no interval is given; ``note`` says why."""
    n: int
    """Replications behind it: seeds, pairs of seeds, or the seeds of the smaller arm."""
    method: str
    """The interval in words, as a caption needs them."""
    dropped: int = 0
    """Values, rows or pairs left out because something in them was missing."""
    note: str = ""
    """Why a number is missing, or what must be kept in mind; mostly empty."""


@dataclass(frozen=True)
class HypothesisTest:
    """A two-sided test, unless its method says otherwise."""

    p: float
    """NaN where the test cannot be made; ``note`` says why."""
    statistic: float
    n: int
    method: str
    smallest_p: float = 0.0
    """The smallest p-value that any data of this size could have given; 0 where there is no such floor."""
    dropped: int = 0
    note: str = ""


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests: small ``p`` says that the mean difference lies within ± ``margin``."""

    p: float
    """The larger of the two below."""
    p_lower: float
    """Of the difference not being above -margin."""
    p_upper: float
    """Of the difference not being below +margin."""
    margin: float
    n: int
    method: str
    dropped: int = 0
    note: str = ""


def finite(values: npt.ArrayLike) -> tuple[FloatArray, int]:
    """The known values [n] in ascending order, and how many were missing: row order never moves a result."""
    array = np.asarray(values, dtype=np.float64).ravel()
    known = array[np.isfinite(array)]
    return np.sort(known), len(array) - len(known)


def complete_rows(matrix: npt.ArrayLike) -> tuple[FloatArray, int]:
    """The rows [n, columns] without a missing value, in lexicographic order, and how many had one."""
    array = np.asarray(matrix, dtype=np.float64)
    known = array[np.isfinite(array).all(axis=1)]
    return known[np.lexsort(known.T[::-1])], len(array) - len(known)


def rounded(differences: npt.ArrayLike) -> FloatArray:
    """To DECIMALS decimals, in the order given."""
    return np.asarray(differences, dtype=np.float64).round(DECIMALS)


def percent(level: float) -> str:
    """``0.95`` -> ``95 %``."""
    return f"{100 * level:.12g} %"


def too_few(needed: int, n: int, what: str = "values") -> str:
    """The note of a number that needs more data."""
    return f"needs at least {needed} {what}, but there {'is' if n == 1 else 'are'} {n}"
