"""Benchmarks as Parquet or CSV: one row a cell, all 15,625 of them, in any order.

Recognised columns, all others are ignored:

- ``arch_str``, ``genotype`` or ``arch_index``: the cell, in any spelling of ``trainables.benchmarks.cells``; required.
- every column of ``trainables.benchmarks.columns``, by that name;
- the published layout, with P one of cifar10valid, cifar100, imagenet16 and T one of cifar10, cifar100, imagenet16:
  ``P_val_acc_200ep_run1`` .. ``run3`` (training seeds 777, 888, 999), ``P_val_acc_200ep_mean``,
  ``T_test_acc_200ep_run1`` .. ``run3``, ``T_test_acc_200ep_mean``, ``P_train_time_200ep_s`` and ``P_val_acc_12ep``.

Means of the older release (``*_v11``) and test accuracies of the 12-epoch training are other quantities and unused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from trainables.benchmarks.accuracies import DATASETS, Accuracy
from trainables.benchmarks.cells import read_cell
from trainables.benchmarks.columns import (
    COLUMNS,
    Columns,
    IntArray,
    cell_strings,
    short_column,
    time_column,
    unknown,
)
from trainables.errors import BenchmarkError, ConfigError, reason
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, Genotype

CELL_COLUMNS = ("arch_str", "genotype", "arch_index")


def _published_layout() -> dict[str, str]:
    """Published column name -> our column name."""
    names: dict[str, str] = {}
    for dataset, valid, test in zip(
        DATASETS, ("cifar10valid", "cifar100", "imagenet16"), ("cifar10", "cifar100", "imagenet16"), strict=True
    ):
        names[f"{valid}_train_time_200ep_s"] = time_column(dataset)
        names[f"{valid}_val_acc_12ep"] = short_column(dataset)
        for split, prefix in (("valid", f"{valid}_val"), ("test", f"{test}_test")):
            names[f"{prefix}_acc_200ep_mean"] = Accuracy(dataset, split).column
            for run, name in enumerate(Accuracy(dataset, split).seeds, start=1):
                names[f"{prefix}_acc_200ep_run{run}"] = name
    return names


PUBLISHED = _published_layout()


def read_tabular(path: Path, partial: bool = False) -> Columns:
    """The recognised columns, rows brought into ``Genotype.index`` order.

    Raises BenchmarkError if the file is damaged, has none of the columns, names a cell that does not exist, has a cell
    twice or, unless it is a ``partial`` one, lacks one, or holds accuracies that are not numbers or are fractions.
    """
    try:
        table = pv.read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
        rows = _rows(table, path, partial)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:  # texts are decoded when they are looked at
        raise BenchmarkError(
            f"a benchmark must be a readable {path.suffix} file, but {path}: {reason(error)}"
        ) from error
    columns: Columns = {}
    for given, column in zip(table.column_names, table.columns, strict=True):
        name = PUBLISHED.get(given, given)
        if name not in COLUMNS:
            continue
        if name in columns:
            raise BenchmarkError(f"a quantity must have one column, but {path} has two for {name}; remove one of them")
        try:
            values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowException as error:
            raise BenchmarkError(
                f"{given} must hold numbers, but in {path}: {reason(error)}; mend the column"
            ) from error
        if not name.endswith("_s") and np.fmax.reduce(values, initial=np.nan) <= 1.0:
            raise BenchmarkError(
                f"accuracies must be percent, but the largest {given} in {path} is {np.fmax.reduce(values):g}, so they "
                f"look like fractions; multiply them by 100"
            )
        columns[name] = unknown()
        columns[name][rows] = values
    if not columns:
        raise BenchmarkError(
            f"a benchmark must have at least one column of accuracies, but {path} has only "
            f"{', '.join(table.column_names)}; name them as in {Accuracy('cifar10', 'test').column} or "
            f"{next(iter(PUBLISHED))}"
        )
    return columns


def _read_parquet(path: Path) -> pa.Table:
    """Its table, if it can be a benchmark's: a small file may hold any number of equal rows."""
    stored = pq.ParquetFile(path)
    if (found := stored.metadata.num_rows) > NUM_CELLS:
        raise BenchmarkError(
            f"a benchmark has one row a cell, {NUM_CELLS:,} at most, but {path} has {found:,}; remove the others"
        )
    return stored.read()


def _rows(table: pa.Table, path: Path, partial: bool) -> IntArray:
    """``Genotype.index`` of every row, int64 [n]: each of all once, or if ``partial`` each at most once."""
    column = next((name for name in CELL_COLUMNS if name in table.column_names), None)
    if column is None:
        raise BenchmarkError(
            f"a benchmark must name its cells in a column {', '.join(CELL_COLUMNS)}, but {path} has only "
            f"{', '.join(table.column_names)}; add one"
        )
    indices = {cell: index for index, cell in enumerate(cell_strings())}
    cells = [str(cell) for cell in table.column(table.column_names.index(column)).to_pylist()]
    strangers: list[ConfigError] = []
    for cell in {*cells} - {*indices}:
        try:
            indices[cell] = read_cell(cell).index
        except ConfigError as error:
            strangers.append(error)
    if strangers:
        raise BenchmarkError(
            f"{column} must hold cells of NAS-Bench-201, but {path} has {len(strangers):,} other texts: {strangers[0]}"
        )
    rows = np.array([indices[cell] for cell in cells], dtype=np.int64)
    counts = np.bincount(rows, minlength=NUM_CELLS)
    wrong = counts > 1 if partial else counts != 1
    if wrong.any():
        example = Genotype.from_index(int(wrong.argmax()))
        raise BenchmarkError(
            f"a benchmark must hold each of the {NUM_CELLS:,} cells once, but {path} lacks {(counts == 0).sum():,} and "
            f"repeats {(counts > 1).sum():,}, such as {example}; add or remove them, or, if it is a part of the "
            f"cells that you have: nas-study benchmark import {path} --partial"
        )
    return rows
