"""The rows of one kind, a folder of Parquet files: ``<trial id>.parquet`` for a trial that a worker finished alone,
``step-*.parquet`` for those it finished within one step, ``compact-*.parquet`` for what was merged.

Files are merged while others read them (study/store/compaction.py). A merged file appears before those it replaces go,
so a file that is gone when it comes to be read has been merged, and the folder is listed again until no merged file is
new.
A row may be seen twice that way, never too seldom: readers take one row for each key.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from study.store.arrow import ROW_GROUP, Row, concatenated, encoded, encoded_whole, gathered, together
from study.store.files import Files, one_line
from study.store.schema import MERGED, STEP
from trainables.errors import StoreError

T = TypeVar("T")
Version = tuple[str, int, int]
"""A file's path, time and size: as long as they are the same, so is what it holds."""
Cache = dict[Version, pa.Table]

READ_WHOLE = 2**20
"""Files up to this size (bytes) are read whole: one request is faster than three for parts."""
LATEST = "_latest"
"""The file that names the newest file of many trials. It is read by its name: while it says the same, none is new."""


@dataclass
class RowFiles:
    """Rows under ``schema`` (and ``hp.*`` columns beside it), told apart by ``key``, the first being the trial's id.

    Of two rows with one key the one that is larger in ``newest`` counts.
    """

    files: Files
    folder: str
    schema: pa.Schema
    key: Sequence[str]
    newest: str | None = None

    def __post_init__(self) -> None:
        self._ids: dict[str, np.ndarray] = {}
        self._counts: dict[str, int] = {}
        self._latest: bytes | None = b""
        self._known: list[pa.Schema] = []
        """of files whose columns were found to be as they should"""

    def listing(self) -> list[pafs.FileInfo]:
        found = self.files.listing(self.folder)
        return [info for info in found if info.extension == "parquet" and not info.base_name.startswith("_")]

    def write(self, trials: Mapping[str, Sequence[Row]]) -> None:
        """The rows of trials that finished together, by their ids, in one file: that of the trial, where it is one."""
        content = encoded_whole(together(trials.values(), self.schema))
        if len(trials) == 1:
            self.files.write(f"{self.folder}/{next(iter(trials))}.parquet", content)
        else:
            self.announce(self._write_many(STEP, content))

    def write_merged(self, table: pa.Table) -> str:
        """Many trials' rows; returns the file's name."""
        return self._write_many(MERGED, encoded(table))

    def _write_many(self, kind: str, content: pa.Buffer) -> str:
        """The name says what is in the file: the same rows make the same file."""
        name = f"{kind}{hashlib.sha256(content).hexdigest()[:16]}.parquet"
        self.files.write(f"{self.folder}/{name}", content)
        return name

    def announce(self, name: str) -> None:
        """Tell all who look for single trials of a new file of many: before claims or the files that it replaces go."""
        self.files.write(f"{self.folder}/{LATEST}", f"{name} {uuid.uuid4().hex}".encode())

    def rewrite(self, transform: Callable[[list[Row]], list[Row]]) -> None:
        """Replace every file by what ``transform`` makes of its rows, ROW_GROUP at a time."""
        for info in self.listing():
            if (table := self.read(info)) is not None:
                schema = pa.schema([*self.schema, *(f for f in table.schema if f.name not in self.schema.names)])
                parts = (table.slice(start, ROW_GROUP).to_pylist() for start in range(0, len(table), ROW_GROUP))
                new = [pa.Table.from_pylist(transform(part), schema=schema) for part in parts]
                self._replace(info.path, pa.concat_tables([schema.empty_table(), *new]))

    def remove(self, trial_ids: set[str]) -> None:
        """Drop the rows of these trials."""
        for trial_id in trial_ids:
            self.files.delete(f"{self.folder}/{trial_id}.parquet")
        self.list_many()
        gone = np.array(sorted(trial_ids), dtype="S")
        for info in self.listing():
            if np.isin(gone, self._ids.get(info.path, ())).any() and (table := self.read(info)) is not None:
                keep = pc.invert(pc.is_in(table[self.key[0]], pa.array(sorted(trial_ids))))
                self._replace(info.path, table.filter(keep))
                del self._ids[info.path]

    def _replace(self, path: str, table: pa.Table) -> None:
        name = f"{self.folder}/{path.rpartition('/')[2]}"
        if len(table):
            self.files.write(name, encoded(table))
        else:
            self.files.delete(name)

    def tables(self, columns: Sequence[str] | None = None, cache: Cache | None = None) -> Iterator[pa.Table]:
        """The rows of all files, file by file; a trial may come twice. ``cache`` remembers them between calls.

        Raises StoreError where a file is damaged.
        """
        return (table for _, table in self.parts(columns, cache))

    def whole(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of all files in one table, with every column that is declared or in any file, or with ``columns``.

        A trial may come twice. Raises StoreError where a file is damaged.
        """
        declared = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        return concatenated([declared.empty_table(), *gathered(self.tables(columns))])

    def parts(
        self, columns: Sequence[str] | None = None, cache: Cache | None = None, coded: Sequence[str] = ()
    ) -> Iterator[tuple[pafs.FileInfo, pa.Table]]:
        """``tables``, each with its file; those of the columns that are ``coded`` as in ``read``."""
        known: Cache = {} if cache is None else cache
        seen: set[Version] = set()
        fresh = self.listing()
        while fresh:
            versions = {version(info): info for info in fresh}
            seen.update(versions)
            yield from ((info, known[v]) for v, info in versions.items() if v in known)
            unread = [info for v, info in versions.items() if v not in known]
            for info, table in zip(unread, self.files.map(lambda i: self.read(i, columns, coded), unread), strict=True):
                if table is not None:
                    yield info, table
                    if cache is not None:
                        cache[version(info)] = table
            paths = {path for path, _, _ in seen}
            fresh = [info for info in self.listing() if is_merged(info) and info.path not in paths]
        for gone in set(known) - seen:
            del known[gone]

    def read(
        self, info: pafs.FileInfo, columns: Sequence[str] | None = None, coded: Sequence[str] = ()
    ) -> pa.Table | None:
        """One file's rows, or None if it has been merged since it was listed. Raises StoreError.

        A column the file does not have (another method's hyperparameter, a newer schema's) is null. Of ``coded``
        columns of text each text is read once: they are dictionaries, a part of the file each its own.
        """

        def get() -> pa.Table:
            with self.files.filesystem.open_input_file(info.path) as source:
                whole = source if info.size > READ_WHOLE else pa.BufferReader(source.read())
                file = pq.ParquetFile(whole, read_dictionary=coded)
                self._check(file.schema.to_arrow_schema(), info.path)
                present = file.schema_arrow.names
                return file.read([n for n in columns or present if n in present], use_threads=False)

        table = self._reading(info.path, get)
        if table is not None:
            for name in set(columns or ()) - set(table.column_names):
                table = table.append_column(name, pa.nulls(len(table)))
        return table

    def count(self, info: pafs.FileInfo) -> int | None:
        """How many rows a merged file has, or None if it is gone; its end is read once."""
        if info.path not in self._counts:

            def get() -> int:
                with self.files.filesystem.open_input_file(info.path) as source:
                    return int(pq.ParquetFile(source).metadata.num_rows)

            counted = self._reading(info.path, get)
            if counted is None:
                return None
            self._counts[info.path] = counted
        return self._counts[info.path]

    def distinct(self, table: pa.Table) -> pa.Table:
        """Sorted by key, so that statistics tell which part of a file holds a trial; one row for each key."""
        newest = [(self.newest, "descending")] if self.newest else []
        table = table.sort_by([*((name, "ascending") for name in self.key), *newest])
        differs = pa.array([False] * (len(table) - 1), pa.bool_())
        for name in self.key:
            column = table[name].combine_chunks()
            differs = pc.or_(differs, pc.not_equal(column[1:], column[:-1]))
        return table.filter(pa.concat_arrays([pa.array([True] * min(1, len(table))), differs]))

    # one trial ---------------------------------------------------------------------------------------------------

    def find(self, trial_id: str) -> list[Row]:
        """The rows of one trial, asked for by its own name; of large files only the part that holds them is read."""
        name = f"{self.folder}/{trial_id}.parquet"
        if (content := self.files.read(name)) is not None:
            source = pa.BufferReader(content)
            table = self._reading(name, lambda: pq.read_table(source, use_threads=False))
            assert table is not None, "its content has been read"
            self._check(table.schema, f"{self.files.root}/{name}")
            rows = table.to_pylist()
            own = [row for row in rows if row[self.key[0]] == trial_id]
            if rows and not own:
                raise misnamed(f"{self.files.root}/{name}")
            return own
        if (latest := self.files.read(f"{self.folder}/{LATEST}")) != self._latest:
            self.list_many()
            if latest is None or any(path.endswith(latest.split()[0].decode()) for path in self._ids):
                self._latest = latest  # else the listing lags behind, and is to be looked at again
        tables = [self._rows_of(path, trial_id) for path in self._paths_of(trial_id)]
        while None in tables:
            self.list_many()
            tables = [self._rows_of(path, trial_id) for path in self._paths_of(trial_id)]
        return list(self.distinct(concatenated(tables)).to_pylist()) if tables else []

    def list_many(self) -> None:
        """Bring the index of the files of many trials up to date: the ids in each are read once."""
        listed = {info.path: info for info in self.listing() if info.base_name.startswith((STEP, MERGED))}
        news = [info for path, info in listed.items() if path not in self._ids]
        tables = list(self.files.map(lambda info: self.read(info, self.key[:1]), news))
        self._ids = {path: ids for path, ids in self._ids.items() if path in listed}
        for info, table in zip(news, tables, strict=True):
            if table is not None:
                self._ids[info.path] = np.unique(table.column(0).to_numpy().astype("S"))

    def _check(self, schema: pa.Schema, path: str) -> None:
        """Raises StoreError where a file's columns are not those of records."""
        if any(schema.equals(known) for known in self._known):
            return
        wrong = [name for name in schema.names if schema.names.count(name) > 1]
        wrong += [name for name in self.key if schema.names and name not in schema.names]
        for field in schema:
            declared = field.name in self.schema.names
            kinds = {kind(self.schema.field(field.name).type)} if declared else {"numbers", "text"}
            wrong += [field.name] if kind(field.type) not in kinds | {"nothing"} else []
        if wrong:
            raise StoreError(
                f"a result file must have the columns that this program writes, but in {path} `{wrong[0]}` is missing, "
                "double or of another type; delete the file and run the study again"
            )
        self._known.append(schema)

    def _reading(self, path: str, get: Callable[[], T]) -> T | None:
        try:
            return self.files.attempt(get)
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError) as error:
            remedy = "; the curves of its trials are lost" if self.folder == "epochs" else " and run the study again"
            raise StoreError(
                f"a result file must be a whole Parquet file, but {path} is not ({one_line(error)}); delete it{remedy}"
            ) from None

    def _paths_of(self, trial_id: str) -> list[str]:
        """The files of many trials that hold this one: one, as a rule."""
        places = [(path, ids, int(np.searchsorted(ids, trial_id.encode()))) for path, ids in self._ids.items()]
        return [path for path, ids, place in places if place < len(ids) and ids[place] == trial_id.encode()]

    def _rows_of(self, path: str, trial_id: str) -> pa.Table | None:
        """A trial's rows in a file of many, or None if the file is gone."""

        def get() -> pa.Table:
            wanted = pc.field(self.key[0]) == trial_id
            return pq.read_table(path, filesystem=self.files.filesystem, filters=wanted, use_threads=False)

        table = self._reading(path, get)
        if table is None:
            self._ids.pop(path, None)
        return table


def kind(type_: pa.DataType) -> str:
    """What a column's values are to a reader, however wide."""
    is_a = pa.types
    if is_a.is_integer(type_) or is_a.is_floating(type_) or is_a.is_boolean(type_):
        return "numbers"
    if is_a.is_string(type_) or is_a.is_large_string(type_):
        return "text"
    return "nothing" if is_a.is_null(type_) else type_.__class__.__name__


def misnamed(path: str) -> StoreError:
    """Of a file that somebody copied or renamed: the trial it is named after would never be finished."""
    return StoreError(
        f"a result file must hold the trial that it is named after, but {path} holds another; delete it if it is a "
        "copy, else give it the name of its trial_id, and run the study again"
    )


def version(info: pafs.FileInfo) -> Version:
    return info.path, info.mtime_ns, info.size


def is_merged(info: pafs.FileInfo) -> bool:
    return bool(info.base_name.startswith(MERGED))
