"""The one layout every benchmark is converted to: 15,625 rows in ``Genotype.index`` order, NaN where unknown.

Accuracies are percent, at the last epoch of the 200-epoch training unless said otherwise:

- ``<dataset>_<split>_accuracy_seed<seed>``: one training with that seed; NaN if the cell was never trained with it.
- ``<dataset>_<split>_accuracy``: the mean over the training seeds the cell has.
- ``<dataset>_train_time_s``: seconds of one 200-epoch training (CIFAR-10: the one behind ``valid``).
- ``<dataset>_valid_accuracy_12ep``: the separate 12-epoch training, whose learning rate falls to 0 within 12 epochs.

``valid`` and ``test`` of CIFAR-10 are different trainings (25k images with the other 25k held out; all 50k images), so
they are never a pair. CIFAR-100 and ImageNet16-120 halve the official test set into ``valid`` and ``test``.

Source: Dong and Yang, "NAS-Bench-201", ICLR 2020, arXiv:2001.00326, section 2.2.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from trainables.benchmarks.accuracies import ACCURACIES, DATASETS
from trainables.errors import BenchmarkError
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, all_genotypes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Columns = dict[str, FloatArray]
"""Column name -> float64, [15625] unless said otherwise."""


def time_column(dataset: str) -> str:
    """The column of a data set's training times."""
    return f"{dataset}_train_time_s"


def short_column(dataset: str) -> str:
    """The column of a data set's validation accuracies after the 12-epoch training."""
    return f"{dataset}_valid_accuracy_12ep"


COLUMNS = (
    *(name for accuracy in ACCURACIES for name in (accuracy.column, *accuracy.seeds)),
    *(time_column(dataset) for dataset in DATASETS),
    *(short_column(dataset) for dataset in DATASETS),
)


@cache
def cell_strings() -> tuple[str, ...]:
    """The architecture string of every row."""
    return tuple(str(cell) for cell in all_genotypes())


def unknown() -> FloatArray:
    """A column of which nothing is known, float64 [15625]."""
    return np.full(NUM_CELLS, np.nan)


def mean_over_seeds(per_seed: FloatArray) -> FloatArray:
    """Mean over the seeds a cell has: float64 [n, seeds] -> [n]; NaN where it has none."""
    trained = ~np.isnan(per_seed)
    total = np.where(trained, per_seed, 0.0).sum(axis=1)
    return np.divide(total, trained.sum(axis=1), out=np.full(len(per_seed), np.nan), where=trained.any(axis=1))


def complete(columns: Columns, origin: str) -> Columns:
    """All of COLUMNS: the given ones checked, means computed wherever a cell has seeds, the rest unknown.

    Raises BenchmarkError for accuracies outside 0..100, times that are not positive, and a given mean more than 0.01
    points away from the mean of the cell's own seeds. ``origin`` names the file in the message.
    """
    columns = {name: columns.get(name, unknown()) for name in COLUMNS}
    for name, values in columns.items():
        is_time = name.endswith("_s")
        inside = ((values > 0) & (values < np.inf)) if is_time else ((values >= 0) & (values <= 100))
        outside = values[~inside & ~np.isnan(values)]
        if outside.size:
            raise BenchmarkError(
                f"{name} must be {'positive seconds' if is_time else 'percent in 0..100'}, but {origin} holds "
                f"{outside[0]:g} ({outside.size:,} cells); mend the file or fetch it anew"
            )
    for accuracy in ACCURACIES:
        name = accuracy.column
        computed = mean_over_seeds(np.stack([columns[seed] for seed in accuracy.seeds], axis=1))
        gap = np.nan_to_num(np.abs(columns[name] - computed))
        if gap.max() > 0.01:
            raise BenchmarkError(
                f"{name} must be the mean of the cell's training seeds, but in {origin} it is up to {gap.max():.2f} "
                f"points away; remove the mean or the per-seed columns"
            )
        columns[name] = np.where(np.isnan(computed), columns[name], computed)
    return columns
