"""The epochs of a study as grids, a column or a few at a time, however many rows, in whatever order and files.

A pass over the files tells where each row belongs (analysis/results/grids.py); each column is one more, which puts
every value in its place. What is held are the places and the columns asked for last: 8 bytes a row and column, some
more where searches of a variant differ in length.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.fs as pafs

from analysis.results.grids import Grid, Layout, lay_out
from study.store.rows import RowFiles

T = TypeVar("T")


class Epochs:
    """The epochs of ``trials`` (all of a study); of an epoch in two files the later one counts, by the files' names.

    ``known`` are those of ``columns`` in which any row has a value; all become float64. Raises StoreError on a damaged
    file, now and in ``read``. Without ``rows`` there are none.
    """

    def __init__(self, rows: RowFiles | None, trials: pd.DataFrame, columns: Iterable[str]) -> None:
        self._rows, self._trials = rows, trials
        self._layout = lay_out(rows, trials)
        self._held: dict[str, np.ndarray] = {}
        self.known = self._find_known({"queries", *columns})

    def __bool__(self) -> bool:
        return bool(self._layout.grids)

    def read(self, trials: pd.DataFrame, columns: Iterable[str]) -> Iterator[Grid]:
        """The grids of those of ``trials``, rows of all, that ended ok; those of a variant follow each other.

        Of searches that query the table ``at`` are the queries spent, with the last row of each number; else epochs.
        """
        chosen = np.zeros(len(self._trials), dtype=bool)
        chosen[trials.index[trials["status"] == "ok"]] = True
        if not any(chosen[grid.trials].any() for grid in self._layout.grids):
            return
        columns = list(columns)
        layout, found = self._read([*columns, *(("queries", "epoch") if "queries" in self.known else ())])
        end = 0
        for grid in layout.grids:
            shape = len(grid.at), len(grid.trials)
            start, end = end, end + shape[0] * shape[1]
            own = chosen[grid.trials]
            if own.any():
                values = {name: whole[start:end].reshape(shape) for name, whole in found.items()}
                if not own.all():
                    values = {name: whole[:, own] for name, whole in values.items()}
                unknown = np.broadcast_to(np.nan, (shape[0], int(own.sum())))
                values |= {name: unknown for name in columns if name not in values}
                yield _by_queries(Grid(grid.variant, grid.trials[own], grid.at, values))

    def _read(self, columns: list[str]) -> tuple[Layout, dict[str, np.ndarray]]:
        """Those of ``columns`` that are known, in the order of the grids; what was read the last time is kept."""
        wanted = [name for name in dict.fromkeys(columns) if name in self.known or name == "epoch"]
        self._held = {name: values for name, values in self._held.items() if name in wanted}

        def fill() -> dict[str, np.ndarray]:
            values = {name: np.full(self._layout.size + 1, np.nan) for name in wanted if name not in self._held}
            for places, table in self._tables(values):
                for name, whole in values.items():
                    whole[places] = _numbers(table, name)
            return self._held | values

        self._held = self._anew(fill)
        return self._layout, self._held

    def _find_known(self, columns: set[str]) -> frozenset[str]:
        def find() -> set[str]:
            unknown = set(columns)
            for places, table in self._tables(unknown):
                recorded = places < self._layout.size
                given = [name for name in unknown if table[name].null_count < len(table)]
                unknown -= {name for name in given if np.isfinite(_numbers(table, name)[recorded]).any()}
            return columns - unknown

        return frozenset(self._anew(find))

    def _tables(self, columns: Collection[str]) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """The places and rows of each file, in what ``columns`` are when it is its turn: none is read for none."""
        rows = self._rows
        if rows is None:
            return

        def read(file: tuple[pafs.FileInfo, np.ndarray]) -> pa.Table | None:
            return rows.read(file[0], sorted(columns)) if columns else None

        tables = rows.files.map(read, self._layout.places)
        for (_, places), table in zip(self._layout.places, tables, strict=True):
            if not columns:
                return
            if table is None or len(table) != len(places):
                raise _MergedError
            yield places, table

    def _anew(self, read: Callable[[], T]) -> T:
        """What ``read`` gives, again from the start with the files of then where one has been merged meanwhile."""
        while True:
            try:
                return read()
            except _MergedError:
                self._layout, self._held = lay_out(self._rows, self._trials), {}


class _MergedError(Exception):
    """A file is no longer what its rows' places were made for."""


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].cast(pa.float64()).to_numpy()


def _by_queries(grid: Grid) -> Grid:
    """The grid with the queries spent in place of the epochs, where its searches count any."""
    if "queries" not in grid.values:
        return grid
    queries, epoch = grid.values.pop("queries"), grid.values.pop("epoch")
    if np.isnan(queries).all():
        return grid
    spent = np.where(np.isnan(queries), epoch, queries)
    place, at = pd.factorize(spent.ravel(), sort=True)
    place = place.reshape(spent.shape)
    values = {name: np.full((len(at), spent.shape[1]), np.nan) for name in grid.values}
    for name, given in grid.values.items():
        for row, to in zip(given, place, strict=True):
            there = np.flatnonzero(to >= 0)
            values[name][to[there], there] = row[there]
    return Grid(grid.variant, grid.trials, at.astype(np.int64), values)
