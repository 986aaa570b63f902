"""What every registered method must do, whatever it does: a method added to the table is tested here without a line.

``CONFIGS`` names the interesting hyperparameters of some methods; any other runs at its defaults.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial

from study.store.schema import EPOCHS, TRIALS, VOLATILE
from trainables.datasets import PROTOCOLS, Augmentation, ImageData
from trainables.hyperparameters import Range, range_of, source_of
from trainables.methods import METHODS, Diverged, diagnostics
from trainables.methods.checked import Checked
from trainables.methods.differentiable import DifferentiableSearch
from trainables.methods.hessian import largest_eigenvalue
from trainables.spaces import SPACES
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spec import DatasetSpec, Retrain
from trainables.trial import Surroundings, Trial

CONFIGS: dict[str, list[dict[str, Any]]] = {
    "balenas": [{}, {"derivation": "training_free", "candidates": 3, "protocol": "P1"}],
    "cdarts": [{}, {"interaction": "kl", "ensemble": "summed", "fixed_heads": False, "warm_up": 2, "protocol": "P2"}],
    "darts": [{}, {"order": "second"}, {"protocol": "P1", "nesterov": False}],
    "darts_pt": [{"tune_epochs": 2}],
    "drnas": [
        {},
        {"regulariser": "kl", "protocol": "P2"},
        {"progressive": True, "partial_channels": 2, "regulariser": "kl"},
    ],
    "enas": [{"controller_steps": 2, "samples": 3, "candidates": 5}],
    "gaea": [
        {},
        {"level": "single", "entropy": 0.05},
        {"exclude_none": False},
        {"variant": "pc_darts", "partial_channels": 2},
        {"variant": "gdas", "arch_lr": 0.01, "entropy": 0.01},
    ],
    "idarts": [{"inner_steps": 1}, {"inner_steps": 2, "terms": 0, "protocol": "P1"}],
    "lambda_darts": [{}, {"epsilon": 0.0, "measure": "sign"}],
    "local_search": [{"queries": 40}, {"queries": 40, "full_neighbourhood": True}],
    "oles": [{"window": 1}, {"window": 2, "threshold": 0.7, "compared": "validation"}],
    "pc_darts": [
        {"partial_channels": 2, "warm_up": 0.0},
        {"partial_channels": 1, "edge_normalisation": False, "warm_up": 0.0, "protocol": "P2"},
    ],
    "random_search": [{}, {"queries": 20}, {"budget": "time", "time_budget_s": 30_000.0}],
    "random_ws": [{"candidates": 5}, {"selection": "randomnas", "screened": 12, "statistics": "running"}],
    "regularized_evolution": [{"queries": 30}, {"queries": 30, "mutation": "edge"}],
    "reinforce": [{"queries": 20}],
    "sdarts": [{}, {"variant": "adversarial", "attack_steps": 2}],
    "setn": [{"candidates": 5}],
    "snas": [{}, {"variant": "single", "tau_start": 1.0, "tau_end": 0.03}],
    "svge": [
        {
            "queries": 10,
            "labelled": 7,
            "batch_queries": 2,
            "decode_attempts": 5,
            "vae_graphs": 60,
            "vae_epochs": 2,
            "predictor_epochs": 1,
            "hidden": 4,
            "latent": 8,
        },
    ],
    "tpe": [{"queries": 16, "startup": 8}, {"queries": 12, "startup": 6, "multivariate": True}],
    "zarts": [
        {"warm_up": 0.0, "interval": 1, "fine_tune_steps": 2},
        {"warm_up": 0.0, "interval": 1, "fine_tune_steps": 1, "optimizer": "rs"},
        {"warm_up": 0.0, "interval": 1, "fine_tune_steps": 1, "optimizer": "gld", "samples": 4},
    ],
}
CASES = [(method, config) for method in sorted(METHODS) for config in CONFIGS.get(method, [{}])]
IMAGE_CASES = [(m, c) for m, c in CASES if METHODS[m].needs(METHODS[m].Config(**c)) == "images"]
RETRAIN = Retrain(epochs=2, channels=2, cells=1, batch_size=32)
PROJECT = Path(__file__).parents[2]
SHORT = partial(largest_eigenvalue, iterations=3)
"""To find eigenvalues would take half of a trial; tests/trainables/test_diagnostics.py asks whether they are right."""


def name_of(case: Any) -> str:
    """A readable test id."""
    method, config = case
    return "-".join([method, *(f"{key}={value}" for key, value in config.items())])


every_method = pytest.mark.parametrize("method", sorted(METHODS))
every_case = pytest.mark.parametrize("case", CASES, ids=name_of)
every_image_case = pytest.mark.parametrize("case", IMAGE_CASES, ids=name_of)


class Mirrored(Surroundings):
    """Digits with augmentation, so that its random draws are under test as well."""

    def images(self, dataset: DatasetSpec) -> ImageData:
        return dataclasses.replace(super().images(dataset), augmentation=Augmentation(crop_padding=1, flip=True))


class Poisoned(Surroundings):
    """Images that normalise to NaN."""

    def images(self, dataset: DatasetSpec) -> ImageData:
        images = super().images(dataset)
        return dataclasses.replace(images, mean=images.mean * math.nan)


def begin(case: tuple[str, dict[str, Any]], seed: int = 0, surroundings: Surroundings | None = None) -> Trial:
    """A tiny trial with everything recorded, retrained at the end wherever there are images to retrain on."""
    method, config = case
    parsed = METHODS[method].Config.parse(method, config)
    retrain = None if METHODS[method].needs(parsed) == "table" else RETRAIN
    return tiny_trial(
        method, seed=seed, retrain=retrain, surroundings=surroundings or Mirrored(), hessian_every=2,
        proxies=("synflow", "ntk_condition"), **config,
    )  # fmt: skip


def finish(trial: Trial) -> dict[str, Any]:
    """Run a trial to its end and return everything it determines, to the last bit, as JSON values."""
    while not trial.finished:
        trial.advance()
    return result_of(trial)


def result_of(trial: Trial) -> dict[str, Any]:
    epochs = [{k: exact(v) for k, v in row.items() if k not in VOLATILE} for row in trial.epochs]
    record = {k: exact(v) for k, v in trial.record().items() if k not in VOLATILE}
    alpha, state = getattr(trial.search, "alpha", None), trial.state_dict()
    return {
        "id": trial.spec.id,
        "epochs": epochs,
        "record": record,
        "alpha": None if alpha is None else [exact(value) for value in alpha.detach().flatten().tolist()],
        "streams": digest(state["streams"]),
        "retraining": digest(state["retraining"]),
    }


def digest(value: Any) -> str:
    """A hash of every bit of a nested state."""
    if isinstance(value, torch.Tensor):
        content = f"{value.dtype}{tuple(value.shape)}".encode() + value.detach().contiguous().numpy().tobytes()
    elif isinstance(value, dict):
        content = "".join(f"{key!r}:{digest(value[key])}," for key in sorted(value, key=repr)).encode()
    elif isinstance(value, list | tuple):
        content = ",".join(map(digest, value)).encode()
    else:
        content = repr(value).encode()
    return hashlib.sha256(content).hexdigest()


def exact(value: Any) -> Any:
    return value.hex() if isinstance(value, float) else value


@cache
def finished_trial(index: int) -> Trial:
    trial = begin(CASES[index])
    finish(trial)
    return trial


def finished(case: tuple[str, dict[str, Any]]) -> Trial:
    """The case's uninterrupted trial, run once for all tests."""
    return finished_trial(CASES.index(case))


