"""Tidy trials of one method on one data set -> its settings and their values over seeds.

A setting is one combination of hyperparameters. Trials are rows with the columns ``method``, ``dataset``, ``seed``,
``hp.*`` and a value (percent, higher is better); a missing value is a trial that failed and stays counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from analysis.sensitivity.numbers.scales import Hyperparameter, hyperparameter_of, typed
from trainables.errors import StoreError
from trainables.hyperparameters import Scalar

PREFIX = "hp."


@dataclass(frozen=True, eq=False)
class Settings:
    """H settings of one method on one data set, each tried with n seeds.

    ``hyperparameters`` are those that vary, in the order of the columns; ``fixed`` has the others. ``table`` has one
    row a setting and one column a varying hyperparameter, sorted by level. ``values`` is [H, n], percent, NaN where a
    trial failed or was not run; ``recorded`` is [H, n], False where it was not run. With ``shared_seeds`` the columns
    are the ``seeds``, common to all settings; without, they are the first, second, ... trial of each setting.
    """

    method: str
    dataset: str
    hyperparameters: tuple[Hyperparameter, ...]
    fixed: Mapping[str, Scalar]
    table: pd.DataFrame
    values: np.ndarray
    recorded: np.ndarray
    seeds: tuple[Hashable, ...]
    shared_seeds: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(h.name for h in self.hyperparameters)

    @property
    def n(self) -> int:
        """Columns of ``values``: seeds where they are shared."""
        return self.values.shape[1]

    @property
    def failed(self) -> int:
        """Trials that were run and have no value."""
        return int((self.recorded & np.isnan(self.values)).sum())

    @cached_property
    def means(self) -> np.ndarray:
        """[H] mean over the seeds that have a value, NaN for a setting that never had one."""
        return seed_means(self.values)

    @cached_property
    def codes(self) -> np.ndarray:
        """[H, p] the level of each hyperparameter, counted from 0."""
        columns = [h.codes(self.table[h.name]) for h in self.hyperparameters]
        return np.array(columns, dtype=int).reshape(len(columns), len(self.table)).T

    @cached_property
    def unit(self) -> np.ndarray:
        """[H, p] the settings in the unit cube of the hyperparameters' scales; categories are level numbers."""
        columns = [h.unit(self.table[h.name]) for h in self.hyperparameters]
        return np.array(columns, dtype=float).reshape(len(columns), len(self.table)).T

    @property
    def levels(self) -> tuple[int, ...]:
        """The number of levels of each hyperparameter."""
        return tuple(len(h.levels) for h in self.hyperparameters)

    @property
    def is_complete(self) -> bool:
        """Whether every combination of levels was run, so that the settings are all there are and not a sample."""
        return len(self.table) == int(np.prod(self.levels))

    @property
    def is_full_grid(self) -> bool:
        """Whether, moreover, every combination has a value for every seed."""
        return self.is_complete and not bool(np.isnan(self.values).any())

    def grid(self) -> np.ndarray:
        """[levels of the first, ..., levels of the last hyperparameter, n]. Raises StoreError off a full grid."""
        if not self.is_full_grid:
            raise StoreError(
                "an exact decomposition needs every combination of the levels with a value for every seed, but the "
                f"{len(self.table)} settings of {self.method} are no such grid; run what is missing"
            )
        return self.values.reshape([*self.levels, self.n])

    def find(self, setting: Mapping[str, Any]) -> int | None:
        """The row of a setting given by its varying hyperparameters; None where it was not run."""
        wanted = [
            h.levels.index(setting[h.name]) if setting.get(h.name) in h.levels else -1 for h in self.hyperparameters
        ]
        match = (self.codes == wanted).all(axis=1)
        return int(match.argmax()) if match.any() else None

    def position(self, setting: Mapping[str, Any]) -> int:
        """The row of a setting. Raises StoreError where it was not run."""
        row = self.find(setting)
        if row is None:
            asked = {name: setting.get(name) for name in self.names}
            raise StoreError(f"a setting must be among those that were run, but {self.method} has no {asked}; run it")
        return row

    def setting(self, row: int) -> dict[str, Scalar]:
        """The varying hyperparameters of a row."""
        return {h.name: h.levels[code] for h, code in zip(self.hyperparameters, self.codes[row], strict=True)}


