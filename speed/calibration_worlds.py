"""The worlds of calibration.py: what a search seed can come out as, taken from the built-in benchmark table.

A seed's outcome is a cell, with its validation accuracies on all three data sets and of all its trainings. Each world
has two arms. ``normal`` has the moments of all cells; ``skewed`` draws from all cells; ``bimodal`` draws a cell of the
better half or, with probability COLLAPSED_SHARE, one of the worst twentieth; in ``one collapses`` arm B does so while
arm A is normal with the spread of the better half.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from analysis.statistics.estimate import FloatArray
from trainables.benchmarks.accuracies import DATASETS
from trainables.benchmarks.table import open_table
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS

SEED = 2026
COLLAPSED_SHARE = 0.2
METHODS = 4
NAMES = ("normal", "skewed", "bimodal", "one collapses")


@dataclass(frozen=True, eq=False)
class Arms:
    """The seeds of two arms, or all that they can come out as, equally likely."""

    a: FloatArray
    b: FloatArray
    """Accuracies [n, data sets]."""
    trainings: FloatArray
    """Accuracies of arm B's cells on the first data set, [n, trainings]; NaN where a training was never made."""

    @property
    def first_a(self) -> FloatArray:
        """Arm A on the first data set [n]."""
        return self.a[:, 0]

    @property
    def first_b(self) -> FloatArray:
        """Arm B on the first data set [n]."""
        return self.b[:, 0]

    @property
    def differences(self) -> FloatArray:
        """A - B on the first data set, seed by seed [n]."""
        return self.first_a - self.first_b

    def draw(self, n: int, generator: np.random.Generator) -> Sample:
        """n seeds of each arm, all independent of each other."""
        i, j = generator.integers(len(self.a), size=n), generator.integers(len(self.b), size=n)
        alike = self.first_b[generator.integers(len(self.b), size=(n, METHODS))]
        return Sample(self.a[i], self.b[j], self.trainings[j], alike)


@dataclass(frozen=True, eq=False)
class Sample(Arms):
    """n seeds of both arms."""

    alike: FloatArray
    """METHODS more arms, all like B, on the first data set [n, METHODS]."""


@lru_cache(maxsize=4)
def worlds(shift: float = 0.0) -> dict[str, Arms]:
    """All worlds by NAMES; the mean of arm A lies ``shift`` standard deviations of arm B above that of B."""
    table, cells = open_table(), np.arange(NUM_CELLS)
    scores = np.stack([table.accuracy(dataset, "valid", cells) for dataset in DATASETS], axis=1)
    trainings = table.per_seed(DATASETS[0], "valid", cells)
    order = np.argsort(scores[:, 0], kind="stable")
    good, worst = order[len(order) // 2 :], order[: len(order) // 20]
    copies = round(2 * len(good) / len(worst) * COLLAPSED_SHARE / (1 - COLLAPSED_SHARE))
    mixture = np.concatenate([np.repeat(good, 2), np.repeat(worst, copies)])  # every cell of a kind equally often
    normal = _normal(scores, scores.mean(axis=0))
    steady = _normal(scores[good], scores[mixture].mean(axis=0))
    noise = np.sqrt(np.nanmean(np.nanvar(trainings, axis=1, ddof=1)))
    retrained = normal[:, :1] + np.random.default_rng(SEED + 1).normal(0, noise, trainings.shape)
    found = (
        Arms(normal, normal, retrained),
        Arms(scores, scores, trainings),
        Arms(scores[mixture], scores[mixture], trainings[mixture]),
        Arms(steady, scores[mixture], trainings[mixture]),
    )
    moved = [Arms(world.a + shift * world.b.std(axis=0), world.b, world.trainings) for world in found]
    return dict(zip(NAMES, moved, strict=True))


def _normal(like: FloatArray, mean: FloatArray) -> FloatArray:
    """Normal outcomes as many and with the covariance as in ``like`` [n, data sets], about ``mean`` [data sets]."""
    draws = np.random.default_rng(SEED).normal(size=like.shape)
    draws -= draws.mean(axis=0)
    whitened = np.linalg.solve(np.linalg.cholesky(np.cov(draws.T)), draws.T)
    return (np.linalg.cholesky(np.cov(like.T)) @ whitened).T + mean
