"""Converted benchmarks on disk, named by the content they were converted from.

Conversion is repeated only when content changes: a file that was copied, moved or touched is recognised by its digest,
and the digest of a file whose path, size and times are unchanged is remembered, so that opening does not read it again.
Files appear whole or not at all, so any number of processes may convert and open the same benchmark at once.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq

from trainables.benchmarks.columns import COLUMNS, Columns, cell_strings, unknown
from trainables.errors import BenchmarkError, reason
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS

_FORMAT = "benchmarks-3"  # raised when a conversion would give other columns or values than before, or refuse


def content_digest(files: Sequence[Path]) -> str:
    """The MD5 (32 hex digits) of one file; of several, the MD5 of their names and MD5s. Paths must be absolute.

    Raises BenchmarkError for what is no ordinary file.
    """
    if strange := next((file for file in files if not file.is_file()), None):
        raise BenchmarkError(f"a benchmark must consist of ordinary files, but {strange} is none; replace or remove it")
    stats = [(str(file), file.stat()) for file in files]
    state = [(file, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) for file, stat in stats]
    remembered = _folder() / "digests" / _md5(repr(state).encode())
    if remembered.exists() and re.fullmatch(rb"[0-9a-f]{32}", known := remembered.read_bytes()):
        return known.decode()
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, _md5_object).hexdigest())
    names = "".join(f"{file.name} {digest}\n" for file, digest in zip(files, digests, strict=True))
    digest = digests[0] if len(files) == 1 else _md5(names.encode())
    _write_whole(remembered, lambda temporary: temporary.write_text(digest))
    return digest


def cached_file(digest: str) -> Path:
    """Where the conversion of content with this digest is or will be."""
    return _folder() / f"{digest}.parquet"


def save(columns: Columns, digest: str) -> Path:
    """Write the cells and the columns of which something is known; the file is itself a benchmark a user can give.

    Raises BenchmarkError if the cache folder cannot be written.
    """
    known = {name: pa.array(values) for name, values in columns.items() if not np.isnan(values).all()}
    table = pa.table({"genotype": pa.array(cell_strings())} | known)
    file = cached_file(digest)
    _write_whole(file, lambda temporary: pq.write_table(table, temporary, write_page_checksum=True))
    return file


def load(file: Path) -> Columns:
    """All columns of a converted benchmark, read-only float64 [15625]. Raises BenchmarkError where it is damaged."""
    columns = {name: unknown() for name in COLUMNS}
    try:
        stored = pq.ParquetFile(file, page_checksum_verification=True)  # pq.read_table would import far more first
        names = [name for name in stored.schema.names if name in COLUMNS]
        table = stored.read(names, use_threads=False)
        if len(table) != NUM_CELLS or {*table.schema.types} != {pa.float64()}:
            raise ValueError(f"it has {len(table):,} rows of {', '.join(map(str, {*table.schema.types})) or 'nothing'}")
        for name in table.column_names:
            columns[name][:] = np.from_dlpack(table[name].combine_chunks())  # Array.to_numpy would import pandas
    except (OSError, pa.ArrowException, ValueError, BufferError) as error:
        raise BenchmarkError(f"the converted benchmark {file} must be whole, but {reason(error)}; delete it") from error
    for values in columns.values():
        values.flags.writeable = False
    return columns


def _folder() -> Path:
    chosen = os.environ.get("NAS_STUDY_CACHE") or platformdirs.user_cache_dir("nas-robustness-study")
    return Path(chosen) / _FORMAT


def _md5_object() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _write_whole(file: Path, write: Callable[[Path], object]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{uuid4().hex}.tmp")
        try:
            write(temporary)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BenchmarkError(
            f"benchmarks are converted into {file.parent}, but it cannot be written ({reason(error)}); "
            f"set NAS_STUDY_CACHE to a writable folder"
        ) from error
