"""How the value changes along one hyperparameter, or two, averaged over all others; bands over seeds.

On a full grid these are exact marginal means. Elsewhere they are partial dependences of random forests, one fitted to
each seed, and there are none where the forest cannot predict settings that it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from analysis.sensitivity.numbers.grid import effect
from analysis.sensitivity.numbers.importance import MINIMUM_SETTINGS
from analysis.sensitivity.numbers.jackknife import seed_groups, t_bands
from analysis.sensitivity.numbers.settings import Settings, seed_means
from analysis.sensitivity.numbers.surrogate import fit_forest, held_out_r2, partial_dependence
from analysis.statistics.estimate import LEVEL, NAN, FloatArray, too_few
from analysis.statistics.intervals import MINIMUM_N
from trainables.hyperparameters import Scalar

MINIMUM_R2 = 0.5
"""Held-out R² below which a forest's curves are not shown."""
POINTS = 21
"""Points of a surrogate's curve along a hyperparameter that has more levels; fewer along each of two."""
PAIR_POINTS = 9


@dataclass(frozen=True, eq=False)
class Effects:
    """Curves, or the surface of a pair, in ``table``; empty where ``note`` says why.

    Main effects: hyperparameter, level, mean, low, high. Pairs: first, second (levels), mean, low, high, interaction
    (points by which the mean differs from the sum of the two main effects).
    """

    table: pd.DataFrame
    n: int
    method: str
    note: str = ""


def main_effects(
    settings: Settings, generator: np.random.Generator, level: float = LEVEL, *, minimum_r2: float = MINIMUM_R2
) -> Effects:
    """The curve of every hyperparameter that varies, in the order of ``settings.names``."""
    averages = _Averages.of(settings, generator, level, minimum_r2)
    empty = pd.DataFrame(columns=["hyperparameter", "level", "mean", "low", "high"])
    frames = [empty]
    for place, name in enumerate(settings.names if not averages.note else ()):
        (levels,), curves = averages.curves([place], POINTS)
        along = pd.DataFrame({"hyperparameter": name, "level": pd.Series(levels, dtype=object)})
        frames.append(along.assign(**averages.band(curves)))
    return averages.result(pd.concat(frames[1:] or frames, ignore_index=True))


def pairwise_effect(
    settings: Settings,
    first: str,
    second: str,
    generator: np.random.Generator,
    level: float = LEVEL,
    *,
    minimum_r2: float = MINIMUM_R2,
) -> Effects:
    """The surface of two hyperparameters that vary."""
    averages = _Averages.of(settings, generator, level, minimum_r2)
    if averages.note:
        columns = ["first", "second", "mean", "low", "high", "interaction"]
        return averages.result(pd.DataFrame(columns=columns))
    places = [settings.names.index(first), settings.names.index(second)]
    axes, curves = averages.curves(places, PAIR_POINTS)
    levels = pd.DataFrame(list(product(*axes)), columns=["first", "second"], dtype=object)
    interaction = effect(curves.mean(axis=0), (0, 1)).ravel()
    return averages.result(levels.assign(**averages.band(curves.reshape(len(curves), -1)), interaction=interaction))


def lines(settings: Settings, name: str) -> pd.DataFrame:
    """The mean over seeds along one hyperparameter for each combination of the others: line, level, mean.

    The thin lines behind a main effect, which is their average. Raises StoreError off a full grid.
    """
    place = settings.names.index(name)
    means = np.moveaxis(settings.grid().mean(axis=-1), place, -1).reshape(-1, settings.levels[place])
    levels = settings.hyperparameters[place].levels
    frame = pd.DataFrame(means, columns=pd.Index(levels, dtype=object)).rename_axis("line").reset_index()
    return frame.melt("line", var_name="level", value_name="mean").sort_values("line", kind="stable", ignore_index=True)


@dataclass(frozen=True)
class _Averages:
    """Each seed's values averaged over all hyperparameters but some: exactly on a full grid, else by forests."""

    settings: Settings
    level: float
    seed: int
    r2: float
    note: str

    @classmethod
    def of(cls, settings: Settings, generator: np.random.Generator, level: float, minimum_r2: float) -> _Averages:
        seed = int(generator.integers(2**31))
        if settings.is_full_grid:
            return cls(settings, level, seed, NAN, "")
        known = int(np.isfinite(settings.values).sum(axis=0).max())
        if known < MINIMUM_SETTINGS:
            return cls(settings, level, seed, NAN, f"a surrogate {too_few(MINIMUM_SETTINGS, known, 'settings')}")
        r2 = held_out_r2(settings.unit, settings.means, seed)
        short = (
            f"a surrogate needs a held-out R² of {minimum_r2:g}, but it is {r2:.2f}; run more settings or a full grid"
        )
        return cls(settings, level, seed, r2, "" if r2 >= minimum_r2 else short)

    @cached_property
    def forests(self) -> list[RandomForestRegressor]:
        """One for each seed, or group of many seeds, that enough settings have a value for."""
        columns = [seed_means(self.settings.values[:, group]) for group in seed_groups(self.settings.n)]
        known = [column for column in columns if np.isfinite(column).sum() >= MINIMUM_SETTINGS]
        return [fit_forest(self.settings.unit, column, self.seed) for column in known]

    def curves(self, places: Sequence[int], points: int) -> tuple[list[tuple[Scalar, ...]], FloatArray]:
        """The levels along each of ``places``, and one curve or surface a seed, [n, points of each place]."""
        chosen = [self.settings.hyperparameters[place] for place in places]
        if self.settings.is_full_grid:
            front = np.moveaxis(self.settings.grid(), [-1, *places], range(1 + len(places)))
            return [h.levels for h in chosen], front.mean(axis=tuple(range(1 + len(places), front.ndim)))
        axes = [h.points(points) for h in chosen]
        mesh = np.array(list(product(*(unit for _, unit in axes))))
        surfaces = [partial_dependence(forest, self.settings.unit, places, mesh) for forest in self.forests]
        return [levels for levels, _ in axes], np.reshape(surfaces, (-1, *(len(unit) for _, unit in axes)))

    def result(self, table: pd.DataFrame) -> Effects:
        count = len(self.settings.table)
        how = f"exact marginal means of {count} combinations"
        if not self.settings.is_full_grid:
            how = f"forests fitted to {count} settings, held-out R² {self.r2:.2f}"
        few = f"the band {too_few(MINIMUM_N, self.settings.n, 'seeds')}" if self.settings.n < MINIMUM_N else ""
        interval = t_bands(np.empty((self.settings.n, 0)), self.level).method
        return Effects(table, self.settings.n, f"{how}; {interval}", self.note or few)

    def band(self, curves: FloatArray) -> dict[str, FloatArray]:
        """The columns of curves [n, points]."""
        bands = t_bands(curves, self.level)
        return {"mean": bands.estimate, "low": bands.low, "high": bands.high}
