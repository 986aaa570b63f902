"""One trial: what it asks of its surroundings, what it records, and which checkpoints it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial

from trainables.benchmarks.table import open_table
from trainables.errors import BenchmarkError, ConfigError
from trainables.peak_memory import PeakMemory
from trainables.records import look_up
from trainables.spaces import space_named
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spec import DatasetSpec, Retrain, TrialSpec
from trainables.trial import Surroundings, Trial


def test_search_then_retraining_then_finished() -> None:
    trial = tiny_trial("darts", epochs=2, retrain=Retrain(epochs=2, channels=1, cells=1, batch_size=32))
    assert trial.epochs_in_all == 4
    for done in range(4):
        assert (trial.genotype is None) == (done < 2) and not trial.finished
        assert trial.record()["retrain_test_accuracy"] is None
        trial.advance()
        assert trial.epochs_done == done + 1
    record = trial.record()
    assert trial.finished and len(trial.epochs) == 2
    assert record["genotype"] == trial.epochs[-1]["genotype"]
    assert record["supernet_valid_accuracy"] == trial.epochs[-1]["valid_accuracy"]
    assert record["search_wall_s"] == pytest.approx(sum(row["wall_s"] for row in trial.epochs))
    assert record["retrain_wall_s"] > 0 and record["peak_memory_mib"] > 1


def test_what_was_not_measured_is_none_not_zero() -> None:
    trial = tiny_trial("random_search")
    assert trial.record()["genotype"] is None and trial.record()["supernet_valid_accuracy"] is None
    trial.advance()
    record = trial.record()
    assert trial.finished and record["genotype"] is not None
    assert record["retrain_test_accuracy"] is record["retrain_wall_s"] is record["supernet_valid_accuracy"] is None


def test_wall_time_survives_a_resume() -> None:
    trial, resumed = tiny_trial("darts"), tiny_trial("darts")
    trial.advance()
    resumed.load_state_dict(trial.state_dict())
    assert resumed.record()["search_wall_s"] == trial.record()["search_wall_s"] > 0
    assert resumed.record()["peak_memory_mib"] >= trial.record()["peak_memory_mib"]


def test_a_checkpoint_of_another_trial_is_refused() -> None:
    trial = tiny_trial("darts")
    trial.advance()
    with pytest.raises(ValueError, match=f"checkpoint of trial {trial.spec.id} does not fit"):
        tiny_trial("darts", seed=1).load_state_dict(trial.state_dict())


def test_the_id_is_that_of_everything_that_determines_the_result() -> None:
    spec = tiny_trial("darts").spec
    assert len(spec.id) == 16 and spec.id == TrialSpec(**spec.model_dump()).id
    others = [
        spec.model_copy(update={"seed": 1}),
        spec.model_copy(update={"method_version": 2}),
        spec.model_copy(update={"dataset_fingerprint": "0" * 16}),
        spec.model_copy(update={"retrain": Retrain()}),
        spec.model_copy(update={"dataset": DatasetSpec(name="digits", train_images=65)}),
        spec.with_hyperparameters({"arch_lr": 1e-3}),
    ]
    assert len({spec.id, *(other.id for other in others)}) == 7


def test_a_table_search_needs_a_data_set_the_table_knows() -> None:
    spec = tiny_trial("local_search").spec.model_copy(update={"dataset": DatasetSpec(name="digits")})
    with pytest.raises(BenchmarkError, match="digits"):
        Trial(spec, Surroundings())


def test_unknown_methods_and_hyperparameters_are_refused() -> None:
    spec = tiny_trial("darts").spec
    with pytest.raises(ConfigError, match="did you mean 'darts'"):
        Trial(spec.model_copy(update={"method": "dartz"}), Surroundings())
    with pytest.raises(ConfigError, match="did you mean 'arch_lr'"):
        Trial(spec.with_hyperparameters({"arch_lrr": 0.1}), Surroundings())


# what the table says ---------------------------------------------------------------------------------------------


def test_looked_up_values_are_the_cells_and_null_where_unknown() -> None:
    table = open_table()
    cells = [str(Genotype.from_index(9)), None, str(Genotype.from_index(15624)), str(Genotype.from_index(9))]
    columns = look_up(table, cells)
    accuracies = columns["cifar10_valid_accuracy"]
    expected = table.accuracy("cifar10", "valid", np.array([9, 15624])).tolist()
    assert accuracies == [expected[0], None, expected[1], expected[0]]
    assert columns["cifar10_test_accuracy"] == [None] * 4, "the built-in table knows no test accuracies"
    assert all(len(values) == 4 for values in columns.values())
    assert all(values == [None] for values in look_up(table, [None]).values())


def test_operation_shares_are_percent_of_edges() -> None:
    shares = space_named("nas_bench_201").shares(Genotype((1, 1, 1, 0, 4, 4)))
    assert shares == {"skip": 50.0, "none": pytest.approx(100 / 6), "pool": pytest.approx(100 / 3)}


# memory ----------------------------------------------------------------------------------------------------------


def test_peak_memory_is_that_of_one_trial() -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux lets a process reset its peak memory")
    device = torch.device("cpu")
    outer = PeakMemory(device)
    start = outer.mib()
    block = np.ones(100 * 2**20 // 8)
    assert outer.mib() > start + 90
    del block
    assert PeakMemory(device).mib() < start + 50, "a new measurement starts from what is in use now"
