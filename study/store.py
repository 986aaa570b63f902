"""The result store: a folder (or object-storage prefix) of Parquet files, one finished trial a file, written whole.

    <store>/<study>/study.yaml         the study as run
                    environment.json   versions, hardware, fingerprints of data and table
                    trials/            <trial id>.parquet, one row; compact-*.parquet, many
                    epochs/            the same names: one row a trial-epoch
                    checkpoints/       trials in progress

A trial's epochs are written before its row, so a row that exists is complete. A file appears whole or not at all: on a
disk it is written aside and renamed, on object storage it is one PUT. Nothing is ever appended to.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from study.schema import EPOCHS, SCHEMA_VERSION, TRIALS
from trainables.errors import StoreError

Row = dict[str, Any]


class Store:
    """The results of one study under ``uri``: a local path, or a URI such as ``s3://bucket/prefix``."""

    def __init__(self, uri: str | Path, study: str) -> None:
        self.uri, self.study = str(uri), study

    def __reduce__(self) -> tuple[type[Store], tuple[str, str]]:
        return Store, (self.uri, self.study)  # never the file system object: it may hold credentials

    @cached_property
    def _location(self) -> tuple[pafs.FileSystem, str]:
        if "://" not in self.uri:
            return pafs.LocalFileSystem(), str(Path(self.uri).expanduser().resolve() / self.study)
        filesystem, path = pafs.FileSystem.from_uri(self.uri)
        return filesystem, f"{path}/{self.study}"

    @property
    def path(self) -> str:
        """Where the study lies, as the user would write it; a URI's options (``?region=...``) stay at its end."""
        place, question, options = self.uri.partition("?")
        return f"{place.rstrip('/')}/{self.study}{question}{options}"

    # the study ---------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folders and prove they can be written. Raises StoreError."""
        filesystem, root = self._location
        probe = f"{root}/checkpoints/.probe-{uuid.uuid4().hex}"
        try:
            for folder in ("trials", "epochs", "checkpoints"):
                filesystem.create_dir(f"{root}/{folder}", recursive=True)
            self._write(probe, b"")
            filesystem.delete_file(probe)
        except OSError as error:
            raise StoreError(
                f"the result store must be writable, but {self.path} is not ({error}); give another one with --store"
            ) from None

    def read_text(self, name: str) -> str | None:
        """A small file of the study (study.yaml, environment.json), or None if there is none yet."""
        content = self._read(f"{self._location[1]}/{name}")
        return None if content is None else content.decode()

    def write_text(self, name: str, text: str) -> None:
        self._write(f"{self._location[1]}/{name}", text.encode())

    # finished trials ---------------------------------------------------------------------------------------------

    def finished(self, columns: Iterable[str] = ("status",)) -> dict[str, Row]:
        """Trial id -> the named columns of its row, for every finished trial."""
        table = self._dataset("trials", ["trial_id", *columns])
        return {row["trial_id"]: row for row in table.to_pylist()}

    def merged(self) -> dict[str, str]:
        """Trial id -> path, for the trials in merged files."""
        files = [info.path for info in self._files("trials") if info.base_name.startswith("compact-")]
        return {i: path for path in files for i in self._open(path, ["trial_id"])["trial_id"].to_pylist()}

    def find(self, trial_id: str, merged: Mapping[str, str]) -> Row | None:
        """The row of one trial, in a file of its own or where ``merged()`` saw it; None while it is not finished."""
        filesystem, root = self._location
        path = f"{root}/trials/{trial_id}.parquet"
        if not filesystem.get_file_info(path).is_file:
            if trial_id not in merged:
                return None
            path = merged[trial_id]
        row: Row = self._open(path).filter(pc.field("trial_id") == trial_id).to_pylist()[0]
        return row

    def write(self, trial: Row, epochs: list[Row]) -> None:
        """Store a finished trial: its epochs, then its row, then drop its checkpoint."""
        trial_id = trial["trial_id"]
        self._write_table("epochs", trial_id, _table([{"trial_id": trial_id, **row} for row in epochs], EPOCHS))
        self._write_table("trials", trial_id, _table([{"schema_version": SCHEMA_VERSION, **trial}], TRIALS))
        self.delete_checkpoint(trial_id)

    def rewrite(self, transform: Callable[[str, list[Row]], list[Row]]) -> None:
        """Replace every file of ``trials`` and ``epochs`` by ``transform(kind, rows)``, file by file."""
        for kind, schema in (("epochs", EPOCHS), ("trials", TRIALS)):
            for info in self._files(kind):
                rows = self._open(info.path).to_pylist()
                name = info.base_name.removesuffix(".parquet")
                self._write_table(kind, name, _table(transform(kind, rows), schema))

    def remove(self, trial_ids: Iterable[str]) -> None:
        """Forget trials (to run failed ones again): their row and epochs leave the store."""
        gone = set(trial_ids)
        if not gone:
            return
        for kind in ("trials", "epochs"):
            for info in self._files(kind):
                table = self._open(info.path)
                ids = table["trial_id"].to_pylist()
                if info.base_name.removesuffix(".parquet") in gone or (ids and gone.issuperset(ids)):
                    self._location[0].delete_file(info.path)
                elif gone.intersection(ids):
                    keep = table.filter(pa.array([trial_id not in gone for trial_id in ids]))
                    self._write_table(kind, info.base_name.removesuffix(".parquet"), keep)

    def compact(self) -> int:
        """Merge the files of finished trials into one a kind; returns how many trials it holds.

        The merged file appears before the small ones go, so a kill in between leaves rows twice, which every reader
        takes for one; nothing is ever missing.
        """
        files = self._files("trials")
        if len(files) > 1:
            ids = sorted(self._dataset("trials", ["trial_id"])["trial_id"].to_pylist())
            name = "compact-" + hashlib.sha256("".join(ids).encode()).hexdigest()[:16]
            for kind, schema in (("epochs", EPOCHS), ("trials", TRIALS)):
                old = [info.path for info in self._files(kind) if info.base_name != f"{name}.parquet"]
                self._write_table(kind, name, self._dataset(kind, None, schema, set(ids)))
                for path in old:
                    if kind == "trials" or not self._holds_other(path, set(ids)):
                        self._location[0].delete_file(path)
        return len(self.finished())

    # trials in progress ------------------------------------------------------------------------------------------

    def checkpoints(self) -> list[str]:
        """Ids of trials that have a checkpoint."""
        return [i.base_name.removesuffix(".pt") for i in self._files("checkpoints") if i.base_name.endswith(".pt")]

    def read_checkpoint(self, trial_id: str) -> bytes | None:
        return self._read(f"{self._location[1]}/checkpoints/{trial_id}.pt")

    def write_checkpoint(self, trial_id: str, content: bytes) -> None:
        self._write(f"{self._location[1]}/checkpoints/{trial_id}.pt", content)

    def delete_checkpoint(self, trial_id: str) -> None:
        """Drop what is left of a trial in progress."""
        filesystem, root = self._location
        for suffix in ("pt", "attempts"):
            path = f"{root}/checkpoints/{trial_id}.{suffix}"
            if filesystem.get_file_info(path).type == pafs.FileType.File:
                filesystem.delete_file(path)

    def count_attempt(self, trial_id: str, run_id: str) -> int:
        """Note that a worker starts (or restarts) a trial; returns how often it did so in this run."""
        path = f"{self._location[1]}/checkpoints/{trial_id}.attempts"
        content = self._read(path)
        earlier = json.loads(content) if content else {}
        count = earlier["count"] + 1 if earlier.get("run_id") == run_id else 1
        self._write(path, json.dumps({"run_id": run_id, "count": count}).encode())
        return count

    # files -------------------------------------------------------------------------------------------------------

    def _files(self, folder: str) -> list[pafs.FileInfo]:
        filesystem, root = self._location
        selector = pafs.FileSelector(f"{root}/{folder}", allow_not_found=True)
        infos = [i for i in filesystem.get_file_info(selector) if i.is_file and not i.base_name.startswith(".")]
        return sorted(infos, key=lambda info: info.path)

    def _dataset(
        self, kind: str, columns: list[str] | None, base: pa.Schema = TRIALS, ids: set[str] | None = None
    ) -> pa.Table:
        """All rows of a kind, each trial (and epoch) once."""
        tables = []
        seen: set[str] = set()
        for info in self._files(kind):
            table = self._open(info.path, columns)
            fresh = [t not in seen and (ids is None or t in ids) for t in table["trial_id"].to_pylist()]
            seen |= set(table["trial_id"].to_pylist())
            tables.append(table.filter(pa.array(fresh, pa.bool_())))
        if not tables:
            return base.empty_table().select(columns or base.names)
        return pa.concat_tables(tables, promote_options="permissive")

    def _holds_other(self, path: str, ids: set[str]) -> bool:
        return not ids.issuperset(self._open(path, ["trial_id"])["trial_id"].to_pylist())

    def _open(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """A file's rows; a column it does not have (another method's hyperparameter, a newer schema's) is null."""
        try:
            with self._location[0].open_input_file(path) as source:
                file = pq.ParquetFile(source)
                present = file.schema_arrow.names
                table = file.read([name for name in columns or present if name in present], use_threads=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise StoreError(
                f"a result file must be a whole Parquet file, but {path} is not ({error}); delete it and run the study "
                "again to make it anew"
            ) from None
        for name in set(columns or ()) - set(table.column_names):
            table = table.append_column(name, pa.nulls(len(table)))
        return table

    def _read(self, path: str) -> bytes | None:
        try:
            with self._location[0].open_input_stream(path) as stream:
                return bytes(stream.read())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"the result store must be readable, but {path} is not ({error})") from None

    def _write_table(self, kind: str, name: str, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._write(f"{self._location[1]}/{kind}/{name}.parquet", sink.getvalue())

    def _write(self, path: str, content: bytes | pa.Buffer) -> None:
        filesystem = self._location[0]
        local = isinstance(filesystem, pafs.LocalFileSystem)
        folder, _, name = path.rpartition("/")
        target = f"{folder}/.{name}-{uuid.uuid4().hex}" if local else path
        with filesystem.open_output_stream(target) as stream:
            stream.write(content)
        if local:
            filesystem.move(target, path)


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    """Rows as a typed table; keys outside the schema are hyperparameters, typed by their values."""
    extra = sorted({key for row in rows for key in row} - set(schema.names))
    unknown = [key for key in extra if not key.startswith("hp.")]
    assert not unknown, f"columns {unknown} are not in the schema"
    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    for key in extra:
        value = next(row[key] for row in rows if row.get(key) is not None)
        schema = schema.append(pa.field(key, kinds[type(value)]))
    return pa.Table.from_pylist(rows, schema=schema)
