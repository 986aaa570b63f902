"""Merging the files of finished trials while the study runs, at a cost that grows as the number of rows does.

Files of single trials, and of single steps of workers, become one; ten merged files whose row counts have equally many
digits become one; a file of ``most`` rows is left alone for ever. So a row is written again some five times in all, and
a million trials end in a few dozen files.

It may be killed at any point, and several may work at once. What is merged appears first; its sources go only once a
listing shows it, and shows them as they were read. A source that vanishes before it is read has been merged by another.
The worst that is left behind are rows that lie in two files, and readers take one of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.fs as pafs

from study.store.arrow import concatenated
from study.store.rows import RowFiles, is_merged, version

FILES_OF_A_SIZE = 10
SINGLE_FILES = 500
"""Files of single trials that become one; it bounds the memory that reading them takes, as ``most`` does for steps."""
LISTING_LAGS_S = (0.0, 1.0, 3.0)
"""When a listing is looked at for what was just written. Where it lags longer, the sources stay until the next time."""


def compact(rows: RowFiles, most: int) -> None:
    """Merge what is small. Raises StoreError where a file is damaged or the store cannot be written."""
    single = [info for info in rows.listing() if not is_merged(info)]
    for start in range(0, len(single), SINGLE_FILES):
        batch = single[start : start + SINGLE_FILES]
        if len(batch) > 1:
            _merge(rows, batch, most, rows.files.map(rows.read, batch))
    for digits in range(1, len(str(most)) + 1):
        same = [info for info in rows.listing() if is_merged(info) and _has_digits(rows.count(info), digits, most)]
        if len(same) >= FILES_OF_A_SIZE:
            _merge(rows, same, most, map(rows.read, same))


def _has_digits(count: int | None, digits: int, most: int) -> bool:
    return count is not None and count < most and len(str(count)) == digits


def _merge(rows: RowFiles, infos: list[pafs.FileInfo], most: int, tables: Iterable[pa.Table | None]) -> None:
    for sources, table in _batches(infos, tables, most):
        merged = rows.write_merged(rows.distinct(table)) if len(table) else None
        _drop(rows, sources, merged)


def _batches(
    infos: list[pafs.FileInfo], tables: Iterable[pa.Table | None], most: int
) -> Iterator[tuple[list[pafs.FileInfo], pa.Table]]:
    """Files and their rows in turns; a turn ends with the file that makes it ``most`` rows."""
    sources: list[pafs.FileInfo] = []
    found: list[pa.Table] = []
    count = 0
    for info, table in zip(infos, tables, strict=True):
        if table is not None:
            sources, found, count = [*sources, info], [*found, table], count + len(table)
        if count >= most:
            yield sources, concatenated(found)
            sources, found, count = [], [], 0
    if len(sources) > 1:
        yield sources, concatenated(found)


def _drop(rows: RowFiles, sources: list[pafs.FileInfo], merged: str | None) -> None:
    for wait_s in LISTING_LAGS_S:
        time.sleep(wait_s)
        listed = {info.base_name: version(info) for info in rows.listing()}
        if merged is None or merged in listed:
            break
    else:
        return
    if merged is not None:
        rows.announce(merged)
    old = [s.base_name for s in sources if s.base_name != merged and listed.get(s.base_name) == version(s)]
    list(rows.files.map(lambda name: rows.files.delete(f"{rows.folder}/{name}"), old))
