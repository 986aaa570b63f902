"""What tuning is worth: the gap between the default and the best setting, and each hyperparameter's part in it.

    v(S) = best value when only the hyperparameters S may leave their default, less the default's value
    gap = v(all);  alone_j = v({j});  missed_j = v(all) - v(all but j);  shapley_j of v;  pair_ij = v({i, j})

Every "best" is chosen on one half of the seeds and scored on the other (``crossfit``): a ``naive`` one is the best mean
over all seeds, and too high.

Sources: Probst, Boulesteix and Bischl, "Tunability", JMLR 2019 (gap, alone, pair); Wever et al., "HyperSHAP", 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.sensitivity.numbers.crossfit import Halves, halves, in_sample
from analysis.sensitivity.numbers.games import Coalition, Game, coalitions, faithful_interactions, shapley_values
from analysis.sensitivity.numbers.grid import CROSS
from analysis.sensitivity.numbers.jackknife import jackknife
from analysis.sensitivity.numbers.noise import seed_variance
from analysis.sensitivity.numbers.scales import declared_default
from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import LEVEL, NAN, Estimate, FloatArray, too_few
from analysis.statistics.intervals import t_interval
from analysis.statistics.selection import expected_inflation
from trainables.hyperparameters import Scalar


@dataclass(frozen=True, eq=False)
class Tunability:
    """Of one method on one data set; gains are points above the default.

    ``table``: measure (alone, missed, shapley; pair, interaction), hyperparameter (pairs: ``lr × wd``), gain, low,
    high, naive. Measures that need combinations which were not run are left out.
    """

    default: Mapping[str, Scalar]
    best: Mapping[str, Scalar]
    """The setting of the highest mean over all seeds."""
    default_value: Estimate
    gap: Estimate
    naive_gap: float
    inflation: float
    """How far ``naive_gap`` is above ``gap``."""
    expected_inflation: float
    """The same if all settings were equally good, from the spread over seeds."""
    table: pd.DataFrame
    method: str
    note: str = ""


def declared_defaults(settings: Settings) -> dict[str, Scalar] | None:
    """The defaults that the method declares, if it is this project's and that setting was run; else None."""
    defaults = {name: declared_default(settings.method, name) for name in settings.names}
    row = settings.find(defaults)
    return None if row is None else settings.setting(row)


def tunability(
    settings: Settings, default: Mapping[str, Any], generator: np.random.Generator, level: float = LEVEL
) -> Tunability:
    """Compare the best settings with ``default``, which gives every varying hyperparameter a value.

    Raises StoreError where the default was not run. With a single seed only the naive numbers are known.
    """
    start = settings.position(default)
    players, complete = len(settings.names), settings.is_complete
    allowed = _allowed(settings, start, complete)
    seed = int(generator.integers(2**31))

    def cross_fitted(values: FloatArray) -> FloatArray:
        if values.shape[1] == 1:
            return np.full(len(rows) + 1, NAN)
        return _gains(halves(values, np.random.default_rng(seed)), allowed, players, complete)

    rows = _rows(settings.names, complete)
    naive = _gains(in_sample(settings.means), allowed, players, complete)
    found = jackknife(settings.values, cross_fitted, level)
    note = f"choosing and scoring {too_few(2, settings.n, 'seeds')}" if settings.n == 1 else found.note
    table = pd.DataFrame(rows, columns=["measure", "hyperparameter"])
    table = table.assign(gain=found.estimate[1:], low=found.low[1:], high=found.high[1:], naive=naive[1:])
    chosen = "chosen on half of the seeds and scored on the others" if settings.n > 1 else "not cross-fitted"
    method = f"best of {len(settings.table)} settings, {chosen}; {found.method}"
    inflation = expected_inflation(int(np.isfinite(settings.means).sum()), settings.n) * np.sqrt(
        seed_variance(settings)
    )
    return Tunability(
        default=settings.setting(start),
        best=settings.setting(int(np.nanargmax(settings.means))),
        default_value=t_interval(settings.values[start], level),
        gap=replace(found.at(0), method=method, note=note),
        naive_gap=float(naive[0]),
        inflation=float(naive[0] - found.estimate[0]),
        expected_inflation=float(inflation),
        table=table,
        method=method,
        note=note,
    )


def _allowed(settings: Settings, start: int, complete: bool) -> dict[Coalition, np.ndarray]:
    """The rows that differ from the default in members of the coalition only; off a grid, single players and all."""
    players = len(settings.names)
    wanted = coalitions(players)
    if not complete:
        wanted = [c for c in wanted if len(c) in (0, 1, players)]
    changed = settings.codes != settings.codes[start]
    outside = {c: [player for player in range(players) if player not in c] for c in wanted}
    return {c: np.flatnonzero(~changed[:, others].any(axis=1)) for c, others in outside.items()}


def _gains(split: Halves, allowed: Mapping[Coalition, np.ndarray], players: int, complete: bool) -> FloatArray:
    """The gap, then one number for each of ``_rows``."""
    none, everyone = frozenset[int](), frozenset(range(players))
    default = split.best(allowed[none])
    game: Game = {c: split.best(rows) - default for c, rows in allowed.items()}
    alone = [game[frozenset([j])] if len(allowed[frozenset([j])]) > 1 else NAN for j in range(players)]
    if not complete:
        return np.array([game[everyone], *alone])
    missed = [game[everyone] - game[everyone - {j}] for j in range(players)]
    pairs = [game[frozenset(pair)] for pair in combinations(range(players), 2)]
    interactions = faithful_interactions(game, players)[1]
    return np.array([game[everyone], *alone, *missed, *shapley_values(game, players), *pairs, *interactions])


def _rows(names: tuple[str, ...], complete: bool) -> list[tuple[str, str]]:
    pairs = [CROSS.join(pair) for pair in combinations(names, 2)]
    single = ("alone", "missed", "shapley") if complete else ("alone",)
    double = ("pair", "interaction") if complete else ()
    return [(m, name) for m in single for name in names] + [(m, pair) for m in double for pair in pairs]
