"""Tidy trials whose truth is known: a function of the hyperparameters, plus what seeds do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.sensitivity.numbers import Settings, read_settings

FILE = Path(__file__).parents[3] / "golden_sensitivity.json"
VALUE = "accuracy"
Levels = Mapping[str, Sequence[Any]]


@cache
def golden_cases() -> dict[str, Any]:
    """The published and independently computed numbers, by case."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def trials_of(
    rows: Sequence[Mapping[str, Any]],
    truth: Callable[..., float],
    *,
    seeds: int = 1,
    noise: float = 0.0,
    common: float = 0.0,
    rng: int = 0,
    method: str = "m",
    dataset: str = "d",
) -> pd.DataFrame:
    """Each row of hyperparameters with each seed: truth, a normal shift per seed (``common``), and normal ``noise``."""
    generator = np.random.default_rng(rng)
    shift = common * generator.standard_normal(seeds)
    trials = [
        {"method": method, "dataset": dataset, "seed": seed, **{f"hp.{name}": value for name, value in row.items()}}
        | {VALUE: truth(**row) + shift[seed] + noise * generator.standard_normal()}
        for row in rows
        for seed in range(seeds)
    ]
    return pd.DataFrame(trials)


def every(levels: Levels) -> list[dict[str, Any]]:
    """All combinations of the levels."""
    return [dict(zip(levels, values, strict=True)) for values in product(*levels.values())]


def grid(levels: Levels, truth: Callable[..., float], **options: Any) -> Settings:
    """The settings of ``trials_of`` a full grid."""
    return read_settings(trials_of(every(levels), truth, **options), VALUE)


def sample(count: int, names: str, truth: Callable[..., float], *, rng: int = 0, **options: Any) -> Settings:
    """``count`` settings drawn uniformly from the unit cube, a hyperparameter for each letter of ``names``."""
    points = np.random.default_rng([rng, 1]).random((count, len(names)))
    rows = [dict(zip(names, point.tolist(), strict=True)) for point in points]
    return read_settings(trials_of(rows, truth, rng=rng, **options), VALUE)
