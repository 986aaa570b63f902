"""Correction of p-values for the number of tests in the family that a study declares.

Holm (family-wise error) for claims; Benjamini-Hochberg (false discovery rate) for screens of many hyperparameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from statsmodels.stats.multitest import multipletests

from analysis.statistics.estimate import ALPHA, FloatArray

Correction = Literal["holm", "bonferroni", "holm-sidak", "simes-hochberg", "hommel", "fdr_bh", "fdr_by"]
TITLES: dict[Correction, str] = {
    "holm": "Holm",
    "bonferroni": "Bonferroni",
    "holm-sidak": "Holm-Šidák",
    "simes-hochberg": "Hochberg",
    "hommel": "Hommel",
    "fdr_bh": "Benjamini-Hochberg",
    "fdr_by": "Benjamini-Yekutieli",
}


@dataclass(frozen=True, eq=False)
class Adjusted:
    """A family of p-values after correction, in the order they were given."""

    p: FloatArray
    """NaN where the test could not be made."""
    reject: npt.NDArray[np.bool_]
    family: int
    """The tests that could be made; only they are corrected for."""
    method: str


def adjust(p_values: npt.ArrayLike, correction: Correction = "holm", alpha: float = ALPHA) -> Adjusted:
    """Correct the family ``p_values`` [m]."""
    raw = np.asarray(p_values, dtype=np.float64)
    known = np.isfinite(raw)
    adjusted, reject = np.full(raw.shape, np.nan), np.zeros(raw.shape, dtype=bool)
    family = int(known.sum())
    if correction == "holm":
        adjusted[known] = _holm(raw[known])
        reject[known] = adjusted[known] <= alpha
    elif family:
        reject[known], adjusted[known], *_ = multipletests(raw[known], alpha, method=correction)
    return Adjusted(adjusted, reject, family, f"{TITLES[correction]} over {family} tests")


def _holm(p: FloatArray) -> FloatArray:
    """Not statsmodels': each of its calls runs Python's garbage collector, which takes half a second in a report."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted
