"""The benchmark authors' own files, read through their package ``nas-bench-201``.

- ``NAS-Bench-201-v1_1-096897.pth``: one PyTorch file; ``arch2infos`` maps the official index to the states of the
  cell's trainings, ``full`` (200 epochs) and ``less`` (12).
- ``NATS-tss-v1_0-3ffb9.pickle.pbz2``: the same in one compressed pickle, keys ``200`` and ``12``.
- ``NATS-tss-v1_0-3ffb9-simple/``: a folder of such pickles, ``000000.pickle.pbz2`` onwards, one a cell.

Memory: the folder is read cell by cell, some tens of MiB. A single file is one pickle and Python cannot load a part of
one, so all its epochs' numbers are in memory at once: 1.4 MiB a cell, 20 to 30 GB for v1_1. That is what the package
needs too whenever it is used; here it is needed once, no copy is made, and each cell is freed when it has been read.

A pickle runs whatever code its maker put there, so these are read as data: numbers, names and containers are all that
such a file consists of, and one that names anything else is refused unless it is trusted. The digits at the end of a
name are the last digits of the file's MD5: they tell a damaged download, and nothing about who made the file. Full
digests of the releases are not known here, so none is compared.

Source: the package's documented classes ArchResults and ResultsCount; Dong et al., arXiv:2001.00326, arXiv:2009.00437.
"""

from __future__ import annotations

import bz2
import pickle
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
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
from trainables.errors import BenchmarkError, ConfigError, reason
from trainables.pickles import ForeignName, unpickle
from trainables.spaces.nas_bench_201.genotype import Genotype

PICKLE = ".pickle.pbz2"
MOST_OF_A_CELL = 2**26
"""Bytes of one unpacked file of a folder without weights; all trainings of a cell take 0.3 million."""
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
    if files := _cells_in(path):
        return files
    below = next((folder for folder in sorted(path.iterdir()) if folder.is_dir() and _cells_in(folder)), None)
    packed = next((file for file in sorted(path.iterdir()) if packed_advice(file)), None)
    weights = next(path.glob("*-FULL.pth"), None)
    advice = "give the unpacked folder NATS-tss-v1_0-3ffb9-simple or a benchmark file"
    if below:
        advice = f"the folder {below} holds them: give that"
    elif packed:
        advice = f"it holds {packed.name}: {packed_advice(packed)}"
    elif weights:
        advice = (
            f"its {weights.name} holds trained weights, too, and is not read: give NATS-tss-v1_0-3ffb9-simple or the "
            f"single NAS-Bench-201 file"
        )
    raise BenchmarkError(
        f"a NATS-Bench folder must hold one file a cell, 000000{PICKLE} onwards, but {path} has none; {advice}"
    )


def _cells_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob(f"*{PICKLE}") if file.name.removesuffix(PICKLE).isdecimal())


def packed_advice(path: Path) -> str | None:
    """What to do with an archive or a piece of one; None for anything else."""
    if piece := re.fullmatch(r"(.+\.tar)[a-z]{2}", path.name):
        whole = piece[1]
        return f"it is a piece of an archive: join them (cat {whole}* > {whole}), unpack that and give the folder"
    if re.fullmatch(r".+\.(tar|tgz|tar\.gz|tar\.bz2|tar\.xz|zip)", path.name):
        return "it is an archive: unpack it and give the folder or the file in it"
    return None


def check_digest(path: Path) -> None:
    """Refuse a file that is not the one its name says. Raises BenchmarkError."""
    name = re.search(rf"-([0-9a-f]{{5,6}})(\.pth|{re.escape(PICKLE)})$", path.name)
    if path.is_file() and name and not (digest := content_digest([path])).endswith(name[1]):
        raise BenchmarkError(
            f"the name of an official file ends with the last digits of its MD5, but {path} has {digest}; "
            f"it is damaged or another file: fetch it anew"
        )


