"""The benchmark table: the known accuracies of all 15,625 cells of NAS-Bench-201, looked up in vectors.

Every number is a stored one. Per-seed values stay per seed, a seed that was never trained stays NaN, validation and
test never mix, and nothing is drawn at random. Accuracies are percent; ``cells`` are ``Genotype.index`` values, [n].
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from trainables.benchmarks.accuracies import ACCURACIES, DATASETS, SPLITS, Accuracy
from trainables.benchmarks.builtin import builtin_origin
from trainables.benchmarks.cache import load
from trainables.benchmarks.columns import (
    COLUMNS,
    Columns,
    FloatArray,
    IntArray,
)
from trainables.benchmarks.importers import import_builtin, imported_table
from trainables.benchmarks.merge import merge
from trainables.errors import BenchmarkError, choose
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, Genotype


@dataclass(frozen=True, eq=False)
class BenchmarkTable:
    """An immutable table over all cells, rows in ``Genotype.index`` order."""

    space: ClassVar[str] = "nas_bench_201"
    """whose cells these are"""
    values: Columns = field(repr=False)
    """Every column of ``trainables.benchmarks.columns``, float64 [15625], NaN where unknown.

    The benchmark's authors extrapolated the training times from each cell's measured 12-epoch training on CIFAR-10, so
    they are the same for every training seed.
    """
    sources: dict[str, str]
    """Where each signal (``cifar10_valid``) and training time (``cifar10_train_time_s``) comes from, in words."""

    def has(self, dataset: str, split: str) -> bool:
        """Whether the accuracy of any cell is known."""
        return self.cells_known(dataset, split) > 0

    def cells_known(self, dataset: str, split: str) -> int:
        """Of how many cells the accuracy is known; a table that knows a part of them has no best cell."""
        return int((~np.isnan(self._means(dataset, split))).sum())

    def per_seed(self, dataset: str, split: str, cells: IntArray) -> FloatArray:
        """float64 [n, 3], in the order of TRAINING_SEEDS; NaN where never trained, or only the mean is known."""
        self._means(dataset, split)
        return np.stack([self.values[name][cells] for name in Accuracy(dataset, split).seeds], axis=1)

    def accuracy(self, dataset: str, split: str, cells: IntArray) -> FloatArray:
        """Mean over the training seeds each cell has, float64 [n]; NaN where unknown."""
        return self._means(dataset, split)[cells]

    def oracle(self, dataset: str, split: str) -> tuple[Genotype, float]:
        """The best cell by mean accuracy, and that accuracy; of equally good cells the one with the lowest index.

        Raises BenchmarkError if the accuracy of any cell is unknown.
        """
        if (known := self.cells_known(dataset, split)) < NUM_CELLS:
            raise BenchmarkError(
                f"the oracle needs {split} accuracies of all {NUM_CELLS:,} cells on {dataset}, but the benchmark has "
                f"{known:,}; give a file that has them with --benchmark PATH"
            )
        means = self._means(dataset, split)
        best = int(means.argmax())
        return Genotype.from_index(best), float(means[best])

    def regret(self, dataset: str, split: str, cells: IntArray) -> FloatArray:
        """Percentage points below the oracle, float64 [n]; NaN where the accuracy of any cell is unknown."""
        means = self._means(dataset, split)
        return means.max() - means[cells]

    def columns(self, cells: IntArray) -> Columns:
        """What a trial's record keeps of its cell: means, regrets and per-seed accuracies, name -> float64 [n]."""
        found: Columns = {}
        for accuracy in ACCURACIES:
            found |= {name: self.values[name][cells] for name in (accuracy.column, *accuracy.seeds)}
            found[accuracy.regret] = self.regret(accuracy.dataset, accuracy.split, cells)
        return found

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over all values: equal values have equal fingerprints, whatever file they came from."""
        return self.fingerprint_of(COLUMNS)

    def fingerprint_of(self, names: Sequence[str]) -> str:
        """16 hex digits over the values of these columns."""
        digest = hashlib.sha256()
        for name in names:
            values = self.values[name]
            digest.update(name.encode() + np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
        return digest.hexdigest()[:16]

    def _means(self, dataset: str, split: str) -> FloatArray:
        _check("data set", dataset, DATASETS)
        _check("split", split, SPLITS)
        return self.values[Accuracy(dataset, split).column]


def open_table(path: Path | None = None) -> BenchmarkTable:
    """The built-in benchmark, completed by the user's at ``path``, which wins wherever it knows as many cells.

    ``path`` is a Parquet or CSV file, or an official NAS-Bench-201 or NATS-Bench file that was imported once; if None,
    the environment variable NAS_STUDY_BENCHMARK names it. Takes milliseconds after the first time, and within a
    process the same file gives the same object. Raises BenchmarkError if the file is missing, damaged, not what it
    says, or official or a part of the cells and not yet imported.
    """
    if path is None and (chosen := os.environ.get("NAS_STUDY_BENCHMARK")):
        path = Path(chosen)
    if path is None:
        return _open(import_builtin(), None, "")
    return _open(import_builtin(), imported_table(path), path.name)


@lru_cache(maxsize=4)
def _open(builtin: Path, user: Path | None, name: str) -> BenchmarkTable:
    return BenchmarkTable(*merge(load(builtin), builtin_origin(), load(user) if user else {}, name))


def _check(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise BenchmarkError(choose(kind, name, known))
