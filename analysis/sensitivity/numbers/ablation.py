"""The path from the default to another setting, one hyperparameter at a time: which of the changes matter.

Greedy: each step makes the change that gains most. Only settings that were run are visited, nothing is predicted. The
order decides what a step gains, so the Shapley value, the mean gain over all orders, stands beside it.

Source: Fawcett and Hoos, "Analysing differences between algorithm configurations through ablation", J. Heuristics 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.sensitivity.numbers.games import coalitions, shapley_values
from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import LEVEL, NAN
from analysis.statistics.intervals import t_interval


@dataclass(frozen=True, eq=False)
class Ablation:
    """``table``, one row a step: hyperparameter, before, after (its levels), value (mean after the step), gain, low and
    high (Student-t, of the seeds' paired differences), shapley (NaN where combinations were not run)."""

    start_value: float
    table: pd.DataFrame
    n: int
    method: str
    note: str = ""


def ablation_path(settings: Settings, start: Mapping[str, Any], level: float = LEVEL) -> Ablation:
    """Walk from ``start`` to the setting of the highest mean.

    The path ends early where no next setting was run. Raises StoreError where ``start`` was not run.
    """
    first = settings.position(start)
    last = int(np.nanargmax(settings.means))
    rows = _between(settings, first, last)
    differing = np.flatnonzero(settings.codes[first] != settings.codes[last]).tolist()
    shapley = _shapley(settings, rows, differing)
    done: frozenset[int] = frozenset()
    steps: list[dict[str, Any]] = []
    while candidates := [j for j in differing if j not in done and done | {j} in rows]:
        here = rows[done]
        chosen = max(candidates, key=lambda j: settings.means[rows[done | {j}]])
        done = done | {chosen}
        there, hyperparameter = rows[done], settings.hyperparameters[chosen]
        gain = t_interval(settings.values[there] - settings.values[here], level)
        steps.append(
            {
                "hyperparameter": hyperparameter.name,
                "before": hyperparameter.levels[settings.codes[here, chosen]],
                "after": hyperparameter.levels[settings.codes[there, chosen]],
                "value": settings.means[there],
                "gain": gain.estimate,
                "low": gain.low,
                "high": gain.high,
                "shapley": shapley[chosen],
            }
        )
    columns = ["hyperparameter", "before", "after", "value", "gain", "low", "high", "shapley"]
    short = "" if len(done) == len(differing) else f"no setting after step {len(done)} of {len(differing)} was run"
    interval = t_interval([], level).method
    return Ablation(
        start_value=float(settings.means[first]),
        table=pd.DataFrame(steps, columns=columns),
        n=settings.n,
        method=f"greedy ablation over settings that were run; {interval} of paired differences over seeds",
        note=short,
    )


def _between(settings: Settings, first: int, last: int) -> dict[frozenset[int], int]:
    """The rows that have some changed hyperparameters as in ``last`` and all others as in ``first``, by which."""
    codes, start, end = settings.codes, settings.codes[first], settings.codes[last]
    on_the_way = ((codes == start) | (codes == end)).all(axis=1) & np.isfinite(settings.means)
    return {frozenset(np.flatnonzero(codes[row] != start).tolist()): row for row in np.flatnonzero(on_the_way).tolist()}


def _shapley(settings: Settings, rows: Mapping[frozenset[int], int], differing: list[int]) -> dict[int, float]:
    """By hyperparameter; NaN where the settings of some orders are missing."""
    wanted = {c: frozenset(differing[player] for player in c) for c in coalitions(len(differing))}
    if not all(members in rows for members in wanted.values()):
        return dict.fromkeys(differing, NAN)
    game = {c: float(settings.means[rows[members]]) for c, members in wanted.items()}
    return dict(zip(differing, shapley_values(game, len(differing)).tolist(), strict=True))