@pytest.fixture(autouse=True, scope="module")
def _short_power_iterations() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnostics, "largest_eigenvalue", SHORT)
        yield


# reproducibility -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fresh_process() -> dict[str, Any]:
    """The results of all cases in another process with another hash seed, by the case's name."""
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=590, check=False
    )
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)
    return results


@pytest.mark.slow
@every_case
def test_same_seed_same_bits_in_a_fresh_process(case: Any, fresh_process: dict[str, Any]) -> None:
    assert fresh_process[name_of(case)] == result_of(finished(case))


@pytest.mark.slow
@every_case
def test_other_seed_differs(case: Any) -> None:
    other, trial = begin(case, seed=1), finished(case)
    assert other.spec.id != trial.spec.id
    other.advance()
    assert {k: v for k, v in other.epochs[0].items() if k != "wall_s"} != {
        k: v for k, v in trial.epochs[0].items() if k != "wall_s"
    }


@pytest.mark.slow
@every_case
def test_resumed_after_every_epoch_same_bits(case: Any) -> None:
    """Each epoch of search and retraining runs in a trial of its own, built from the file of the one before."""
    trial, done = begin(case), 0
    while not trial.finished:
        assert trial.epochs_done == done
        trial.advance()
        done += 1
        file = io.BytesIO()
        torch.save(trial.state_dict(), file)
        file.seek(0)
        trial = begin(case)
        trial.load_state_dict(torch.load(file, weights_only=True))
    assert done == trial.epochs_in_all == finished(case).epochs_in_all
    expected = result_of(finished(case)) | {"alpha": None}  # once the cell is derived, the search is not kept
    assert result_of(trial) | {"alpha": None} == expected


