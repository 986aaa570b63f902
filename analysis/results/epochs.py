"""The epochs of a study a few variants at a time, whatever the number of rows and their order in the files.

One pass deals the rows out into temporary files of about FILE_ROWS rows; then each file is sorted by trial and epoch.
A part is one file with some whole variants, or the files of one large variant. What a reader holds at a time is one
part in the columns that it asks for, so the largest variant is what has to fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from pyarrow import ipc

from trainables.errors import StoreError

FILE_ROWS = 2_000_000
BATCH_ROWS = 250_000
"""Rows that are dealt out at a time."""
_TRIAL = "trial"
_OPTIONS = ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class Part:
    """Some variants, and the files with the rows of their trials, which are numbered by variant and then by id."""

    files: list[Path]
    first: int
    """The number of the first trial."""
    ids: pd.CategoricalDtype
    variants: frozenset[str]


@dataclass(frozen=True)
class Epochs:
    """The epochs of recorded trials, each once; of an epoch in two files the later one, by the files' names."""

    parts: list[Part]
    known: frozenset[str]
    """Columns in which any row has a value."""

    def __bool__(self) -> bool:
        return bool(self.parts)

    def read(self, trials: pd.DataFrame, columns: Iterable[str]) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Those of ``trials`` (with the column ``variant``) that share a part, and the part's epochs, part by part.

        The epochs have trial_id (categories: the part's trials), epoch and ``columns``, NaN where unknown, and queries
        where any trial spent some; they are sorted by trial and epoch, and hold the part's other trials too.
        """
        wanted = list(dict.fromkeys([*({"queries"} & self.known), *columns]))
        drawn = set(trials["variant"].unique())
        for part in self.parts:
            if part.variants & drawn:
                names = [_TRIAL, "epoch", *(c for c in wanted if c in self.known)]
                table = pa.concat_tables([_read(file, names) for file in part.files])
                codes = table[_TRIAL].to_numpy() - part.first
                frame = pd.DataFrame({"trial_id": pd.Categorical.from_codes(codes, dtype=part.ids)})
                frame["epoch"] = table["epoch"].to_numpy()
                for column in wanted:
                    frame[column] = table[column].to_numpy() if column in self.known else np.nan
                yield trials[trials["variant"].isin(part.variants)], frame


def partition(dataset: pads.Dataset, trials: pd.DataFrame, columns: list[str], folder: Path) -> Epochs:
    """Deal the rows of ``dataset`` out to files in ``folder``; ``trials`` have trial_id and variant.

    ``columns`` are numbers; all become float64. Raises StoreError where the folder cannot take the files.
    """
    order = trials[["variant", "trial_id"]].sort_values(["variant", "trial_id"], kind="stable")
    ids = pd.Index(order["trial_id"])
    parts, file_of_trial = _parts(order["variant"], ids, dataset.count_rows(), folder)
    files = [file for part in parts for file in part.files]
    schema = pa.schema([(_TRIAL, pa.int32()), ("epoch", pa.int32()), *((name, pa.float64()) for name in columns)])
    known: set[str] = set()
    empty = True
    with ExitStack() as opened:
        writers = [opened.enter_context(_writer(file, schema)) for file in files]
        for table in _gathered(dataset, ["trial_id", "epoch", *columns]):
            table, number = _numbered(table, ids, schema)
            empty &= not len(table)
            known |= {c for c in set(columns) - known if pc.any(pc.is_finite(table[c])).as_py()}
            own = file_of_trial[number]
            grouped = table.take(pa.array(np.argsort(own, kind="stable")))
            ends = np.cumsum(np.bincount(own, minlength=len(files)))
            for writer, start, end in zip(writers, [0, *ends], ends, strict=False):
                if end > start:
                    _write(writer, grouped.slice(start, end - start))
    if empty:
        return Epochs([], frozenset())
    for file in files:
        _sort(file)
    return Epochs(parts, frozenset(known))


def _parts(variants: pd.Series, ids: pd.Index, rows: int, folder: Path) -> tuple[list[Part], np.ndarray]:
    """The parts of trials in this order, and the place of each trial's file among all files [trials].

    All trials are taken to have as many rows.
    """
    most = max(1, int(FILE_ROWS * len(ids) / max(rows, 1)))
    """Trials of a file."""
    parts: list[Part] = []
    file_of_trial = np.empty(len(ids), dtype=np.int32)
    counts = variants.value_counts(sort=False)
    ends = counts[counts > 0].cumsum()
    names, first, files = [], 0, 0
    for name, end in ends.items():
        names.append(str(name))
        following = ends[ends > end]
        if len(following) and following.iloc[0] - first <= most:
            continue
        needed = -(-(int(end) - first) // most)
        file_of_trial[first:end] = files + np.arange(end - first) * needed // (end - first)
        paths = [folder / f"{files + i}.arrow" for i in range(needed)]
        parts.append(Part(paths, first, pd.CategoricalDtype(ids[first:end]), frozenset(names)))
        names, first, files = [], int(end), files + needed
    return parts, file_of_trial


def _gathered(dataset: pads.Dataset, columns: list[str]) -> Iterator[pa.Table]:
    """Tables of about BATCH_ROWS rows, in the order of the files: these may hold a single trial each."""
    held: list[pa.RecordBatch] = []
    for batch in dataset.to_batches(columns=columns, fragment_readahead=2, batch_readahead=4):
        held.append(batch)
        if sum(map(len, held)) >= BATCH_ROWS:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _numbered(table: pa.Table, ids: pd.Index, schema: pa.Schema) -> tuple[pa.Table, np.ndarray]:
    """The rows of known trials, in the columns of ``schema``, and the number of each row's trial among ``ids``."""
    table = table.filter(pc.and_(pc.is_valid(table["trial_id"]), pc.is_valid(table["epoch"])))
    named = table["trial_id"].combine_chunks().dictionary_encode()
    number = ids.get_indexer(named.dictionary.to_pandas())[named.indices.to_numpy()].astype(np.int32)
    if (unknown := number < 0).any():
        table, number = table.filter(pa.array(~unknown)), number[~unknown]
    table = table.set_column(0, _TRIAL, pa.array(number))
    return table.cast(schema), number


def _writer(file: Path, schema: pa.Schema) -> ipc.RecordBatchFileWriter:
    try:
        return ipc.new_file(file, schema, options=_OPTIONS)
    except OSError as error:
        raise _no_room(file.parent, error) from None


def _write(writer: ipc.RecordBatchFileWriter, table: pa.Table) -> None:
    try:
        writer.write_table(table)
    except OSError as error:
        raise _no_room(Path("the folder for temporary files"), error) from None


def _sort(file: Path) -> None:
    """By trial and epoch; of rows that are of one trial and epoch the last stays."""
    table = _read(file)
    if not len(table):
        return
    trial, epoch = table[_TRIAL].to_numpy(), table["epoch"].to_numpy()
    order = np.lexsort((epoch, trial))
    trial, epoch = trial[order], epoch[order]
    last = np.append((trial[1:] != trial[:-1]) | (epoch[1:] != epoch[:-1]), True)
    with _writer(file, table.schema) as writer:
        for start in range(0, len(order), BATCH_ROWS):
            chosen = order[start : start + BATCH_ROWS][last[start : start + BATCH_ROWS]]
            _write(writer, table.take(pa.array(chosen)))


def _read(file: Path, columns: list[str] | None = None) -> pa.Table:
    """Not by memory map: its pages would count as memory in use."""
    with pa.OSFile(str(file)) as source:
        schema = ipc.open_file(source).schema
        wanted = None if columns is None else [schema.get_field_index(column) for column in columns]
        return ipc.open_file(source, options=ipc.IpcReadOptions(included_fields=wanted)).read_all()


def _no_room(folder: Path, error: OSError) -> StoreError:
    reason = str(error).splitlines()[0]
    return StoreError(f"pooling needs room for temporary files, but {folder} has none ({reason}); set TMPDIR")
