"""A random forest over the unit cube of the hyperparameters: whether it can be trusted, and what it says on average."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_predict

from analysis.statistics.estimate import NAN, FloatArray

TREES = 64
FOLDS = 5


def held_out_r2(unit: FloatArray, means: FloatArray, seed: int, trees: int = TREES) -> float:
    """R² of predictions for settings that the forest did not see, by five folds: 1 is perfect, 0 is no use.

    ``unit`` is [H, p], ``means`` [H]. NaN where fewer settings than folds have a mean, or all means are equal.
    """
    known = np.isfinite(means)
    unit, means = unit[known], means[known]
    if len(means) < FOLDS or np.ptp(means) == 0:
        return NAN
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    predicted = cross_val_predict(RandomForestRegressor(trees, random_state=seed), unit, means, cv=folds)
    return float(1 - np.square(means - predicted).sum() / np.square(means - means.mean()).sum())


def fit_forest(unit: FloatArray, values: FloatArray, seed: int, trees: int = TREES) -> RandomForestRegressor:
    """A forest that predicts ``values`` [H] from ``unit`` [H, p]; settings without a value are left out."""
    known = np.isfinite(values)
    return RandomForestRegressor(trees, random_state=seed).fit(unit[known], values[known])


def partial_dependence(
    forest: RandomForestRegressor, unit: FloatArray, places: Sequence[int], points: FloatArray
) -> FloatArray:
    """What the forest predicts at each point, on average over all settings: [points].

    ``points`` [points, places] replaces the coordinates ``places`` of ``unit`` [H, p]. Source: Friedman, "Greedy
    function approximation", Annals of Statistics 2001, section 8.2.
    """
    tiled = np.tile(unit, (len(points), 1, 1))
    tiled[:, :, list(places)] = points[:, None, :]
    return forest.predict(tiled.reshape(-1, unit.shape[1])).reshape(len(points), -1).mean(axis=1)