def read_official(path: Path, trust: bool = False) -> Columns:
    """Last-epoch accuracies of the 200-epoch trainings per seed, training times, and validation accuracies of the
    12-epoch trainings, mean over their seeds; NaN for cells not in the file.

    ``trust`` runs what the file's pickles name. Raises BenchmarkError if the file has another structure, names what is
    no data, has a cell twice, or a cell or training seed that NAS-Bench-201 has not.
    """
    columns: Columns = {}
    rows: set[int] = set()
    try:
        for long, short in _trainings(path, trust):
            row = _read_long(long, columns, path)
            if row in rows:
                raise BenchmarkError(
                    f"a benchmark must hold each cell once, but {path} has {Genotype.from_index(row)} twice; "
                    f"fetch it anew"
                )
            rows.add(row)
            if short is not None:
                _read_short(short, columns, row)
    except BenchmarkError:
        raise
    except MemoryError as error:
        raise BenchmarkError(
            f"a single official file takes 20 to 30 GB of memory to be read, but there is too little for {path}; "
            f"give the folder NATS-tss-v1_0-3ffb9-simple, or fetch the file anew if it is a smaller one"
        ) from error
    except ForeignName as error:
        raise BenchmarkError(
            f"an official benchmark file consists of numbers and containers, but {path} names {error.name[:99]}, which "
            f"can run any code while it loads; if you trust it: nas-study benchmark import {path} --trust"
        ) from error
    except Exception as error:  # what a damaged pickle or another structure raises is unlimited
        raise BenchmarkError(
            f"an official benchmark file must have the structure that nas-bench-201 reads, but {path} has not "
            f"({type(error).__name__}: {reason(error)}); fetch it anew"
        ) from error
    if columns.keys() <= {short_column(dataset) for dataset in DATASETS}:
        raise BenchmarkError(
            f"an official benchmark file must hold 200-epoch trainings, but {path} has none; fetch it anew"
        )
    return columns


def _trainings(path: Path, trust: bool) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """The states of each cell's 200-epoch and 12-epoch trainings; what was yielded is freed before the next cell."""
    if path.is_dir():
        for file in official_files(path):
            cell = _load(file, trust) if trust else _load_cell(file)
            yield cell["200"], cell.get("12")
        return
    cells = _load(path, trust)["arch2infos"]
    for index in sorted(cells):
        cell = cells.pop(index)
        yield (cell["full"], cell.get("less")) if "full" in cell else (cell["200"], cell.get("12"))


def _load(file: Path, trust: bool) -> Any:
    if file.suffix == ".pth":
        return _load_trusted(file) if trust else _load_pth(file)
    with bz2.open(file) as stream:
        return pickle.load(stream) if trust else unpickle(stream)


def _load_cell(file: Path) -> Any:
    with bz2.open(file) as stream:
        content = stream.read(MOST_OF_A_CELL + 1)
    if len(content) > MOST_OF_A_CELL:
        raise BenchmarkError(f"a cell has at most {MOST_OF_A_CELL:,} bytes, but {file} unpacks to more; fetch it anew")
    return unpickle(BytesIO(content))


def _load_trusted(file: Path) -> Any:
    import torch  # here, since the table is opened in many processes and torch takes seconds to import

    return torch.load(file, map_location="cpu", weights_only=False)


def _load_pth(file: Path) -> Any:
    """What torch saved, without tensors: torch's own careful loader takes minutes where the plain one takes seconds."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as stream:
                return unpickle(stream)
    with file.open("rb") as stream:
        for _ in ("magic number", "protocol", "machine"):
            unpickle(stream)
        return unpickle(stream)


def _results(state: Any) -> Any:
    """A cell's trainings of one length, as the package's ArchResults."""
    from nas_201_api import ArchResults  # imports torch

    if not isinstance(state, dict):
        raise TypeError(f"trainings are a dict, not {type(state).__name__}")  # of a str the package would load a file
    return ArchResults.create_from_state_dict(state)


def _read_long(state: dict[str, Any], columns: Columns, path: Path) -> int:
    """Take in a cell's 200-epoch trainings; returns the cell's row."""
    cell = _results(state)
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
    cell = _results(state)
    for training in cell.get_dataset_names():
        results = cell.query(training).values()
        for dataset, split, evaluation in TRAININGS[training]:
            if split == "valid":
                accuracies = [r.get_eval(evaluation)["accuracy"] for r in results if evaluation in r.get_eval_set()]
                columns.setdefault(short_column(dataset), unknown())[row] = mean_over_seeds(np.array([accuracies]))[0]