def read_settings(trials: pd.DataFrame, value: str, *, shared_seeds: bool = True) -> Settings:
    """Settings x seeds from the trials of one method on one data set, in any order.

    ``shared_seeds``: equal seeds of two settings are claimed to draw the same; how many they have in common decides
    nothing. Raises StoreError where the trials are not of one method and data set, a hyperparameter is missing, a
    setting has a seed twice, or nothing has a value.
    """
    method, dataset = _only(trials, "method"), _only(trials, "dataset")
    known = _hyperparameters(trials, method)
    if not trials[value].notna().any():
        raise StoreError(f"a sensitivity analysis needs values, but no trial of {method} on {dataset} has `{value}`")
    varying = [name for name in known if known[name].nunique() > 1]
    described = tuple(hyperparameter_of(name, known[name], method) for name in varying)
    codes = pd.DataFrame({h.name: h.codes(known[h.name]) for h in described}, index=trials.index)
    row = codes.groupby(varying, sort=True).ngroup() if varying else pd.Series(0, index=trials.index)
    tidy = pd.DataFrame({"row": row, "seed": trials["seed"], "value": trials[value].astype(float)})
    _refuse_duplicates(tidy, method)
    tidy = tidy.sort_values(["row", "seed"], ignore_index=True)
    seeds = tuple(sorted(tidy["seed"].unique().tolist()))
    first = np.unique(row, return_index=True)[1]
    column = pd.Categorical(tidy["seed"], seeds).codes if shared_seeds else tidy.groupby("row").cumcount()
    values = np.full((len(first), int(column.max()) + 1), np.nan)
    recorded = np.zeros(values.shape, dtype=bool)
    values[tidy["row"], column], recorded[tidy["row"], column] = tidy["value"], True
    return Settings(
        method=method,
        dataset=dataset,
        hyperparameters=described,
        fixed={name: known[name].tolist()[0] for name in known if name not in varying},
        table=known[varying].iloc[first].reset_index(drop=True),
        values=values,
        recorded=recorded,
        seeds=seeds,
        shared_seeds=shared_seeds,
    )


def seed_means(values: np.ndarray) -> np.ndarray:
    """[H, n] -> [H], NaN only where a row has no value at all."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return np.nanmean(values, axis=1)


def _hyperparameters(trials: pd.DataFrame, method: str) -> pd.DataFrame:
    columns = [c for c in trials.columns if str(c).startswith(PREFIX) and trials[c].notna().any()]
    for column in columns:
        if absent := int(trials[column].isna().sum()):
            raise StoreError(
                f"every trial of a method needs all its hyperparameters, but `{column}` of {method} is missing in "
                f"{absent} of {len(trials)} trials; give it a value of its own there, such as `off`"
            )
    known = pd.DataFrame({c.removeprefix(PREFIX): typed(trials[c]) for c in columns}, index=trials.index)
    for name in known.select_dtypes("number"):
        if not np.isfinite(known[name]).all():
            raise StoreError(
                f"a hyperparameter must be finite, but `{PREFIX}{name}` of {method} is infinite; write a word"
            )
    return known


def _only(trials: pd.DataFrame, column: str) -> str:
    found = trials[column].dropna().unique()
    if len(found) != 1:
        raise StoreError(
            f"a sensitivity analysis is about one {column}, but the trials have {sorted(map(str, found))}; select one"
        )
    return str(found[0])


def _refuse_duplicates(tidy: pd.DataFrame, method: str) -> None:
    twice = tidy.duplicated(["row", "seed"])
    if twice.any():
        raise StoreError(
            f"each setting needs one trial a seed, but {method} has {int(twice.sum())} more, the first with seed "
            f"{tidy.loc[twice, 'seed'].iloc[0]}; select one data set, scale and protocol first"
        )
