"""The rows that a trial leaves: one of its own, one an epoch. What they hold is put together here and nowhere else.

A row is what the specification determines, how the trial ended, and what the benchmark table knows of its cell.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.benchmarks.accuracies import MEAN_COLUMNS
from trainables.methods import config_of, method_named
from trainables.secrets import redact
from trainables.spaces import space_named
from trainables.spaces.nas_bench_201.genotype import Genotype
from trainables.spec import TrialSpec

if TYPE_CHECKING:
    from trainables.benchmarks.table import BenchmarkTable

Row = dict[str, Any]
SEPARATOR = ", "
"""Between two hyperparameters of a ``config``; no value has it in it."""


def trial_row(spec: TrialSpec, study: str, outcome: Row, table: BenchmarkTable) -> Row:
    """The whole row of a trial that ended. ``outcome``: status, error, notes, and what its search came to."""
    row = describe(spec, study) | {"error": None, "notes": None, "finished_at": datetime.now(UTC)} | outcome
    looked_up = {name: values[0] for name, values in look_up(table, cells_of(spec, [row], table)).items()}
    return row | {"table_fingerprint": table.fingerprint} | looked_up


def without_what_cannot_be_written(row: Row, error: Exception) -> Row:
    """The failed row that a trial leaves whose own no file can hold: its identity, and why."""
    identity = ("trial_id", "study", "method", "method_version", "config", "space", "dataset", "seed", "finished_at")
    reason = f"the row of this trial cannot be written: {type(error).__name__}: {' '.join(str(error).split())}"
    return {name: row[name] for name in identity} | {"status": "failed", "error": redact(reason)}


def epoch_rows(spec: TrialSpec, epochs: list[Row], table: BenchmarkTable) -> list[Row]:
    """The rows of a trial's epochs, with what the table knows of the cell that each would have derived."""
    found = look_up(table, cells_of(spec, epochs, table))
    return [epoch | {name: found[name][index] for name in MEAN_COLUMNS} for index, epoch in enumerate(epochs)]


def describe(spec: TrialSpec, study: str) -> Row:
    """The columns of a trial row that its specification determines."""
    method, config = method_named(spec.method), config_of(spec)
    return {
        "trial_id": spec.id,
        "study": study,
        "method": spec.method,
        "method_version": spec.method_version,
        "config": changed(spec),
        "space": spec.space,
        "dataset": spec.dataset.name,
        "image_size": spec.dataset.image_size,
        "train_images": spec.dataset.train_images,
        "dataset_fingerprint": spec.dataset_fingerprint,
        "protocol": method.protocol(config),
        "channels": spec.scale and spec.scale.channels,
        "cells": spec.scale and spec.scale.cells,
        "epochs": method.planned_epochs(config, spec.scale, space_named(spec.space)),
        "batch_size": spec.scale and spec.scale.batch_size,
        "precision": spec.precision,
        "seed": spec.seed,
        "retrain_epochs": spec.retrain and spec.retrain.epochs,
        **{f"hp.{name}": value for name, value in spec.hyperparameters.items()},
    }


def changed(spec: TrialSpec) -> str:
    """The hyperparameters that differ from the method's defaults, as "name=value, name=value"."""
    defaults = method_named(spec.method).Config().model_dump()
    differing = {k: v for k, v in spec.hyperparameters.items() if defaults[k] != v}
    return SEPARATOR.join(f"{name}={setting_text(value)}" for name, value in differing.items())


def setting_text(value: object) -> str:
    """A hyperparameter, as short as tells it from every other value: 0.1, but 0.1000001 and 1234567.5."""
    if not isinstance(value, (float, np.floating)):
        return str(value)
    short = f"{value:g}"
    return short if math.isnan(value) or type(value)(short) == value else str(value)


def cells_of(spec: TrialSpec, rows: list[Row], table: BenchmarkTable) -> list[str | None]:
    """The cells of a trial's rows, as the table may be asked for them: none where it is of another space."""
    return [row.get("genotype") if spec.space == table.space else None for row in rows]


def look_up(table: BenchmarkTable, cells: list[str | None]) -> dict[str, list[float | None]]:
    """The table's columns for cells given as strings, row by row; null for a missing cell or an unknown value."""
    known = [row for row, cell in enumerate(cells) if cell is not None]
    index = {cell: Genotype.from_string(cell).index for cell in set(cells) if cell is not None}
    indices = np.array([index[cell] for cell in cells if cell is not None], dtype=np.int64)
    columns: dict[str, list[float | None]] = {}
    for name, values in table.columns(indices).items():
        columns[name] = [None] * len(cells)
        for row, value in zip(known, values.tolist(), strict=True):
            columns[name][row] = None if math.isnan(value) else value
    return columns
