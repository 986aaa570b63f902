"""Derived cells as numbers: a distinct cell is read once, however many trials derived it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from trainables.spaces.nas_bench_201.genotype import Genotype


def cells_of(genotypes: pd.Series) -> tuple[np.ndarray, list[Genotype]]:
    """The place of each of ``genotypes``, cells in their text form, among the distinct ones; -1 where it is missing.

    Raises ConfigError where a text is no cell.
    """
    places, texts = pd.factorize(genotypes)
    return places, [_cell(text) for text in texts]


def derived(trials: pd.DataFrame) -> tuple[np.ndarray, list[Genotype]]:
    """``cells_of`` the trials that ended ok; -1 for all others."""
    return cells_of(trials["genotype"].where(trials["status"] == "ok"))


@cache
def _cell(text: str) -> Genotype:
    """Read once: several tables are of the same cells."""
    return Genotype.from_string(text)
