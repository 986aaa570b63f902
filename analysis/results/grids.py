"""Where the rows of epochs belong: searches of one variant that are about as long share a grid.

One pass over the trials' ids and epochs; nothing else of the rows is read, and their order does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from study.store.rows import RowFiles


@dataclass(frozen=True, eq=False)
class Grid:
    """Searches of one variant.

    ``trials`` are their places in the frame of all [searches], ``at`` the epochs that any of them has, ascending
    [points], ``values`` those of some columns [points, searches], NaN where a search has none.
    """

    variant: str
    trials: np.ndarray
    at: np.ndarray
    values: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Layout:
    """The grids, without values, one behind the other, and of each file the places of its rows in them.

    ``size`` is that of all grids together; a row of no recorded trial has the place behind them.
    """

    grids: list[Grid]
    size: int
    places: list[tuple[pafs.FileInfo, np.ndarray]]


def lay_out(rows: RowFiles | None, trials: pd.DataFrame) -> Layout:
    """Give every row of ``rows`` its place; ``trials`` have trial_id and variant. Raises StoreError."""
    ids = pd.Index(trials["trial_id"])
    parts = rows.parts(["trial_id", "epoch"], coded=["trial_id"]) if rows else ()
    keys = [(info, *_numbered(table, ids)) for info, table in parts]
    # One number a trial, and one more, the last, for rows of trials that are not recorded: they have the number -1.
    count, longest, first, start, width = np.zeros((5, len(ids) + 1), dtype=np.int64)
    for _, number, epoch in keys:
        runs = np.flatnonzero(np.diff(number, prepend=-2))  # the rows of a trial follow each other, as a rule
        np.add.at(count, number[runs], np.diff(runs, append=len(number)))
        np.maximum.at(longest, number[runs], np.maximum.reduceat(epoch, runs))
    groups = _groups(trials["variant"], count[:-1])
    epochs = 0
    for _, own in groups:
        first[own] = epochs
        epochs += longest[own].max() + 1
    first[-1], longest[-1] = epochs, 0
    seen = np.zeros(epochs + 1, dtype=bool)
    for _, number, epoch in keys:
        seen[first[number] + epoch] = True
    rank = np.zeros(len(seen), dtype=np.int64)
    grids, size = [], 0
    for variant, own in groups:
        span = slice(first[own[0]], first[own[0]] + longest[own].max() + 1)
        rank[span] = np.cumsum(seen[span]) - 1
        grids.append(Grid(variant, own, np.flatnonzero(seen[span]), {}))
        start[own], width[own] = size + np.arange(len(own)), len(own)
        size += len(own) * len(grids[-1].at)
    start[-1] = size
    small = np.int32 if size < 2**31 else np.int64
    places = []
    while keys:  # what is placed need not be kept
        info, number, epoch = keys.pop(0)
        places.append((info, (start[number] + rank[first[number] + epoch] * width[number]).astype(small)))
    return Layout(grids, size, places)


def _numbered(table: pa.Table, ids: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's trial among ``ids`` and its epoch; -1 and 0 where it is of none of them."""
    named = table["trial_id"].unify_dictionaries().combine_chunks()
    known = np.append(ids.get_indexer(named.dictionary.to_pandas()), -1)
    number = known[pc.fill_null(named.indices, -1).to_numpy()].astype(np.int32)
    epoch = pc.fill_null(table["epoch"].cast(pa.int32()), -1).to_numpy()
    return np.where(epoch < 0, -1, number), np.where(number < 0, 0, np.maximum(epoch, 0))


def _groups(variants: pd.Series, count: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Variant and trials that share a grid: none of them has twice the rows of another, so it is well filled."""
    recorded = np.flatnonzero(count)
    digits = np.frexp(count[recorded])[1].astype(np.int64)
    key = variants.cat.codes.to_numpy().astype(np.int64)[recorded] * 64 + digits
    order = np.argsort(key, kind="stable")
    kinds, begin = np.unique(key[order], return_index=True)
    names = [str(variants.cat.categories[kind // 64]) for kind in kinds]
    ends = [*begin[1:], len(order)]
    return [(name, recorded[order[b:e]]) for name, b, e in zip(names, begin, ends, strict=False)]
