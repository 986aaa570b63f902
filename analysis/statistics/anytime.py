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
from trainables.methods.robust_darts import LAG, local_averages

STOP_FACTOR = 1.3
STOP_START = 10
"""Zela et al.'s defaults: the rise of the eigenvalue, and the first epoch whose cell may be returned."""


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


@dataclass(frozen=True, eq=False)
class EigenvalueStop:
    """When the rule of RobustDARTS fires on the course of the dominant eigenvalue."""

    triggered: float
    """The epoch of the measurement at which it fires; NaN if it never does."""
    stop: float
    """The epoch whose cell the rule returns."""
    averages: FloatArray
    """Local averages up to the one at which it fires."""


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


def area(budget: npt.ArrayLike, values: npt.ArrayLike) -> FloatArray:
    """The mean of each seed's curve over the logarithm of the budget, by trapezoids, [seeds]; NaN if it has a hole."""
    x = np.log10(np.asarray(budget, dtype=np.float64))
    return np.trapezoid(np.asarray(values, dtype=np.float64), x, axis=1) / (x[-1] - x[0])


def best_so_far(regrets: npt.ArrayLike) -> FloatArray:
    """The lowest regret up to each point, by the oracle: what a perfect choice of the epoch could have had."""
    return np.fmin.accumulate(np.asarray(regrets, dtype=np.float64), axis=1)


def early_stopping_regret(regrets: npt.ArrayLike) -> FloatArray:
    """Regret at the last known point less the lowest along the way, [seeds]; 0 where the search ended at its best."""
    matrix = np.asarray(regrets, dtype=np.float64)
    return _last(matrix) - np.fmin.reduce(matrix, axis=1)


def budget_to_target(budget: npt.ArrayLike, regrets: npt.ArrayLike, target: float) -> FloatArray:
    """The first budget at which the regret is at most ``target``, [seeds]; NaN where never: censored, not missing."""
    return _first(np.asarray(budget, dtype=np.float64), np.asarray(regrets, dtype=np.float64) <= target)


def onset(budget: npt.ArrayLike, collapsed: npt.ArrayLike) -> FloatArray:
    """The first budget from which on a seed stays ``collapsed`` to the last point, [seeds]; NaN where it ends well.

    ``collapsed`` is boolean, [seeds, points]; carry the last value of a shorter course to the end beforehand.
    """
    flags = np.asarray(collapsed, dtype=bool)
    to_the_end = np.logical_and.accumulate(flags[:, ::-1], axis=1)[:, ::-1]
    return _first(np.asarray(budget, dtype=np.float64), to_the_end)


def eigenvalue_stop(
    epochs: npt.ArrayLike, eigenvalues: npt.ArrayLike, factor: float = STOP_FACTOR, start: float = STOP_START
) -> EigenvalueStop:
    """Apply the rule of RobustDARTS to one seed's eigenvalues [points], measured after ``epochs`` [points].

    It fires at the first local average (over five measurements) that exceeds ``factor`` times the one four
    measurements before, if that one's epoch is not before ``start``.

    Source: Zela et al., "Understanding and Robustifying Differentiable Architecture Search", ICLR 2020, section 4.3.
    """
    at = np.asarray(epochs, dtype=np.float64)
    averages = np.array(local_averages(np.asarray(eigenvalues, dtype=np.float64).tolist()))
    lead = len(at) - len(averages)  # an average needs so many measurements after its own
    for place in range(LAG, len(averages)):
        if at[place - LAG] >= start and averages[place] > factor * averages[place - LAG]:
            return EigenvalueStop(float(at[place + lead]), float(at[place - LAG]), averages[: place + 1])
    return EigenvalueStop(float("nan"), float("nan"), averages)


def _last(matrix: FloatArray) -> FloatArray:
    """The last known value of each row; NaN where none is."""
    known = np.isfinite(matrix)
    place = matrix.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return matrix[np.arange(len(matrix)), place]


def _first(budget: FloatArray, reached: npt.NDArray[np.bool_]) -> FloatArray:
    """The first budget at which each row of ``reached`` is true; NaN where none is."""
    return np.where(reached.any(axis=1), budget[np.argmax(reached, axis=1)], np.nan)
