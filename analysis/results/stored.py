"""The Parquet files of a store: where they are, what columns they have together, and how their rows are read.

A store is a folder or a URI that pyarrow understands (``s3://bucket/results``), holding one folder a study. Files may
hold one row or thousands, and files of different methods, or of an older schema, have different columns.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
from pyarrow import fs

from study.store.schema import MERGED
from trainables.errors import StoreError, choose
from trainables.secrets import refuse_credentials

T = TypeVar("T")

PANDAS_TYPES = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
"""What a null needs, so that whole numbers do not become floating ones."""


def open_store(store: str | Path) -> tuple[fs.FileSystem, str]:
    """The file system of a folder or URI, and the path on it. Raises StoreError."""
    if "://" not in str(store):
        return fs.LocalFileSystem(), Path(store).expanduser().resolve().as_posix()
    refuse_credentials(str(store))
    try:
        filesystem, root = fs.FileSystem.from_uri(str(store))
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"a store must be a folder or a URI that pyarrow opens, but got {store}: {error}") from None
    return filesystem, root.rstrip("/")


def find_study(filesystem: fs.FileSystem, root: str, study: str | None, given: str) -> tuple[str, str]:
    """The folder and name of the study meant, where ``root`` is a store or a study. Raises StoreError."""
    if _is_study(filesystem, root):
        name = root.rsplit("/", 1)[-1]
        if study not in (None, name):
            raise StoreError(f"{given} is the folder of study {name!r}, but study {study!r} was asked for")
        return root, name
    entries = filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True))
    found = sorted(e.base_name for e in entries if e.type == fs.FileType.Directory and _is_study(filesystem, e.path))
    if not found:
        raise StoreError(f"a store must hold a study with recorded trials, but {given} has none; run a study into it")
    if study is None and len(found) > 1:
        raise StoreError(f"a report is about one study, but {given} holds several; name one of: {', '.join(found)}")
    if study is not None and study not in found:
        raise StoreError(f"{given}: {choose('study', study, found)}")
    name = study or found[0]
    return f"{root}/{name}", name


def read_text(filesystem: fs.FileSystem, path: str) -> str:
    """A text file; empty where there is none."""
    if filesystem.get_file_info(path).type != fs.FileType.File:
        return ""
    with filesystem.open_input_stream(path) as stream:
        return bytes(stream.read()).decode(errors="replace")


def scan(filesystem: fs.FileSystem, folder: str, declared: pa.Schema, read: Callable[[pads.Dataset], T]) -> T:
    """What ``read`` makes of the folder's Parquet files, with every column that is declared or in any of them.

    A run that goes on meanwhile merges files: what is gone before it is read is in a merged file that is new, so
    ``read`` may be called again, and starts anew. Raises StoreError, which names it, on a damaged file.
    """
    paths = _parquet_files(filesystem, folder)
    try:
        format_ = pads.ParquetFileFormat()
        fragments = [format_.make_fragment(path, filesystem=filesystem) for path in paths]
        schema = _unify([declared, *(fragment.physical_schema for fragment in fragments)])
        found = read(pads.FileSystemDataset(fragments, schema, format_, filesystem))
    except (pa.ArrowException, OSError) as error:
        if set(paths) - set(_parquet_files(filesystem, folder)):
            return scan(filesystem, folder, declared, read)
        damaged = next((path for path in paths if not _is_readable(filesystem, path)), folder)
        raise StoreError(
            f"every record must be a whole Parquet file, but {damaged} cannot be read ({str(error).splitlines()[0]}); "
            "remove it and run the study again: only what is missing is repeated"
        ) from None
    news = set(_parquet_files(filesystem, folder)) - set(paths)
    if any(path.rpartition("/")[2].startswith(MERGED) for path in news):
        return scan(filesystem, folder, declared, read)
    return found


def _is_study(filesystem: fs.FileSystem, folder: str) -> bool:
    return filesystem.get_file_info(f"{folder}/trials").type == fs.FileType.Directory


def _parquet_files(filesystem: fs.FileSystem, folder: str) -> list[str]:
    entries = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    return sorted(e.path for e in entries if e.is_file and e.extension == "parquet" and e.base_name[0] not in "._")


def _unify(schemas: list[pa.Schema]) -> pa.Schema:
    """The union of all columns at the wider of two types; text where the types have nothing in common."""
    distinct = list(dict.fromkeys(schema.remove_metadata() for schema in schemas))
    try:
        return pa.unify_schemas(distinct, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        fields: dict[str, pa.Field] = {}
        for candidate in (field for schema in distinct for field in schema):
            known = fields.get(candidate.name, candidate)
            try:
                merged = pa.unify_schemas([pa.schema([known]), pa.schema([candidate])], promote_options="permissive")
                fields[candidate.name] = merged.field(0)
            except (pa.ArrowTypeError, pa.ArrowInvalid):
                fields[candidate.name] = pa.field(candidate.name, pa.string())
        return pa.schema(list(fields.values()))


def _is_readable(filesystem: fs.FileSystem, path: str) -> bool:
    try:
        for _ in pads.dataset(path, filesystem=filesystem, format="parquet").to_batches(fragment_readahead=1):
            pass
    except (pa.ArrowException, OSError):
        return False
    return True
