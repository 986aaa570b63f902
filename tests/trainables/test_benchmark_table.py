"""The benchmark table: stored numbers only, per seed and per split, against published values."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainables.benchmarks.accuracies import DATASETS, LOOKED_UP
from trainables.benchmarks.table import BenchmarkTable, open_table
from trainables.errors import BenchmarkError
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, Genotype, all_genotypes

REAL_FILE = Path(__file__).parents[2].parent / "shared" / "data" / "nas_bench_201.parquet"
ALL_CELLS = np.arange(NUM_CELLS)
VALID_PREFIX = {"cifar10": "cifar10valid", "cifar100": "cifar100", "imagenet16_120": "imagenet16"}
TEST_PREFIX = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16_120": "imagenet16"}

KNOWN_CELLS = {
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|": (
        94.3633,
        73.5133,
        46.3444,
    ),
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|": (
        94.3733,
        73.22,
        46.7111,
    ),
    "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|": (
        93.9867,
        72.88,
        47.3111,
    ),
    "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|skip_connect~0|skip_connect~1|nor_conv_3x3~2|": (
        93.615,
        70.1,
        44.5667,
    ),
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|": (
        54.2967,
        15.6067,
        16.3222,
    ),
    "|skip_connect~0|+|skip_connect~0|none~1|+|skip_connect~0|skip_connect~1|skip_connect~2|": (
        70.92,
        38.9667,
        18.4111,
    ),
}
"""Cells behind published headline numbers (DrNAS, beta-DARTS, CDARTS, DARTS): test accuracies in order of DATASETS."""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_STUDY_CACHE", str(folder))
        patch.delenv("NAS_STUDY_BENCHMARK", raising=False)
        yield folder


@pytest.fixture(scope="module")
def builtin(cache) -> BenchmarkTable:
    return open_table()


@pytest.fixture(scope="module")
def real_frame() -> pd.DataFrame:
    """The real file, rows in Genotype.index order."""
    if not REAL_FILE.exists():
        pytest.skip(f"needs the real NAS-Bench-201 table at {REAL_FILE}")
    frame = pd.read_parquet(REAL_FILE)
    return frame.set_index("arch_str").loc[[str(cell) for cell in all_genotypes()]]


@pytest.fixture(scope="module")
def real(cache, real_frame) -> BenchmarkTable:
    return open_table(REAL_FILE)


def test_a_cell_is_looked_up_in_exactly_the_columns_of_the_schema(builtin):
    assert sorted(builtin.columns(ALL_CELLS[:2])) == sorted(LOOKED_UP)


@pytest.mark.parametrize("dataset", DATASETS)
def test_builtin_seeds_that_were_never_trained_are_missing(builtin, dataset):
    per_seed = builtin.per_seed(dataset, "valid", ALL_CELLS)
    assert not np.isnan(per_seed[:, :2]).any()
    assert np.isnan(per_seed[:, 2]).sum() == 7_456
    assert (~np.isnan(per_seed)).all(axis=1).sum() == 8_169


@pytest.mark.parametrize("dataset", DATASETS)
def test_builtin_mean_is_over_the_seeds_a_cell_has(builtin, dataset):
    per_seed = builtin.per_seed(dataset, "valid", ALL_CELLS)
    np.testing.assert_allclose(
        builtin.accuracy(dataset, "valid", ALL_CELLS), np.nanmean(per_seed, axis=1), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(("dataset", "best"), [("cifar10", 91.607), ("cifar100", 73.493), ("imagenet16_120", 46.733)])
def test_builtin_oracle_is_the_published_optimum(builtin, dataset, best):
    cell, accuracy = builtin.oracle(dataset, "valid")
    assert accuracy == pytest.approx(best, abs=5e-4)
    assert builtin.accuracy(dataset, "valid", np.array([cell.index])) == accuracy
    regret = builtin.regret(dataset, "valid", ALL_CELLS)
    assert regret[cell.index] == 0.0
    assert (regret >= 0.0).all()


def test_builtin_has_no_test_accuracies_and_says_so(builtin):
    for dataset in DATASETS:
        assert builtin.has(dataset, "valid")
        assert not builtin.has(dataset, "test")
        assert np.isnan(builtin.accuracy(dataset, "test", ALL_CELLS)).all()
        assert np.isnan(builtin.regret(dataset, "test", ALL_CELLS)).all()
        assert np.isnan(builtin.per_seed(dataset, "test", ALL_CELLS)).all()
        assert f"{dataset}_test" not in builtin.sources
        with pytest.raises(BenchmarkError, match="--benchmark PATH"):
            builtin.oracle(dataset, "test")


def test_lookup_follows_the_order_and_repeats_of_the_cells(builtin):
    cells = np.array([15_624, 3, 3, 700])
    expected = builtin.accuracy("cifar100", "valid", ALL_CELLS)[[15_624, 3, 3, 700]]
    np.testing.assert_array_equal(builtin.columns(cells)["cifar100_valid_accuracy"], expected)


def test_train_time_is_that_of_the_validation_training(builtin):
    # CIFAR-100 trains on 50k images, the CIFAR-10 training behind 'valid' on 25k, ImageNet16-120 on 151,700
    time = {dataset: builtin.values[f"{dataset}_train_time_s"] for dataset in DATASETS}
    np.testing.assert_allclose(time["cifar100"], 2 * time["cifar10"])
    np.testing.assert_allclose(time["imagenet16_120"], 151_700 / 25_000 * time["cifar10"])


@pytest.mark.parametrize(
    ("dataset", "split", "message"),
    [("cifar1o", "valid", "did you mean 'cifar10'"), ("cifar10", "validation", "did you mean 'valid'")],
)
def test_unknown_names_are_named(builtin, dataset, split, message):
    with pytest.raises(BenchmarkError, match=message):
        builtin.accuracy(dataset, split, ALL_CELLS)


def test_values_cannot_be_overwritten(builtin):
    with pytest.raises(ValueError, match="read-only"):
        builtin.values["cifar10_valid_accuracy"][0] = 99.0


def test_fingerprints_are_the_same_in_another_process(builtin):
    script = "from trainables.benchmarks.table import open_table; print(open_table().fingerprint)"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment, check=True, text=True
    )
    assert printed.stdout.strip() == builtin.fingerprint
    assert len(bytes.fromhex(builtin.fingerprint)) == 8


def test_fingerprints_follow_values_not_sources(builtin):
    equal = BenchmarkTable(
        {name: values.copy() for name, values in builtin.values.items()}, {"cifar10_valid": "elsewhere"}
    )
    assert equal.fingerprint == builtin.fingerprint
    changed = {name: values.copy() for name, values in builtin.values.items()}
    changed["cifar10_valid_accuracy_seed777"][42] += 1e-9
    other = BenchmarkTable(changed, builtin.sources)
    assert other.fingerprint != builtin.fingerprint
    assert other.fingerprint_of(["cifar100_valid_accuracy"]) == builtin.fingerprint_of(["cifar100_valid_accuracy"])


def test_same_benchmark_is_opened_once_in_a_process(builtin):
    assert open_table() is builtin


@pytest.mark.parametrize("dataset", DATASETS)
def test_builtin_seeds_equal_the_real_file(builtin, real_frame, dataset):
    runs = real_frame[[f"{VALID_PREFIX[dataset]}_val_acc_200ep_run{run}" for run in (1, 2, 3)]].to_numpy()
    np.testing.assert_array_equal(builtin.per_seed(dataset, "valid", ALL_CELLS), runs)


@pytest.mark.parametrize("dataset", DATASETS)
def test_real_file_test_accuracies_are_means_only(real, real_frame, dataset):
    means = real_frame[f"{TEST_PREFIX[dataset]}_test_acc_200ep_mean"].to_numpy()
    np.testing.assert_array_equal(real.accuracy(dataset, "test", ALL_CELLS), means)
    assert np.isnan(real.per_seed(dataset, "test", ALL_CELLS)).all()
    assert "means over seeds only" in real.sources[f"{dataset}_test"]


def test_real_file_optima_and_means_are_the_published_ones(real):
    optima = [real.oracle(dataset, "test")[1] for dataset in DATASETS]
    np.testing.assert_allclose(optima, [94.373, 73.513, 47.311], atol=5e-4)
    valid = [real.oracle(dataset, "valid")[1] for dataset in DATASETS]
    np.testing.assert_allclose(valid, [91.607, 73.493, 46.733], atol=5e-4)
    means = [real.accuracy(dataset, "test", ALL_CELLS).mean() for dataset in DATASETS]
    np.testing.assert_allclose(means, [87.06, 61.41, 33.59], atol=5e-3)


def test_real_file_known_cells(real):
    cells = np.array([Genotype.from_string(text).index for text in KNOWN_CELLS])
    found = np.stack([real.accuracy(dataset, "test", cells) for dataset in DATASETS], axis=1)
    np.testing.assert_allclose(found, list(KNOWN_CELLS.values()), atol=5e-5)


def test_real_file_is_found_through_the_environment(real, monkeypatch):
    monkeypatch.setenv("NAS_STUDY_BENCHMARK", str(REAL_FILE))
    assert open_table() is real
