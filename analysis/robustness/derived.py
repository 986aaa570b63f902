"""Derived cells as values of their space: a distinct cell is read once, however many trials derived it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from trainables.spaces import space_named
from trainables.spaces.space import Architecture, Space


def space_of(trials: pd.DataFrame) -> Space[Any]:
    """The space that a study's trials searched. Raises ConfigError where it is unknown to this version."""
    names = trials["space"].dropna() if "space" in trials else pd.Series(dtype=str)
    return space_named(str(names.iloc[0]) if len(names) else "nas_bench_201")


def derived(trials: pd.DataFrame) -> tuple[np.ndarray, list[Architecture]]:
    """The place of each trial's cell among the distinct ones; -1 where it did not end ok, or has none.

    Raises ConfigError where a text is no cell.
    """
    places, texts = pd.factorize(trials["genotype"].where(trials["status"] == "ok"))
    space = space_of(trials)
    return places, [_cell(space.name, text) for text in texts]


@cache
def _cell(space: str, text: str) -> Architecture:
    """Read once: several tables are of the same cells."""
    cell: Architecture = space_named(space).parse(text)
    return cell
