"""The course of a search: regret against epoch, time or cost, what stopping earlier would have given, and collapse.

A method's regret at a budget is that of the architecture it would return there, never the best one so far: choosing
the epoch by the oracle is no search. Arrays are [seeds, points], on one ascending grid of budgets [points]; NaN where a
seed has no value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics.estimate import LEVEL, FloatArray, percent
from analysis.statistics.intervals import MINIMUM_N, t_multiplier


@dataclass(frozen=True, eq=False)
class Course:
    """The mean over seeds at every budget."""

    budget: FloatArray
    mean: FloatArray
    se: FloatArray
    """Standard error of the mean; NaN where one seed is known."""
    low: FloatArray
    high: FloatArray
    """Pointwise Student-t interval; NaN where fewer than three seeds are known."""
    n: npt.NDArray[np.int64]
    """Seeds known at every budget."""
    method: str


def course(budget: npt.ArrayLike, values: npt.ArrayLike, level: float = LEVEL) -> Course:
    """Mean, standard error and interval of ``values`` [seeds, points] at every point."""
    matrix = np.asarray(values, dtype=np.float64)
    known = np.isfinite(matrix)
    n = known.sum(axis=0)
    total = np.where(known, matrix, 0.0)
    mean = np.divide(total.sum(axis=0), n, out=np.full(n.shape, np.nan), where=n > 0)
    squares = np.where(known, (matrix - mean) ** 2, 0.0).sum(axis=0)
    se = np.sqrt(np.divide(squares, n * (n - 1.0), out=np.full(n.shape, np.nan), where=n > 1))
    multiplier = np.array([t_multiplier(int(count), level) if count >= MINIMUM_N else np.nan for count in n])
    method = f"mean over seeds with pointwise {percent(level)} Student-t interval"
    grid = np.asarray(budget, dtype=np.float64)
    return Course(grid, mean, se, mean - multiplier * se, mean + multiplier * se, n, method)


def early_stopping_regret(regrets: npt.ArrayLike) -> FloatArray:
    """Regret at the last known point less the lowest along the way, [seeds]; 0 where the search ended at its best."""
    matrix = np.asarray(regrets, dtype=np.float64)
    return _last(matrix) - np.fmin.reduce(matrix, axis=1)


def onset(budget: npt.ArrayLike, collapsed: npt.ArrayLike) -> FloatArray:
    """The first budget from which on a seed stays ``collapsed`` to the last point, [seeds]; NaN where it ends well.

    ``collapsed`` is boolean, [seeds, points]; carry the last value of a shorter course to the end beforehand.
    """
    flags = np.asarray(collapsed, dtype=bool)
    to_the_end = np.logical_and.accumulate(flags[:, ::-1], axis=1)[:, ::-1]
    first = np.asarray(budget, dtype=np.float64)[np.argmax(to_the_end, axis=1)]
    return np.where(to_the_end.any(axis=1), first, np.nan)


def _last(matrix: FloatArray) -> FloatArray:
    """The last known value of each row; NaN where none is."""
    known = np.isfinite(matrix)
    place = matrix.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return matrix[np.arange(len(matrix)), place]
