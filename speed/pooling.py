"""What pooling a large store costs: memory and time of the report, and of the frames it is made of.

    python speed/pooling.py FOLDER [sizes, such as 10000,100000,1000000] [CHECKOUT]

For each number of trials a store of 50 epochs a trial is made below FOLDER, in the schema and the files that a study
ends with after its compactions, or taken as it is if an earlier call made it (a million trials: 2 GiB). The
same size has the same bytes. Its numbers are
drawn, not searched: cells at random, the accuracy of a cell a function of its index.

Each line is a process of its own. *load*: the trials; *curves*: and one regret over the search, its mean and interval
by variant and epoch. *naive* reads all trials and epochs into frames and does the same as *curves*; it is measured up
to NAIVE_UP_TO trials, beyond that it does not fit. *report*: the command ``nas-study report``, with its start;
*earlier*: the same command of CHECKOUT, a folder with an earlier commit, right after it. Linux only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

from analysis.results import from_store
from analysis.robustness.courses.curves import curves as regret_curves
from study.store.arrow import ROW_GROUP
from study.store.schema import EPOCHS, MERGED, SCHEMA_VERSION, TRIALS
from trainables.benchmarks.accuracies import TRAINING_SEEDS
from trainables.peak_memory import PeakMemory
from trainables.spaces.nas_bench_201.genotype import EDGES, NUM_CELLS, SKIP, Genotype

SIZES = (10_000, 100_000, 1_000_000)
NAIVE_UP_TO = 100_000
EPOCHS_EACH = 50
KEYS = {"trials": ["trial_id"], "epochs": ["trial_id", "epoch"]}
"""What compaction sorts by."""
CHUNK = 5_000
"""Trials in a file of epochs: 250,000 rows, what compaction ends with."""
METHODS = ("darts", "drnas", "gaea", "pc_darts", "snas", "gdas", "sdarts", "fair_darts", "darts_pt", "idarts")
CONFIGS = ("", "arch_lr=0.001")
REGRET = "cifar10_test_regret"
OPTIMUM = {"cifar10": 94.4, "cifar100": 73.5}
FAILED, DIVERGED = 0.002, 0.001


def make(folder: Path, trials: int, epochs: int = EPOCHS_EACH) -> Path:
    """A store of ``trials`` trials with ``epochs`` epochs each; files that are there already are kept."""
    study = folder / f"trials_{trials}"
    for kind in ("trials", "epochs"):
        (study / kind).mkdir(parents=True, exist_ok=True)
    methods: dict[str, dict[str, object]] = {method: {} for method in METHODS}
    (study / "study.yaml").write_text(yaml.safe_dump({"name": study.name, "methods": methods}), encoding="utf-8")
    for start in range(0, trials, CHUNK):
        paths = [study / kind / f"{MERGED}{start:09}.parquet" for kind in ("trials", "epochs")]
        if not all(path.exists() for path in paths):
            for path, table in zip(paths, _tables(start, min(CHUNK, trials - start), epochs), strict=True):
                unfinished = path.with_suffix(".tmp")
                ordered = table.sort_by([(name, "ascending") for name in KEYS[path.parent.name]])
                pq.write_table(ordered, unfinished, compression="zstd", row_group_size=ROW_GROUP)
                unfinished.replace(path)
    return study


def _tables(start: int, count: int, epochs: int) -> tuple[pa.Table, pa.Table]:
    """The trials ``start`` to ``start + count``, in turns of every variant, and their epochs."""
    generator = np.random.default_rng([start, count, epochs])
    number = np.arange(start, start + count)
    methods, configs = number % len(METHODS), number // len(METHODS) % len(CONFIGS)
    cells = _searched(generator, methods + 10 * configs, epochs)
    ids = _ids(number)
    status = np.where(generator.random(count) < FAILED, 2, np.where(generator.random(count) < DIVERGED, 1, 0))
    ok = status == 0
    columns: dict[str, pa.Array] = {
        "schema_version": pa.array(np.full(count, SCHEMA_VERSION, dtype=np.int32)),
        "trial_id": ids,
        "method": _words(METHODS, methods),
        "method_version": pa.array(np.ones(count, dtype=np.int32)),
        "config": _words(CONFIGS, configs),
        "seed": pa.array(number // (len(METHODS) * len(CONFIGS))),
        "status": _words(("ok", "diverged", "failed"), status),
        "error": _words(("train_loss is nan at epoch 4", "CUDA out of memory"), status - 1, status > 0),
        "genotype": _words(_genotypes(), cells[:, -1], ok),
        "hp.arch_lr": pa.array(np.where(configs == 0, 3e-4, 1e-3)),
        "search_wall_s": pa.array(generator.gamma(50.0, 10.0, count).round(1)),
        "peak_memory_mib": pa.array(generator.normal(900.0, 20.0, count).round()),
        "finished_at": pa.array(1_770_000_000_000_000 + number * 1_000_000).cast(TRIALS.field("finished_at").type),
    }
    constant = {
        "study": "pooling", "space": "nas_bench_201", "dataset": "cifar10", "dataset_fingerprint": "f1",
        "protocol": "P1", "table_fingerprint": "t1", "device": "cpu", "host": "node", "code_version": "0.1.0",
    }  # fmt: skip
    columns |= {name: _words((text,), np.zeros(count, dtype=int)) for name, text in constant.items()}
    scale = {"image_size": 32, "channels": 16, "cells": 5, "epochs": epochs, "batch_size": 64}
    columns |= {name: pa.array(np.full(count, value, dtype=np.int32)) for name, value in scale.items()}
    known = {name: pa.array(values, mask=~ok) for name, values in _looked_up(cells[:, -1], seeds=True).items()}
    trials = _table(columns | known, TRIALS, count)

    rows, shown = count * epochs, cells.ravel()
    epoch = np.tile(np.arange(1, epochs + 1, dtype=np.int32), count)
    measured = {
        "train_loss": 2 / np.sqrt(epoch) + generator.normal(0, 0.05, rows),
        "valid_accuracy": 90 - 60 / epoch + generator.normal(0, 1.0, rows),
        "entropy": 1 / np.sqrt(epoch),
        "relaxed_accuracy": 90 - 60 / epoch + generator.normal(0, 1.0, rows),
        "discrete_accuracy": 60 - 50 / epoch + generator.normal(0, 5.0, rows),
        "hessian_eigenvalue": generator.gamma(2.0, 0.2, rows),
        "wall_s": generator.gamma(50.0, 0.2, rows),
    }
    per_epoch = {
        "trial_id": ids.take(pa.array(np.repeat(np.arange(count), epochs))),
        "epoch": pa.array(epoch),
        "genotype": _words(_genotypes(), shown),
        "skip_share": pa.array(100 * _skips()[shown] / len(EDGES)),
        **{name: pa.array(values) for name, values in _looked_up(shown, seeds=False).items()},
        **{name: pa.array(values.round(3)) for name, values in measured.items()},
    }
    return trials, _table(per_epoch, EPOCHS, rows)


def _searched(generator: np.random.Generator, variant: np.ndarray, epochs: int) -> np.ndarray:
    """The cell of every trial and epoch, [trials, epochs]: it changes at one epoch in five; variants like other ops."""
    drawn = (generator.random((len(variant), epochs)) ** (0.3 + variant[:, None] / 10) * NUM_CELLS).astype(np.int64)
    changes = generator.random(drawn.shape) < 0.2
    changes[:, 0] = True
    last = np.maximum.accumulate(np.where(changes, np.arange(epochs), 0), axis=1)
    return np.take_along_axis(drawn, last, axis=1)


def _looked_up(cells: np.ndarray, *, seeds: bool) -> dict[str, np.ndarray]:
    """What a made-up table, which knows nothing of ImageNet16-120, says of ``cells``."""
    loss = 0.3 + (cells * 7919 % NUM_CELLS / NUM_CELLS) ** 4 * 40
    found = {}
    for dataset, best in OPTIMUM.items():
        for split in ("valid", "test"):
            found |= {f"{dataset}_{split}_accuracy": best - loss, f"{dataset}_{split}_regret": loss}
            for i, seed in enumerate(TRAINING_SEEDS if seeds else ()):
                found[f"{dataset}_{split}_accuracy_seed{seed}"] = best - loss + 0.2 * (i - 1)
    return {name: values.round(2) for name, values in found.items()}


@lru_cache
def _genotypes() -> list[str]:
    return [str(Genotype.from_index(index)) for index in range(NUM_CELLS)]


@lru_cache
def _skips() -> np.ndarray:
    return np.array([Genotype.from_index(index).operations.count(SKIP) for index in range(NUM_CELLS)])


def _words(words: tuple[str, ...] | list[str], index: np.ndarray, known: np.ndarray | None = None) -> pa.Array:
    places = pa.array(index, mask=None if known is None else ~known)
    return pa.array(words, pa.string()).take(places)


def _ids(numbers: np.ndarray) -> pa.Array:
    """Sixteen hexadecimal digits a number, in no order; an odd factor modulo 2**64 keeps them distinct."""
    digits = (numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(">u8").tobytes().hex()
    offsets = np.arange(0, 16 * len(numbers) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(digits.encode()))


def _table(columns: dict[str, pa.Array], schema: pa.Schema, rows: int) -> pa.Table:
    """``columns`` with every other column of the schema null, and those that it lacks behind it."""
    found = {field.name: columns.get(field.name, pa.nulls(rows, field.type)) for field in schema}
    return pa.table(found | columns)


def load(store: Path) -> None:
    """The trials."""
    from_store.load(store)


def curves(store: Path) -> None:
    """The trials, and one regret by variant and epoch."""
    results = from_store.load(store)
    summary = regret_curves(results.trials, results.course([REGRET]), REGRET).summary
    assert len(summary) == len(METHODS) * len(CONFIGS) * EPOCHS_EACH


def naive(store: Path) -> None:
    """What ``curves`` does, of two whole frames."""
    trials, epochs = (pd.read_parquet(store / kind) for kind in ("trials", "epochs"))
    ok = trials[trials["status"] == "ok"].drop_duplicates("trial_id", keep="last")
    rows = epochs.drop_duplicates(["trial_id", "epoch"], keep="last").merge(
        ok[["trial_id", "method", "config"]], on="trial_id"
    )
    grouped = rows.groupby(["method", "config", "epoch"])[REGRET]
    summary = grouped.agg(["count", "mean", "std"]).join(grouped.quantile([0.1, 0.9]).unstack())
    assert len(summary) == len(METHODS) * len(CONFIGS) * EPOCHS_EACH


TASKS: dict[str, Callable[[Path], None]] = {task.__name__: task for task in (load, curves, naive)}


def measured(task: str, store: Path) -> dict[str, float]:
    """Seconds of one task in this process, and its highest memory in MiB since it began."""
    memory = PeakMemory(torch.device("cpu"))
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    TASKS[task](store)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return {"wall_s": wall_s, "cpu_s": cpu_s, "memory": memory.mib()}


def in_a_process(task: str, store: Path) -> dict[str, float]:
    """``measured`` in a process of its own."""
    command = [sys.executable, __file__, "--measure", task, str(store)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def report(checkout: Path, store: Path) -> dict[str, float]:
    """The whole page and its files, by the program in ``checkout``: the same measures of all of its process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "study.cli", "report", str(store.resolve()), "-o", f"{folder}/report.html"]
        environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
        wall_s = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        _, failed, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - wall_s
    assert not failed, f"{checkout} made no report"
    return {"wall_s": wall_s, "cpu_s": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}


