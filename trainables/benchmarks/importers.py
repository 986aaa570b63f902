"""From a benchmark in any format to its converted file in the cache.

Parquet and CSV are converted when they are opened for the first time. The official files take long, and a benchmark
that knows only a part of the cells is no ranking of them, so these are converted only on request, by ``import_table``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.benchmarks.accuracies import ACCURACIES
from trainables.benchmarks.builtin import FILES, builtin_folder, builtin_origin, read_builtin
from trainables.benchmarks.cache import cached_file, content_digest, load, save
from trainables.benchmarks.columns import Columns, complete
from trainables.benchmarks.official import check_digest, is_official, official_files, packed_advice, read_official
from trainables.benchmarks.plausibility import check_plausible
from trainables.benchmarks.tabular import read_tabular
from trainables.errors import BenchmarkError
from trainables.reading import Unreadable, whole_path
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS


def import_builtin() -> Path:
    """The converted built-in benchmark; converts it the first time."""
    folder = builtin_folder()
    digest = content_digest([folder / name for name in FILES.values()])
    file = cached_file(digest)
    return file if file.exists() else save(complete(read_builtin(folder), builtin_origin()), digest)


def import_table(path: Path, trust: bool = False, partial: bool = False) -> Path:
    """The converted benchmark of the user; converts it the first time.

    ``trust`` runs the code that an official file's pickles name, ``partial`` admits accuracies of some cells only.
    Raises BenchmarkError if the file is missing, damaged, of an unknown format, not what its columns say, or changed
    while it was read.
    """
    path, digest = _identify(path)
    file = cached_file(digest)
    if file.exists():
        return file
    if is_official(path):
        check_digest(path)
        columns = read_official(path, trust)
    else:
        columns = read_tabular(path, partial)
    if _identify(path) != (path, digest):
        raise BenchmarkError(f"a benchmark must not change while it is read, but {path} did; try again")
    columns = complete(columns, str(path))
    _check_known(columns, path, partial)
    check_plausible(columns, load(import_builtin()), str(path))
    return save(columns, digest)


def _check_known(columns: Columns, path: Path, partial: bool) -> None:
    """Refuse a benchmark that knows nothing, and, without ``partial``, an accuracy of a part of the cells."""
    known = {name: int((~np.isnan(values)).sum()) for name, values in columns.items()}
    if not any(known.values()):
        raise BenchmarkError(f"a benchmark must know something of a cell, but {path} has no values; fill its columns")
    counts = {str(accuracy): known[accuracy.column] for accuracy in ACCURACIES}
    lacking = {signal: count for signal, count in counts.items() if 0 < count < NUM_CELLS}
    if lacking and not partial:
        signal, count = next(iter(lacking.items()))
        reason = "it is not wholly unpacked or fetched" if is_official(path) else "rows or values are missing"
        raise BenchmarkError(
            f"a benchmark must know an accuracy of all {NUM_CELLS:,} cells, but {path} knows {signal} of {count:,}: "
            f"{reason}; to use it as a part, without best cells and regrets: "
            f"nas-study benchmark import {path} --partial"
        )


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
        advice = packed_advice(path) or "convert it to one of these"
        raise BenchmarkError(
            f"a benchmark is a .parquet or .csv file, an official .pth or .pickle.pbz2 file or a NATS-Bench folder, "
            f"but got {path}; {advice}"
        )
    return path, content_digest(official_files(path) if is_official(path) else [path])
