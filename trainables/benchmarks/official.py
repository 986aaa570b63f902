"""The benchmark authors' own files, read through their package ``nas-bench-201``.

- ``NAS-Bench-201-v1_1-096897.pth``: one PyTorch file; ``arch2infos`` maps the official index to the states of the
  cell's trainings, ``full`` (200 epochs) and ``less`` (12).
- ``NATS-tss-v1_0-3ffb9.pickle.pbz2``: the same in one compressed pickle, keys ``200`` and ``12``.
- ``NATS-tss-v1_0-3ffb9-simple/``: a folder of such pickles, ``000000.pickle.pbz2`` onwards, one a cell.

Memory: the folder is read cell by cell, some tens of MiB. A single file is one pickle and Python cannot load a part of
one, so all its epochs' numbers are in memory at once: 1.4 MiB a cell, 20 to 30 GB for v1_1. That is what the package
needs too whenever it is used; here it is needed once, no copy is made, and each cell is freed when it has been read.

The digits at the end of the name are the last digits of the file's MD5. They prove an undamaged file, not an honest
one: loading a pickle runs whatever code its maker put there.

Source: the package's documented classes ArchResults and ResultsCount; Dong et al., arXiv:2001.00326, arXiv:2009.00437.
"""

from __future__ import annotations

import bz2
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainables.benchmarks.accuracies import DATASETS, TRAINING_SEEDS, Accuracy
from trainables.benchmarks.cache import content_digest
from trainables.benchmarks.columns import (
    Columns,
    mean_over_seeds,
    short_column,
    time_column,
    unknown,
)
from trainables.errors import BenchmarkError, ConfigError
from trainables.spaces.nas_bench_201.genotype import Genotype

PICKLE = ".pickle.pbz2"
TRAININGS = {
    "cifar10-valid": (("cifar10", "valid", "x-valid"),),
    "cifar10": (("cifar10", "test", "ori-test"),),
    "cifar100": (("cifar100", "valid", "x-valid"), ("cifar100", "test", "x-test")),
    "ImageNet16-120": (("imagenet16_120", "valid", "x-valid"), ("imagenet16_120", "test", "x-test")),
}
"""The official name of a training -> the signals it gives: our data set, our split, the official evaluation set.

The training ``cifar10-valid`` was evaluated on the test images too; nobody reports that number and it is not read.
"""


def is_official(path: Path) -> bool:
    """Whether reading ``path`` would load pickles: an official file or a folder of them."""
    return path.is_dir() or path.name.endswith((".pth", PICKLE))


def official_files(path: Path) -> list[Path]:
    """The files with trainings. Raises BenchmarkError for a folder of something else."""
    if path.is_file():
        return [path]
    files = sorted(file for file in path.glob(f"*{PICKLE}") if file.name.removesuffix(PICKLE).isdecimal())
    if not files:
        raise BenchmarkError(
            f"a NATS-Bench folder must hold one file a cell, 000000{PICKLE} onwards, but {path} has none; "
            f"give the unpacked folder NATS-tss-v1_0-3ffb9-simple or a benchmark file"
        )
    return files


def check_digest(path: Path, trust: bool) -> None:
    """Refuse a file that is not the one its name says, and, without ``trust``, one whose name says nothing.

    Raises BenchmarkError.
    """
    name = re.search(rf"-([0-9a-f]{{5,6}})(\.pth|{re.escape(PICKLE)})$", path.name)
    if path.is_file() and name:
        if not (digest := content_digest([path])).endswith(name[1]):
            raise BenchmarkError(
                f"the name of an official file ends with the last digits of its MD5, but {path} has {digest}; "
                f"it is damaged or another file: fetch it anew"
            )
    elif not trust:
        reason = (
            "the digits in a folder's name are those of the single-file release"
            if path.is_dir()
            else "its name carries no digest"
        )
        raise BenchmarkError(
            f"{path} consists of pickles, which can run any code while they load, and {reason}, so nothing shows where "
            f"it comes from; if you trust it: nas-study benchmark import {path} --trust"
        )


