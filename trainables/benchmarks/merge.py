"""Which source each signal of a table comes from, when the user's benchmark and the built-in one both know it.

A signal (the mean and seeds of one data set and split), a training time and the accuracies of a 12-epoch training come
whole from one source: from the user's wherever it knows at least as many cells, since a ranking over cells of two
sources would compare different trainings.
"""

from __future__ import annotations

import numpy as np

from trainables.benchmarks.accuracies import ACCURACIES, DATASETS
from trainables.benchmarks.columns import Columns, short_column, time_column
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS

WHOLE = (
    {str(accuracy): [accuracy.column, *accuracy.seeds] for accuracy in ACCURACIES}
    | {time_column(d): [time_column(d)] for d in DATASETS}
    | {f"{d}_valid_12ep": [short_column(d)] for d in DATASETS}
)
"""What comes whole from one source -> its columns, the one that is known wherever any is known first."""


def merge(builtin: Columns, origin: str, theirs: Columns, name: str) -> tuple[Columns, dict[str, str]]:
    """The columns to use, and for each key of WHOLE that is known the source in words.

    ``origin`` and ``name`` are what the sentences call the built-in and the user's benchmark.
    """
    merged, sources = dict(builtin), {}
    for key, columns in WHOLE.items():
        known, offered = _coverage(builtin, columns), _coverage(theirs, columns)
        if offered and offered >= known:
            merged |= {column: theirs[column] for column in columns}
            differing = _differing(theirs, builtin, columns)
            note = f"; {differing:,} of them differ from {origin}" if differing else ""
            sources[key] = f"{name}: {_describe(theirs, columns)}{note}"
        elif known:
            note = f"; {name} has only {offered:,} cells" if offered else ""
            sources[key] = f"{origin}: {_describe(builtin, columns)}{note}"
    return merged, sources


def _coverage(values: Columns, columns: list[str]) -> int:
    """How many cells are known."""
    return int((~np.isnan(values[columns[0]])).sum()) if columns[0] in values else 0


def _seeds(values: Columns, columns: list[str]) -> list[str]:
    """The per-seed columns of which anything is known."""
    return [column for column in columns[1:] if not np.isnan(values[column]).all()]


def _describe(values: Columns, columns: list[str]) -> str:
    kind = "" if len(columns) == 1 else ", per training seed" if _seeds(values, columns) else ", means over seeds only"
    known = _coverage(values, columns)
    part = "" if known == NUM_CELLS else f" of {NUM_CELLS:,}, so no best cell and no regret"
    return f"{known:,} cells{part}{kind}"


def _differing(theirs: Columns, builtin: Columns, columns: list[str]) -> int:
    """In how many cells two sources disagree by more than 0.01 about a training that both know."""
    compared = _seeds(theirs, columns) or columns[:1]
    return int(np.any([np.abs(theirs[column] - builtin[column]) > 0.01 for column in compared], axis=0).sum())