def main(folder: Path, sizes: list[int], earlier: Path | None) -> None:
    print(f"{os.cpu_count()} cores, pyarrow {pa.__version__}, pandas {pd.__version__}\n")
    print(f"{'trials':>10}{'epoch rows':>13}  {'':8}{'peak MiB':>10}{'wall s':>10}{'CPU s':>10}")
    for size in sizes:
        store = make(folder, size)
        programs = {"report": Path(__file__).parents[1]} | ({"earlier": earlier} if earlier else {})
        for task in (*TASKS, *programs):
            if task != "naive" or size <= NAIVE_UP_TO:
                found = report(programs[task], store) if task in programs else in_a_process(task, store)
                print(
                    f"{size:10,}{size * EPOCHS_EACH:13,}  {task:8}{found['memory']:10,.0f}{found['wall_s']:10.1f}"
                    f"{found['cpu_s']:10.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measured(sys.argv[2], Path(sys.argv[3]))))
    elif len(sys.argv) in (2, 3, 4):
        chosen = [int(size) for size in sys.argv[2].split(",")] if len(sys.argv) > 2 else list(SIZES)
        main(Path(sys.argv[1]), chosen, Path(sys.argv[3]) if len(sys.argv) > 3 else None)
    else:
        sys.exit(__doc__)
