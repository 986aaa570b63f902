"""From a benchmark in any format to its converted file in the cache.

Parquet and CSV are data, converted when they are opened for the first time. The official files are pickles, which run
code while they load, so they are converted only on request, by ``import_table``.
"""

from __future__ import annotations

from pathlib import Path

from trainables.benchmarks.builtin import FILES, builtin_folder, builtin_origin, read_builtin
from trainables.benchmarks.cache import cached_file, content_digest, save
from trainables.benchmarks.columns import complete
from trainables.benchmarks.official import check_digest, is_official, official_files, read_official
from trainables.benchmarks.tabular import read_tabular
from trainables.errors import BenchmarkError
from trainables.reading import Unreadable, whole_path


def import_builtin() -> Path:
    """The converted built-in benchmark; converts it the first time."""
    folder = builtin_folder()
    digest = content_digest([folder / name for name in FILES.values()])
    file = cached_file(digest)
    return file if file.exists() else save(complete(read_builtin(folder), builtin_origin()), digest)


def import_table(path: Path, trust: bool = False) -> Path:
    """The converted benchmark of the user; converts it the first time.

    ``trust`` allows official files that carry no digest. Raises BenchmarkError if the file is missing, damaged, of an
    unknown format, or changed while it was read.
    """
    path, digest = _identify(path)
    file = cached_file(digest)
    if file.exists():
        return file
    if is_official(path):
        check_digest(path, trust)
        columns = read_official(path)
    else:
        columns = read_tabular(path)
    if _identify(path) != (path, digest):
        raise BenchmarkError(f"a benchmark must not change while it is read, but {path} did; try again")
    return save(complete(columns, str(path)), digest)


def imported_table(path: Path) -> Path:
    """As ``import_table``, but an official file must have been imported before, else BenchmarkError."""
    path, digest = _identify(path)
    if is_official(path) and not cached_file(digest).exists():
        raise BenchmarkError(
            f"an official file is converted once before its first use, but {path} was not yet; "
            f"run: nas-study benchmark import {path}"
        )
    return import_table(path)


def _identify(path: Path) -> tuple[Path, str]:
    """The absolute path, and the digest of its content."""
    try:
        path = whole_path(path)
    except Unreadable as error:
        raise BenchmarkError(f"the benchmark must be a file or a folder, but {path} is not: {error}") from None
    if not path.exists():
        raise BenchmarkError(
            f"the benchmark must be an existing file or folder, but there is no {path}; "
            f"correct the path, or leave it out to use the built-in validation accuracies"
        )
    if not is_official(path) and path.suffix not in (".parquet", ".csv"):
        raise BenchmarkError(
            f"a benchmark is a .parquet or .csv file, an official .pth or .pickle.pbz2 file or a NATS-Bench folder, "
            f"but got {path}; convert it to one of these"
        )
    return path, content_digest(official_files(path) if is_official(path) else [path])
