"""Correction of p-values for the number of tests in the family that a study declares, by Holm: family-wise error.

Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics.estimate import FloatArray


@dataclass(frozen=True, eq=False)
class Adjusted:
    """A family of p-values after correction, in the order they were given."""

    p: FloatArray
    """NaN where the test could not be made."""
    family: int
    """The tests that are corrected for: those that could be made, or as many as were chosen from."""


def adjust(p_values: npt.ArrayLike, chosen_from: int | None = None) -> Adjusted:
    """Correct the family ``p_values`` [m].

    Where these tests were picked by their data from ``chosen_from``, the correction is for that many: each p-value
    ranks among all of them no lower than among the picked, so it is multiplied by no less than Holm's factor.

    Not by statsmodels: each of its calls runs Python's garbage collector, which takes half a second in a report.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(raw))
    known = known[np.argsort(raw[known])]
    adjusted = np.full(raw.shape, np.nan)
    family = len(known) if chosen_from is None else chosen_from
    adjusted[known] = np.minimum(np.maximum.accumulate(raw[known] * (family - np.arange(len(known)))), 1)
    return Adjusted(adjusted, family)
