"""How bad it gets: the worst setting and the worst share of settings, near the default and everywhere.

Near the default means one at a time: every setting that was run and differs from the default in at most one
hyperparameter. What is worst, or among the worst, is decided on one half of the seeds and scored on the other, because
the lowest of many means is low by bad luck too; a ``naive`` number is the lowest mean itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.sensitivity.numbers.crossfit import halves, in_sample, worst_only
from analysis.sensitivity.numbers.jackknife import jackknife
from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import LEVEL, NAN, FloatArray, too_few
from analysis.statistics.summary import TAIL

NEAR, ALL = "one at a time", "all settings"


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """``table``, for each neighbourhood and measure (mean, cvar, worst) a row: neighbourhood, measure, settings (with a
    value), lost (settings that never had one), estimate (percent), low, high, naive."""

    table: pd.DataFrame
    n: int
    method: str
    note: str = ""


def neighbours(settings: Settings, default: Mapping[str, Any]) -> np.ndarray:
    """The rows that differ from ``default`` in at most one hyperparameter. Raises StoreError where it was not run."""
    changed = settings.codes != settings.codes[settings.position(default)]
    return np.flatnonzero(changed.sum(axis=1) <= 1)


def tail_of_neighbourhoods(
    settings: Settings,
    default: Mapping[str, Any] | None,
    generator: np.random.Generator,
    level: float = LEVEL,
    *,
    tail: float = TAIL,
) -> Neighbourhood:
    """Mean, CVaR (mean of the worst ``tail`` of the settings) and worst; without a default, of all settings only."""
    every = np.arange(len(settings.table))
    rows = {ALL: every} if default is None else {NEAR: neighbours(settings, default), ALL: every}
    seed = int(generator.integers(2**31))

    def weights(count: int) -> FloatArray:
        return np.stack([np.full(count, 1 / count), tail_weights(count, tail), worst_only(count)])

    def numbers(values: FloatArray) -> FloatArray:
        if values.shape[1] == 1:
            return np.full((len(rows), 3), NAN)
        split = halves(values, np.random.default_rng(seed))
        return np.array([split.ranked(weights, members) for members in rows.values()])

    found = jackknife(settings.values, numbers, level)
    parts = []
    for place, (name, members) in enumerate(rows.items()):
        known = int(np.isfinite(settings.means[members]).sum())
        part = {
            "neighbourhood": name,
            "measure": ["mean", "cvar", "worst"],
            "settings": known,
            "lost": len(members) - known,
            "estimate": found.estimate[place],
            "low": found.low[place],
            "high": found.high[place],
            "naive": in_sample(settings.means).ranked(weights, members),
        }
        parts.append(pd.DataFrame(part))
    few = f"choosing and scoring {too_few(2, settings.n, 'seeds')}" if settings.n < 2 else found.note
    return Neighbourhood(
        table=pd.concat(parts, ignore_index=True),
        n=settings.n,
        method=f"CVaR {tail:g}: mean of the worst {100 * tail:g} % of the settings, cross-fitted; {found.method}",
        note=few,
    )


def tail_weights(count: int, tail: float) -> FloatArray:
    """The weights of ``count`` settings, worst first, whose sum is the CVaR; the one on the border counts in part."""
    return np.clip(tail * count - np.arange(count), 0, 1) / (tail * count)
