"""One hyperparameter as a study varied it: its levels, and the axis on which distances between them mean something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from trainables.errors import ConfigError
from trainables.hyperparameters import Range, Scalar, range_of
from trainables.methods import METHODS


@dataclass(frozen=True)
class Hyperparameter:
    """``levels`` are the distinct values that were run, ascending (categories: by their text).

    ``low`` and ``high`` bound the range: the declared one, widened to the levels where they leave it; NaN for
    categories. ``declared`` is False where scale and range were read off the values.
    """

    name: str
    levels: tuple[Scalar, ...]
    scale: Literal["linear", "log", "categorical"]
    low: float
    high: float
    integer: bool
    declared: bool

    def codes(self, values: pd.Series) -> np.ndarray:
        """The position of each value among ``levels``, -1 for a value that was not run: integers, same length."""
        return pd.Index(self.levels).get_indexer(pd.Index(values.tolist()))

    def unit(self, values: pd.Series) -> np.ndarray:
        """The values on the hyperparameter's scale, mapped from [low, high] to [0, 1]; categories are their codes."""
        if self.scale == "categorical":
            return self.codes(values).astype(float)
        numbers, bounds = values.to_numpy(dtype=float), np.array([self.low, self.high])
        if self.scale == "log":
            numbers, bounds = np.log(numbers), np.log(bounds)
        return (numbers - bounds[0]) / (bounds[1] - bounds[0])

    def points(self, most: int) -> tuple[tuple[Scalar, ...], np.ndarray]:
        """Where to draw a curve, and the same in ``unit``: the levels, or ``most`` even steps if there are more."""
        if self.scale == "categorical" or len(self.levels) <= most:
            return self.levels, self.unit(pd.Series(self.levels))
        unit = np.linspace(0, 1, most)
        spaced = np.geomspace if self.scale == "log" else np.linspace
        return tuple(spaced(self.low, self.high, most).tolist()), unit


def typed(values: pd.Series) -> pd.Series:
    """The values (none missing) as numbers where all of them are, text of numbers included, otherwise as they are."""
    plain = pd.Series(values.tolist(), index=values.index, dtype=object).infer_objects()
    if pd.api.types.is_bool_dtype(plain) or pd.api.types.is_numeric_dtype(plain):
        return plain
    numbers = pd.to_numeric(plain.astype(str), errors="coerce")
    return numbers if bool(numbers.notna().all()) else plain.astype(object)


def hyperparameter_of(name: str, values: pd.Series, method: str) -> Hyperparameter:
    """Describe the hyperparameter whose ``values``, made by ``typed``, were run; two of them differ.

    Its range comes from the declaration of ``method`` where that is one of this project's, else from the values: their
    hull, logarithmic where they lie more evenly so. A range that is declared logarithmic is read linearly where a value
    is not positive.
    """
    known = _declared_by(method, name)
    declared = known is not None
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        levels = tuple(sorted(values.unique().tolist(), key=str))
        return Hyperparameter(name, levels, "categorical", np.nan, np.nan, False, declared)
    levels = tuple(np.unique(values).tolist())
    integer = pd.api.types.is_integer_dtype(values)
    low, high, log = float(levels[0]), float(levels[-1]), _is_log(np.array(levels, dtype=float))
    if isinstance(known, Range):
        low, high, log = min(low, known.low), max(high, known.high), known.log and low > 0
        integer = integer and known.integer
    return Hyperparameter(name, levels, "log" if log else "linear", low, high, integer, declared)


def declared_default(method: str, name: str) -> Scalar | None:
    """The default that a method of this project declares for a hyperparameter; None where it declares none."""
    if method not in METHODS or name not in METHODS[method].Config.model_fields:
        return None
    default: Scalar = METHODS[method].Config.model_fields[name].default
    return default


def _declared_by(method: str, name: str) -> Range | tuple[Scalar, ...] | None:
    if declared_default(method, name) is None:
        return None
    try:
        return range_of(METHODS[method].Config, method, name)
    except ConfigError:  # a number that no search is declared for
        return None


def _is_log(levels: np.ndarray) -> bool:
    """Whether three or more positive levels lie more evenly on a logarithmic axis than on a linear one."""
    return len(levels) >= 3 and levels[0] > 0 and _unevenness(np.log(levels)) < _unevenness(levels)


def _unevenness(levels: np.ndarray) -> float:
    """Largest distance between ascending levels, mapped to [0, 1], and as many evenly spaced ones."""
    mapped = (levels - levels[0]) / (levels[-1] - levels[0])
    return float(np.abs(mapped - np.linspace(0, 1, len(levels))).max())
