"""What a searcher of the table sees of a cell: a validation accuracy, and what training the cell for it would cost.

The accuracy is that of the 200-epoch training, mean over its training seeds, or of the separate 12-epoch training. A
training of e epochs costs e / 200 of the table's time: its authors gave both trainings of a cell one time per epoch,
measured on CIFAR-10. The seconds of the evaluation, which tables do not hold, are left out.

Source: Dong and Yang, "NAS-Bench-201", ICLR 2020, arXiv:2001.00326, whose searchers have 12,000 simulated seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainables.benchmarks.accuracies import DATASETS, Accuracy
from trainables.benchmarks.columns import FloatArray, short_column, time_column
from trainables.errors import BenchmarkError
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS

if TYPE_CHECKING:
    from trainables.benchmarks.table import BenchmarkTable

LENGTHS = (200, 12)
"""Epochs of the trainings whose validation accuracy can be the signal."""


@dataclass(frozen=True, eq=False)
class Signal:
    """The signal of all cells on one data set, float64 [15625] each, in ``Genotype.index`` order."""

    accuracy: FloatArray
    """Validation accuracy in percent."""
    cost_s: FloatArray | None
    """Simulated seconds of training; None where nothing is trained."""


NO_SIGNAL = Signal(np.zeros(NUM_CELLS), None)
"""What a search sees that needs no table: cells that are all alike."""


def read_signal(table: BenchmarkTable, dataset: str, epochs: int) -> Signal:
    """The signal of trainings of so many epochs. Raises BenchmarkError if it is not known of every cell."""
    if not _is_complete(table, dataset, epochs):
        raise BenchmarkError(
            f"a search needs the {epochs}-epoch validation accuracy of every cell, but the benchmark does not know "
            f"those of {dataset}; give a file that has them with --benchmark PATH"
        )
    accuracy, time = _columns(dataset, epochs)[0], time_column(dataset)
    return Signal(table.values[accuracy], table.values[time] * (epochs / 200))


def signal_fingerprints(table: BenchmarkTable, dataset: str) -> dict[int, str]:
    """Epochs -> 16 hex digits over all that the signal reads; only the signals that are known of every cell."""
    return {
        epochs: table.fingerprint_of(_columns(dataset, epochs))
        for epochs in LENGTHS
        if _is_complete(table, dataset, epochs)
    }


def _columns(dataset: str, epochs: int) -> list[str]:
    """The table's columns behind a signal: its accuracy first, its training seeds where it has any, then the time."""
    valid = Accuracy(dataset, "valid")
    accuracies = [valid.column, *valid.seeds] if epochs == 200 else [short_column(dataset)]
    return [*accuracies, time_column(dataset)]


def _is_complete(table: BenchmarkTable, dataset: str, epochs: int) -> bool:
    needed = (_columns(dataset, epochs)[0], time_column(dataset))
    return dataset in DATASETS and not any(np.isnan(table.values[name]).any() for name in needed)