def read_official(path: Path) -> Columns:
    """Last-epoch accuracies of the 200-epoch trainings per seed, training times, and validation accuracies of the
    12-epoch trainings, mean over their seeds; NaN for cells not in the file.

    Raises BenchmarkError if the file has another structure, or a cell or training seed that NAS-Bench-201 has not.
    """
    columns: Columns = {}
    try:
        for long, short in _trainings(path):
            row = _read_long(long, columns, path)
            if short is not None:
                _read_short(short, columns, row)
    except (BenchmarkError, MemoryError):
        raise
    except Exception as error:  # what a damaged pickle or another structure raises is unlimited
        raise BenchmarkError(
            f"an official benchmark file must have the structure that nas-bench-201 reads, but {path} has not "
            f"({type(error).__name__}: {error}); fetch it anew"
        ) from error
    if columns.keys() <= {short_column(dataset) for dataset in DATASETS}:
        raise BenchmarkError(
            f"an official benchmark file must hold 200-epoch trainings, but {path} has none; fetch it anew"
        )
    return columns


def _trainings(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """The states of each cell's 200-epoch and 12-epoch trainings; what was yielded is freed before the next cell."""
    if path.is_dir():
        for file in official_files(path):
            cell = _load(file)
            yield cell["200"], cell.get("12")
        return
    cells = _load(path)["arch2infos"]
    for index in sorted(cells):
        cell = cells.pop(index)
        yield (cell["full"], cell.get("less")) if "full" in cell else (cell["200"], cell.get("12"))


def _load(file: Path) -> Any:
    if file.suffix == ".pth":
        import torch  # here, since the table is opened in many processes and torch takes seconds to import

        return torch.load(file, map_location="cpu", weights_only=False)
    with bz2.open(file) as stream:
        return pickle.load(stream)


def _read_long(state: dict[str, Any], columns: Columns, path: Path) -> int:
    """Take in a cell's 200-epoch trainings; returns the cell's row."""
    from nas_201_api import ArchResults  # imports torch

    cell = ArchResults.create_from_state_dict(state)
    try:
        row = Genotype.from_string(cell.arch_str).index
    except ConfigError as error:
        raise BenchmarkError(
            f"an official file must be of the topology search space (tss), but {path} has the cell {cell.arch_str!r}; "
            f"give NAS-Bench-201 or NATS-tss"
        ) from error
    for training in cell.get_dataset_names():
        for seed, result in cell.query(training).items():
            if seed not in TRAINING_SEEDS:
                raise BenchmarkError(
                    f"200-epoch trainings have the seeds {TRAINING_SEEDS}, but {path} has {cell.arch_str} with seed "
                    f"{seed}; give an official release"
                )
            for dataset, split, evaluation in TRAININGS[training]:
                if evaluation in result.get_eval_set():
                    name = Accuracy(dataset, split).seeds[TRAINING_SEEDS.index(seed)]
                    columns.setdefault(name, unknown())[row] = result.get_eval(evaluation)["accuracy"]
            seconds = result.get_train()["all_time"]
            if training != "cifar10" and seconds is not None:
                dataset = TRAININGS[training][0][0]
                columns.setdefault(time_column(dataset), unknown())[row] = seconds
    return row


def _read_short(state: dict[str, Any], columns: Columns, row: int) -> None:
    """Take in a cell's 12-epoch trainings: two of CIFAR-10 on half of the images, one of every other data set."""
    from nas_201_api import ArchResults

    cell = ArchResults.create_from_state_dict(state)
    for training in cell.get_dataset_names():
        results = cell.query(training).values()
        for dataset, split, evaluation in TRAININGS[training]:
            if split == "valid":
                accuracies = [r.get_eval(evaluation)["accuracy"] for r in results if evaluation in r.get_eval_set()]
                columns.setdefault(short_column(dataset), unknown())[row] = mean_over_seeds(np.array([accuracies]))[0]