@every_case
def test_global_random_state_is_neither_used_nor_moved(case: Any) -> None:
    torch.manual_seed(99)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    trial = begin(case)
    trial.advance()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1] and (np.random.get_state()[1] == before[2]).all()
    repeated, original = trial.epochs[0], finished(case).epochs[0]
    assert {k: v for k, v in repeated.items() if k != "wall_s"} == {k: v for k, v in original.items() if k != "wall_s"}


# what comes out --------------------------------------------------------------------------------------------------


@every_case
def test_records_are_declared_columns_with_sensible_values(case: Any) -> None:
    trial = finished(case)
    assert len(trial.epochs) == trial.search.total_epochs
    assert type(trial.search).planned_epochs(trial.search.config, trial.spec.scale, trial.space) in (
        None,
        len(trial.epochs),
    )
    assert set(trial.record()) <= set(TRIALS.names)
    for number, row in enumerate(trial.epochs, start=1):
        assert row["epoch"] == number and set(row) <= set(EPOCHS.names)
        assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
        for name in ("train_accuracy", "valid_accuracy", "relaxed_accuracy", "discrete_accuracy", "skip_share"):
            assert 0 <= row.get(name, 0.0) <= 100
        assert 0 <= row.get("entropy", 0.0) <= 1 + 1e-6
        Genotype.from_string(row["genotype"])
    record = trial.record()
    assert record["genotype"] == str(trial.search.derive())
    assert (record["retrain_test_accuracy"] is None) == (trial.spec.retrain is None)
    if trial.spec.retrain:
        assert 0 <= record["retrain_test_accuracy"] <= 100


@pytest.mark.trains
@every_image_case
def test_architecture_moves_and_stays_finite(case: Any) -> None:
    search = begin(case).search
    assert isinstance(search, DifferentiableSearch)
    alpha = search.alpha.detach().clone()
    for _ in range(2):
        search.epoch()
        moved = (search.alpha != alpha).any(dim=1)
        assert search.alpha.isfinite().all()
        assert moved.all() if search.learns_architecture else not moved.any(), "every edge moves, or none is trained"
        torch.testing.assert_close(search.scores().sum(1), torch.ones(len(alpha)))
        alpha = search.alpha.detach().clone()


@every_image_case
def test_images_that_are_not_numbers_end_in_diverged(case: Any) -> None:
    trial = begin(case, surroundings=Poisoned())
    with pytest.raises(Diverged, match="became nan"):
        trial.advance()
    assert trial.record()["genotype"] is None


def test_an_absurd_learning_rate_ends_in_diverged() -> None:
    trial = begin(("darts", {"weight_lr": 1e30}))
    with pytest.raises(Diverged, match=r"became (nan|inf)"):
        for _ in range(3):
            trial.advance()


