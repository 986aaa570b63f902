"""Whether a user's benchmark can be what its columns say, judged by itself and by the built-in validation accuracies.

Limits lie far from what the published table shows. There, two columns of different meaning are equal in at most 1.4 %
of their cells (14 % if all are rounded to one decimal); 200-epoch accuracies have a rank correlation of at least 0.98
with the validation accuracies of the same data set (0.91 over its better half) and medians within 3.5 points of theirs;
12-epoch accuracies have 0.82. The release v1_1, by its published means, has a third training of no cell that the
built-in benchmark has none of.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from trainables.benchmarks.accuracies import ACCURACIES, DATASETS, Accuracy
from trainables.benchmarks.columns import Columns, FloatArray, short_column
from trainables.errors import BenchmarkError
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS

MOST_EQUAL = 0.2
"""Share of the cells in which two columns may be equal, or as far apart as the median cell."""
LEAST_CORRELATED = 0.9
LEAST_CORRELATED_12EP = 0.5
MOST_APART = 10.0
"""Points between the medians of two signals of one data set."""
MOST_UNTRAINED = 0.01
"""Share of the cells without a third training that may have one all the same."""
SAME = 1e-9
"""Points within which two numbers are equal; a column that another was shifted to is rounded anew."""
FEWEST = 100
"""Cells that two columns must have in common to be compared at all."""


def check_plausible(columns: Columns, builtin: Columns, origin: str) -> None:
    """Refuse columns that repeat another, rank or lie otherwise than they could, or hold trainings nobody made.

    Raises BenchmarkError; ``origin`` names the file in the message.
    """
    for given, other, whose in _pairs(columns, builtin, origin):
        apart = given[1] - other[1]
        common = int((~np.isnan(apart)).sum())
        for shift in (0.0, float(np.nanmedian(apart))) if common >= FEWEST else ():
            equal = int((abs(apart - shift) < SAME).sum())
            if equal > MOST_EQUAL * common:
                raise BenchmarkError(
                    f"different trainings have different accuracies, but in {origin} {given[0]} equals {other[0]} of "
                    f"{whose}{f' plus {shift:.6g}' if shift else ''} in {equal:,} of {common:,} cells; give {given[0]} "
                    "its own values, or remove it"
                )
    for dataset in DATASETS:
        reference = builtin[Accuracy(dataset, "valid").column]
        for split in ("valid", "test"):
            signal = Accuracy(dataset, split)
            _check_untrained(signal, columns, builtin, origin)
            for name in (signal.column, *signal.seeds):
                _check_ranks(name, columns[name], reference, LEAST_CORRELATED, origin)
                _check_level(name, columns[name], reference, origin)
                _check_unit(name, columns[name], reference, origin)
        short = short_column(dataset)
        _check_ranks(short, columns[short], reference, LEAST_CORRELATED_12EP, origin)


Named = tuple[str, FloatArray]


def _pairs(columns: Columns, builtin: Columns, origin: str) -> Iterator[tuple[Named, Named, str]]:
    """Every two known accuracies of different meaning, the first of them the user's, and whose the second is."""
    own = {name: columns[name] for name in _signal_of() if not np.isnan(columns[name]).all()}
    theirs = {name: builtin[name] for name in _signal_of() if not np.isnan(builtin[name]).all()}
    for a, b in combinations(own.items(), 2):
        if _differ(a[0], b[0]):
            yield a, b, "the same file"
    for given in own.items():
        for other in theirs.items():
            if _differ(given[0], other[0]):
                yield given, other, "the built-in benchmark"


def _signal_of() -> dict[str, str]:
    """Accuracy column -> what it is one training of, or the mean over trainings of."""
    seeds = {name: str(accuracy) for accuracy in ACCURACIES for name in (accuracy.column, *accuracy.seeds)}
    return seeds | {short_column(dataset): short_column(dataset) for dataset in DATASETS}


def _differ(name: str, other: str) -> bool:
    """Whether two columns are never equal but by chance; the mean of a single training is that training."""
    signals = _signal_of()
    means = {accuracy.column for accuracy in ACCURACIES}
    return name != other and (signals[name] != signals[other] or not {name, other} & means)


def _check_untrained(signal: Accuracy, columns: Columns, builtin: Columns, origin: str) -> None:
    for name, valid in zip(signal.seeds, Accuracy(signal.dataset, "valid").seeds, strict=True):
        never = np.isnan(builtin[valid])
        count = int((never & ~np.isnan(columns[name])).sum())
        if count > MOST_UNTRAINED * never.sum():
            raise BenchmarkError(
                f"{name} must be empty where the benchmark's authors never trained with that seed, but {origin} has "
                f"values in {count:,} of those {never.sum():,} cells; remove them"
            )


def _check_ranks(name: str, values: FloatArray, reference: FloatArray, least: float, origin: str) -> None:
    known = ~np.isnan(values) & ~np.isnan(reference)
    if known.sum() < NUM_CELLS / 2:
        return  # of a chosen part of the cells nobody knows how alike they are
    from scipy.stats import rankdata  # here, since the table is opened in many processes and scipy takes its time

    ranks, expected = rankdata(values[known]), rankdata(reference[known])
    spread = ranks.std() * expected.std()
    found = np.mean((ranks - ranks.mean()) * (expected - expected.mean())) / spread if spread else 0.0
    if found < least:
        raise BenchmarkError(
            f"{name} must rank the cells much as the built-in validation accuracies do, but in {origin} the rank "
            f"correlation is {found:.2f} where at least {least} is to be expected; these are not accuracies of these "
            f"cells: check the column, its cells and its direction"
        )


def _check_level(name: str, values: FloatArray, reference: FloatArray, origin: str) -> None:
    known = ~np.isnan(values) & ~np.isnan(reference)
    if known.sum() < NUM_CELLS / 2:
        return
    found, expected = float(np.median(values[known])), float(np.median(reference[known]))
    if abs(found - expected) > MOST_APART:
        raise BenchmarkError(
            f"{name} must lie near the built-in validation accuracies of its data set, but its median in {origin} is "
            f"{found:.1f} % where theirs is {expected:.1f} %; check which data set and which unit it is of"
        )


def _check_unit(name: str, values: FloatArray, reference: FloatArray, origin: str) -> None:
    """Some cells in fractions move neither ranks nor the median enough; guessing is 0.83 % or more, and stays that."""
    fractions = (values > 0) & (values < 1) & (abs(100 * values - reference) <= MOST_APART)
    if fractions.any():
        raise BenchmarkError(
            f"{name} must be percent in every cell, but {origin} has {fractions.sum():,} fractions, such as "
            f"{values[fractions][0]:g} where the built-in validation accuracy is {reference[fractions][0]:.1f} %; "
            f"multiply them by 100"
        )
