"""The signal of table searchers: which accuracies and simulated seconds they are shown, and what identifies it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_trials import tiny_trial

from trainables.benchmarks.accuracies import DATASETS
from trainables.benchmarks.signal import read_signal, signal_fingerprints
from trainables.benchmarks.table import BenchmarkTable, open_table
from trainables.errors import BenchmarkError
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, all_genotypes
from trainables.trial import Surroundings

REAL_FILE = Path(__file__).parents[2].parent / "shared" / "data" / "nas_bench_201.parquet"
ALL_CELLS = np.arange(NUM_CELLS)
SHORT = np.random.default_rng(0).uniform(5.0, 60.0, NUM_CELLS)
"""Made-up 12-epoch accuracies."""


def altered(**columns: np.ndarray) -> BenchmarkTable:
    """The built-in benchmark with other columns."""
    return BenchmarkTable(open_table().values | columns, {})


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_long_signal_is_the_mean_over_seeds_and_costs_the_whole_training(dataset: str) -> None:
    table = open_table()
    signal = read_signal(table, dataset, 200)
    np.testing.assert_array_equal(signal.accuracy, table.accuracy(dataset, "valid", ALL_CELLS))
    np.testing.assert_array_equal(signal.cost_s, table.values[f"{dataset}_train_time_s"])


def test_the_short_signal_costs_its_share_of_the_training_time() -> None:
    table = altered(cifar10_valid_accuracy_12ep=SHORT)
    signal = read_signal(table, "cifar10", 12)
    np.testing.assert_array_equal(signal.accuracy, SHORT)
    np.testing.assert_allclose(signal.cost_s, table.values["cifar10_train_time_s"] * 12 / 200)


def test_a_signal_that_is_not_known_of_every_cell_is_none() -> None:
    """A NaN would win or lose every comparison by chance."""
    partial = np.where(ALL_CELLS == 7, np.nan, SHORT)
    for table in (open_table(), altered(cifar10_valid_accuracy_12ep=partial)):
        assert set(signal_fingerprints(table, "cifar10")) == {200}
        with pytest.raises(BenchmarkError, match=r"12-epoch validation accuracy of every cell, .* of cifar10"):
            read_signal(table, "cifar10", 12)
    assert signal_fingerprints(open_table(), "digits") == {}
    assert set(signal_fingerprints(altered(cifar10_valid_accuracy_12ep=SHORT), "cifar10")) == {200, 12}
    for gap in ("cifar10_valid_accuracy", "cifar10_train_time_s"):
        values = np.where(ALL_CELLS == 7, np.nan, open_table().values[gap])
        assert 200 not in signal_fingerprints(altered(**{gap: values}), "cifar10"), gap


def test_fingerprints_cover_what_is_read_and_nothing_else() -> None:
    before = signal_fingerprints(altered(cifar10_valid_accuracy_12ep=SHORT), "cifar10")
    times = open_table().values["cifar10_train_time_s"]

    def changed(**columns: np.ndarray) -> set[int]:
        now = signal_fingerprints(altered(**{"cifar10_valid_accuracy_12ep": SHORT} | columns), "cifar10")
        return {epochs for epochs in now if now[epochs] != before[epochs]}

    assert changed(cifar10_valid_accuracy_12ep=SHORT + 1) == {12}
    assert changed(cifar10_valid_accuracy_seed777=SHORT) == {200}
    assert changed(cifar10_train_time_s=2 * times) == {200, 12}
    assert changed(cifar10_test_accuracy=SHORT, cifar100_valid_accuracy=SHORT) == set()


@pytest.fixture(scope="module")
def short_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("benchmark") / "short.parquet"
    short = 0.5 * open_table().values["cifar100_valid_accuracy"] + 0.3 * SHORT
    frame = pd.DataFrame({"genotype": [str(cell) for cell in all_genotypes()], "cifar100_valid_accuracy_12ep": short})
    frame.to_parquet(file)
    return file


@pytest.mark.parametrize("name", ["random_search", "regularized_evolution"])
def test_a_trial_spends_its_seconds_on_the_short_signal(short_file: Path, name: str) -> None:
    settings: dict[str, Any] = {"budget": "time", "time_budget_s": 12_000.0, "signal_epochs": 12}
    trial = tiny_trial(name, surroundings=Surroundings(benchmark=short_file), **settings)
    assert trial.epochs_in_all is None
    while not trial.finished:
        trial.advance()
    spent = [row["simulated_s"] for row in trial.epochs]
    assert spent[-2] < 12_000 <= spent[-1] == trial.record()["simulated_s"]
    assert trial.epochs_in_all == len(trial.epochs) > 40, "200 s for the 12 epochs of a cell on CIFAR-100"
    short = open_table(short_file).values["cifar100_valid_accuracy_12ep"]
    assert trial.genotype is not None and short[trial.genotype.index] == max(short[trial.search.queried])  # type: ignore[attr-defined]


def test_the_real_file_has_both_signals() -> None:
    if not REAL_FILE.exists():
        pytest.skip(f"needs the real NAS-Bench-201 table at {REAL_FILE}")
    table, frame = open_table(REAL_FILE), pd.read_parquet(REAL_FILE).set_index("arch_str")
    frame = frame.loc[[str(cell) for cell in all_genotypes()]]
    for dataset, prefix in zip(DATASETS, ("cifar10valid", "cifar100", "imagenet16"), strict=True):
        assert set(signal_fingerprints(table, dataset)) == {200, 12}
        short = read_signal(table, dataset, 12)
        np.testing.assert_array_equal(short.accuracy, frame[f"{prefix}_val_acc_12ep"].to_numpy())
        assert short.accuracy.mean() < read_signal(table, dataset, 200).accuracy.mean() - 5
