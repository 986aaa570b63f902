"""Architectures with several values each, to be ordered by one and by another: of a table, or of a study's cells."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.results import accuracies
from analysis.results.from_store import load
from analysis.results.table_checks import check_names, loss_word
from analysis.results.table_file import TEXT, as_numbers, as_text, read_frame
from trainables.benchmarks.accuracies import LOOKED_UP
from trainables.errors import ConfigError, StoreError, choose
from trainables.training_free import LOWER_IS_BETTER, PROXIES

GROUPS = ("method", "variant", "dataset", "protocol")
"""Columns of a study's trials by which its cells may be grouped."""
_OF_CELLS = (
    *LOOKED_UP, accuracies.SUPERNET, accuracies.RETRAIN, *(f"proxy_{name}" for name in PROXIES),
)  # fmt: skip
"""Columns of a study's trials that say something of the derived cell."""
_LARGEST = 1e100
"""Scores without training are products over layers, and huge; beyond this no axis holds them."""


@dataclass(frozen=True, eq=False)
class Architectures:
    """The columns asked for, one row a row of the source."""

    name: str
    values: pd.DataFrame
    """Numbers, NaN where one is missing."""
    groups: pd.Series | None
    """The group of each row, text; None where none were asked for."""
    cells: pd.Series | None
    """The architecture of each row, where rows of one are to be averaged; None where every row is one."""
    lower: frozenset[str]
    """Columns of which less is better."""
    titles: dict[str, str]
    """The columns in words."""
    about: dict[str, Any]
    pooled: str = ""
    """A column of groups, ``dataset``, of which several are in one list."""


def from_table(
    path: Path,
    columns: Collection[str],
    *,
    by: str | None = None,
    architecture: str | None = None,
    lower: Collection[str] = (),
    higher: Collection[str] = (),
) -> Architectures:
    """Read ``columns`` of a .parquet or .csv file.

    ``lower`` and ``higher`` say of which less and more is better; one that is named after a loss has to be among them.
    Raises StoreError and ConfigError, in one sentence, where a column is not there, no numbers, or left open.
    """
    frame = read_frame(path)
    for name in (*columns, *(name for name in (by, architecture) if name)):
        if name not in frame:
            raise StoreError(f"{path}: {choose('column', name, map(str, frame.columns))}")
    _check_sides(columns, lower, higher)
    found = {}
    for name in columns:
        word = loss_word(name)
        if word and name not in (*lower, *higher):
            raise StoreError(
                f"more of a value is better unless you say otherwise, but column {name!r} of {path} is named after "
                f"{word!r}; say --lower-is-better {name}, or --higher-is-better {name} if it is so"
            )
        found[name] = as_numbers(path, frame[name])
        if (odd := found[name].abs() > _LARGEST).any():
            raise StoreError(
                f"a value is a number up to {_LARGEST:g}, but column {name!r} of {path} has "
                f"{found[name][odd].iloc[0]:g}; leave its field empty"
            )
    groups = None if by is None else _names(path, frame[by])
    cells = None if architecture is None else _names(path, frame[architecture])
    if groups is not None:
        check_names(path, groups)
    about = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    titles = {name: name for name in columns}
    several = [name for name in TEXT if by is None and name in frame and frame[name].nunique() > 1]
    return Architectures(
        path.stem, pd.DataFrame(found), groups, cells, frozenset(lower), titles, about, several[-1] if several else ""
    )


def from_study(store: str, study: str | None, columns: Collection[str], *, by: str | None = None) -> Architectures:
    """The derived cells of a study, of its trials that ended ok. Raises StoreError and ConfigError."""
    results = load(store, study)
    trials = results.trials[(results.trials["status"] == "ok") & results.trials["genotype"].notna()]
    known = [column for column in _OF_CELLS if column in trials and trials[column].notna().any()]
    for name in columns:
        if name not in known:
            raise ConfigError(f"study {results.name}: {choose('column of derived cells', name, known)}")
    if by is not None and by not in GROUPS:
        raise ConfigError(f"--by: {choose('column to group by', by, GROUPS)}")
    values = trials[list(columns)].astype(float)
    values = values.where(values.abs() <= _LARGEST)
    groups = None if by is None else trials[by].astype(object).fillna("unknown").astype(str)
    lower = {name for name in columns if name.removeprefix("proxy_") in LOWER_IS_BETTER or name in accuracies.REGRETS}
    titles = {name: _title(name) for name in columns}
    about = {"study": results.name, "trials that ended ok": len(trials)}
    # Proxies are of the cell alone, shared weights of the search that they were trained in.
    pooled = by is None and accuracies.SUPERNET in columns and trials["method"].nunique() > 1
    return Architectures(
        results.name, values, groups, trials["genotype"], frozenset(lower), titles, about, "method" if pooled else ""
    )


def _title(column: str) -> str:
    titled = column in (*accuracies.TABLE, *accuracies.REGRETS, accuracies.SUPERNET, accuracies.RETRAIN)
    return accuracies.title(column) if titled else column.removeprefix("proxy_")


def _check_sides(columns: Collection[str], lower: Collection[str], higher: Collection[str]) -> None:
    for option, names in (("--lower-is-better", lower), ("--higher-is-better", higher)):
        for name in names:
            if name not in columns:
                raise ConfigError(f"{option}: {choose('column of --x or --y', name, columns)}")
    if both := set(lower) & set(higher):
        raise ConfigError(
            f"of a column less or more is better, but {min(both)!r} is named as both; drop one of the options"
        )


def _names(path: Path, values: pd.Series) -> pd.Series:
    names = as_text(path, values)
    if names.isna().any():
        row = int(np.flatnonzero(names.isna())[0])
        raise StoreError(
            f"every row needs a {values.name}, but row {row + 1} of {path} has none; fill it in or drop it"
        )
    return names
