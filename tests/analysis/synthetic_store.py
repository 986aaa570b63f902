"""Builds result stores of made-up trials whose accuracies follow from the cell alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from study.store.schema import EPOCHS, TRIALS
from trainables.benchmarks.accuracies import SPLITS, TRAINING_SEEDS
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, SKIP, Genotype

Row = dict[str, Any]
HOSTILE = "<script>alert('x')</script> & \"quoted\" | a_b 50% $x$ {y} ]]> [link](javascript:alert(1)) =1+1"
OPTIMUM = {"cifar10": 94.0, "cifar100": 73.0}
"""The best cell of a made-up benchmark, which knows nothing of ImageNet16-120."""


def looked_up(genotype: str, splits: tuple[str, ...] = SPLITS, *, training_seeds: bool = True) -> Row:
    """A made-up benchmark: every cell loses some points to the optimum, more with more skip connections."""
    cell = Genotype.from_string(genotype)
    loss = 1 + cell.index % 97 / 100 + 8 * (cell.operations.count(SKIP) >= 4)
    row: Row = {}
    for dataset in OPTIMUM:
        for split in splits:
            row[f"{dataset}_{split}_accuracy"] = OPTIMUM[dataset] - loss
            row[f"{dataset}_{split}_regret"] = loss
            if training_seeds:
                for i, seed in enumerate(TRAINING_SEEDS[:2]):
                    row[f"{dataset}_{split}_accuracy_seed{seed}"] = OPTIMUM[dataset] - loss + (0.2 if i else -0.2)
    return row


def trial(method: str, seed: int, **values: Any) -> Row:
    """One row of TRIALS with sensible defaults; ``genotype`` brings its looked-up accuracies along."""
    row = {
        "schema_version": 1,
        "trial_id": hashlib.sha256(f"{method} {seed} {sorted(values.items())}".encode()).hexdigest()[:16],
        "study": "demo",
        "method": method,
        "method_version": 1,
        "config": "",
        "space": "nas_bench_201",
        "dataset": "cifar10",
        "dataset_fingerprint": "f1",
        "protocol": "P1",
        "channels": 16,
        "cells": 5,
        "epochs": 6,
        "batch_size": 64,
        "seed": seed,
        "status": "ok",
        "table_fingerprint": "t1",
        "search_wall_s": 10.0 + seed,
        "code_version": "0.1.0",
        "device": "cpu",
        "host": "node",
        "finished_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=seed),
    }
    if "genotype" in values:
        row |= looked_up(values["genotype"])
    return row | values


def genotype(index: int) -> str:
    """Any cell, by a number."""
    return str(Genotype.from_index(index % NUM_CELLS))


def epochs_of(trial_row: Row, count: int = 6) -> list[Row]:
    """Epochs in which one edge after the other takes its final operation; the last one is the derived cell."""
    final = Genotype.from_string(trial_row["genotype"]).operations
    rows = []
    for epoch in range(1, count + 1):
        cell = str(Genotype((*final[:epoch], *(3 for _ in final[epoch:]))))
        share = 100 * Genotype.from_string(cell).operations.count(SKIP) / 6
        known = {k: v for k, v in looked_up(cell, training_seeds=False).items() if k.startswith("cifar10_")}
        rows.append({"trial_id": trial_row["trial_id"], "epoch": epoch, "genotype": cell, "skip_share": share} | known)
    return rows


def write(path: Path, rows: list[Row], schema: pa.Schema) -> None:
    """One Parquet file; keys that the schema lacks (``hp.*``) become columns of their own type."""
    extra = sorted({key for row in rows for key in row} - set(schema.names))
    fields = [*schema, *(pa.field(k, pa.array([r[k] for r in rows if k in r]).type) for k in extra)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), path)


def write_study(
    store: Path,
    trials: list[Row],
    epochs: Sequence[Row] = (),
    *,
    name: str = "demo",
    one_file: bool = False,
) -> Path:
    """A study folder: one row a file, or all rows in one."""
    folder = store / name
    for kind, rows, schema in (("trials", trials, TRIALS), ("epochs", epochs, EPOCHS)):
        (folder / kind).mkdir(parents=True)
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault("compact-1" if one_file else row["trial_id"], []).append(row)
        for stem, group in groups.items():
            write(folder / kind / f"{stem}.parquet", group, schema)
    methods = {row["method"]: {} for row in trials}
    study = {"name": name, "methods": methods, "seeds": sorted({row["seed"] for row in trials})}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    (folder / "environment.json").write_text(json.dumps({"python": "3.11", "table_sources": {"valid": "package"}}))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "half-done.pt").write_bytes(b"not parquet")
    return folder