# declarations ----------------------------------------------------------------------------------------------------


@every_method
def test_hyperparameters_are_fully_declared(method: str) -> None:
    config = METHODS[method].Config
    defaults = config().model_dump()
    for name, field in config.model_fields.items():
        assert field.description, f"{name} has no doc"
        assert source_of(field), f"{name} has no source"
        declared = range_of(config, method, name)
        is_range = isinstance(declared, Range)
        inside = declared.low <= defaults[name] <= declared.high if is_range else defaults[name] in declared
        assert inside, name
        ends = (declared.low, declared.high) if is_range else declared
        for value in ends:  # a search may propose any of them
            config.parse(method, {name: type(defaults[name])(value)})


@every_case
def test_config_survives_its_dump(case: Any) -> None:
    method, values = case
    config = METHODS[method].Config.parse(method, values)
    assert METHODS[method].Config.parse(method, config.model_dump()) == config
    assert METHODS[method].Config.parse(method, json.loads(config.model_dump_json())) == config


@every_method
def test_method_says_how_it_was_held_against_released_code(method: str) -> None:
    cls = METHODS[method]
    checked = vars(cls).get("checked", "not declared")
    if checked is None:
        return
    assert isinstance(checked, Checked), "a declaration of its own, not its parent's"
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", checked.when) and checked.code
    ran = checked.how in ("lockstep", "functions")
    assert ran == (checked.difference is not None)
    assert checked.difference is None or 0 <= checked.difference < 1e-10, "more is a deviation to mend or to number"


@every_method
def test_method_states_its_published_scale_protocol_and_cost(method: str) -> None:
    cls = METHODS[method]
    config = cls.Config()
    images = cls.needs(config) == "images"
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|OpenReview:\w{10}", cls.paper)
    assert cls.version >= 1 and cls.relative_cost(config) > 0
    assert ("nas_bench_201" in cls.published) == images and set(cls.published) <= set(cls.spaces(config) or SPACES)
    assert (cls.protocol(config) in PROTOCOLS) if images else (cls.protocol(config) is None)
    assert sys.modules[cls.__module__].__doc__ and "Deviations" in sys.modules[cls.__module__].__doc__


# common random numbers -------------------------------------------------------------------------------------------


def cases_by_protocol() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """The weight-sharing cases that drive the same steps with the same images, where there are several methods."""
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for method, config in IMAGE_CASES:
        groups.setdefault(str(METHODS[method].protocol(METHODS[method].Config(**config))), []).append((method, config))
    return {protocol: cases for protocol, cases in groups.items() if len({method for method, _ in cases}) > 1}


@pytest.mark.parametrize("protocol", cases_by_protocol())
def test_methods_meet_the_same_weights_and_images_at_the_same_seed(protocol: str) -> None:
    searches: list[Any] = [begin(case).search for case in cases_by_protocol()[protocol]]
    first = {search.partial(): search.supernet.state_dict() for search in reversed(searches)}
    for search in searches:
        expected, initial = first[search.partial()], search.supernet.state_dict()
        assert initial.keys() == expected.keys()
        assert all(torch.equal(initial[name], expected[name]) for name in initial)
    for stream in ("weights", "architecture"):
        batches = [
            search._batch(
                search.train_batches if stream == "weights" else search.valid_batches, f"augmentation.{stream}"
            )
            for search in searches
        ]
        assert all(torch.equal(images, batches[0][0]) for images, _ in batches)
        assert all(torch.equal(labels, batches[0][1]) for _, labels in batches)
    for search in searches:
        search.epoch()  # drawing whatever else the method draws
    for name in ("order.weights", "order.architecture", "augmentation.weights", "augmentation.architecture"):
        positions = [search.context.streams(name).get_state() for search in searches]
        assert all(torch.equal(position, positions[0]) for position in positions), name


if __name__ == "__main__":
    diagnostics.largest_eigenvalue = SHORT
    print(json.dumps({name_of(case): finish(begin(case)) for case in CASES}))
