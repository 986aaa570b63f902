"""A study becomes exactly the trials it says, and a trial's id depends on what determines its result, nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from study.loading import parse
from study.plan import Fingerprints, plan
from trainables.batch import suggest
from trainables.errors import ConfigError
from trainables.hyperparameters import hyperparameter
from trainables.methods import METHODS
from trainables.methods.darts import Darts, DartsConfig
from trainables.records import changed, describe
from trainables.spec import TrialSpec

KNOWN = Fingerprints(images="a" * 16, signals={200: "b" * 16})


def trials(raw: dict[str, Any], fingerprints: Fingerprints = KNOWN) -> list[TrialSpec]:
    return plan(parse(raw), fingerprints).trials


def test_every_combination_once(tiny_study: dict[str, Any]) -> None:
    tiny_study["methods"] = {"darts": {"arch_lr": [1e-4, 1e-3], "order": ["first", "second"]}, "gaea": {}}
    found = trials(tiny_study)
    assert len(found) == (4 + 1) * 2 == len({spec.id for spec in found})
    assert {frozenset(changed(s).split(", ")) for s in found if s.method == "darts"} == {
        frozenset({f"arch_lr={rate}", *order}) for rate in ("0.0001", "0.001") for order in ((), ("order=second",))
    }


def test_settings_equal_to_six_digits_have_names_of_their_own(tiny_study: dict[str, Any]) -> None:
    tiny_study["methods"] = {"darts": {"arch_lr": [1e-3, 0.00100000049, 0.001000001]}}
    assert {changed(spec) for spec in trials(tiny_study)} == {
        "arch_lr=0.001",
        "arch_lr=0.00100000049",
        "arch_lr=0.001000001",
    }


def test_defaults_written_out_are_the_same_trials(tiny_study: dict[str, Any]) -> None:
    ids = {spec.id for spec in trials(tiny_study)}
    tiny_study["methods"] = {"darts": {"arch_lr": [3e-4, "3e-4"]}, "drnas": {"reg_scale": 0.001}}
    assert {spec.id for spec in trials(tiny_study)} == ids


def test_a_precision_written_out_at_its_default_is_the_same_trials(
    tiny_study: dict[str, Any], table_study: dict[str, Any]
) -> None:
    """Trials from before there was a choice stay valid; searchers of the table multiply nothing."""
    assert trials(tiny_study | {"precision": "float32"}) == trials(tiny_study)
    assert trials(table_study | {"precision": "tf32"}) == trials(table_study)
    assert {describe(spec, "x")["precision"] for spec in trials(tiny_study | {"precision": "tf32"})} == {"tf32"}


class WarmConfig(DartsConfig):
    warm: bool = hyperparameter(False, "what DARTS did not have from the beginning", source="this test", later=True)


class Warm(Darts):
    Config = WarmConfig


def test_a_hyperparameter_that_came_later_leaves_the_trials_at_its_default_as_they_were(
    tiny_study: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_study["methods"] = {"darts": {"arch_lr": [3e-4, 1e-3]}}
    before = trials(tiny_study)
    monkeypatch.setitem(METHODS, "darts", Warm)
    assert trials(tiny_study) == before
    tiny_study["methods"]["darts"]["warm"] = [False, True]
    both = trials(tiny_study)
    cold, warm = (
        [spec for spec in both if spec.hyperparameters.get("warm", False) is value] for value in (False, True)
    )
    assert {spec.id for spec in cold} == {spec.id for spec in before}
    assert [changed(spec) for spec in warm if spec.seed == 0] == ["warm=True", "arch_lr=0.001, warm=True"]
    suggested = [suggest(before[0], {"arch_lr": 0.002, "warm": value}) for value in (False, True)]
    assert [spec.hyperparameters.get("warm") for spec in suggested] == [None, True]


def test_growing_a_study_keeps_its_trials(tiny_study: dict[str, Any]) -> None:
    ids = {spec.id for spec in trials(tiny_study)}
    grown = tiny_study | {"seeds": 4, "resources": {"cpu": 2}, "name": "other"}
    grown["methods"] = tiny_study["methods"] | {"gaea": {}}
    assert ids < {spec.id for spec in trials(grown)}


@pytest.mark.parametrize(
    "change",
    [
        {"scale": {"channels": 4, "cells": 1, "epochs": 17, "batch_size": 32}},
        {"dataset": {"name": "digits", "train_images": 513}},
        {"evaluate": {"retrain": {"epochs": 1}}},
        {"precision": "tf32"},
        {"seeds": [5]},
    ],
)
def test_whatever_changes_a_result_changes_the_id(tiny_study: dict[str, Any], change: dict[str, Any]) -> None:
    assert not {s.id for s in trials(tiny_study)} & {s.id for s in trials(tiny_study | change)}


@pytest.mark.parametrize(
    ("methods", "epochs"),
    [
        ({"darts": {}, "robust_darts": {}}, 16),
        ({"darts_pt": {"tune_epochs": 4}}, 16 + 4 * 5),
        ({"local_search": {"queries": 30}}, 30),
        ({"local_search": {"budget": "time"}, "random_search": {"budget": "time"}}, None),
    ],
)
def test_the_record_says_how_many_epochs_were_planned(tiny_study: dict[str, Any], methods: Any, epochs: int) -> None:
    found = trials(tiny_study | {"methods": methods})
    assert {describe(spec, "tiny")["epochs"] for spec in found} == {epochs}


def test_data_and_version_are_part_of_the_id(tiny_study: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = {s.id for s in trials(tiny_study)}
    assert not before & {s.id for s in trials(tiny_study, Fingerprints("c" * 16))}
    monkeypatch.setattr(METHODS["darts"], "version", METHODS["darts"].version + 1)
    assert len(before & {s.id for s in trials(tiny_study)}) == 2  # drnas only


def test_a_table_searchers_id_ignores_images_and_scale(table_study: dict[str, Any]) -> None:
    ids = {s.id for s in trials(table_study)}
    assert ids == {s.id for s in trials(table_study | {"scale": {"epochs": 3}}, Fingerprints(None, {200: "b" * 16}))}
    assert not ids & {s.id for s in trials(table_study, Fingerprints(None, {200: "c" * 16}))}


def test_the_published_scale_fills_what_a_study_leaves_out(tiny_study: dict[str, Any]) -> None:
    tiny_study |= {"scale": "paper", "methods": {"gaea": {}}}
    (spec, _) = trials(tiny_study)
    assert spec.scale == METHODS["gaea"].published["nas_bench_201"] and spec.scale.channels == 24
    tiny_study["scale"] = {"channels": 8}
    assert trials(tiny_study)[0].scale == spec.scale.model_copy(update={"channels": 8})


def test_table_searchers_need_a_table(tiny_study: dict[str, Any]) -> None:
    for methods in ({"local_search": {}}, {"random_search": {"queries": 2}}):
        with pytest.raises(ConfigError, match="queries the benchmark table, but it has no data set 'digits'"):
            trials(tiny_study | {"methods": methods}, Fingerprints("a" * 16))
    assert trials(tiny_study | {"methods": {"random_search": {}}}, Fingerprints("a" * 16))


def test_a_searcher_of_the_short_signal_needs_a_table_that_has_it(table_study: dict[str, Any]) -> None:
    table_study["methods"] = {"local_search": {"signal_epochs": [200, 12]}}
    with pytest.raises(ConfigError, match=r"signal_epochs: 12 .* cifar10, but the benchmark table does not have them"):
        trials(table_study)
    found = trials(table_study, Fingerprints(None, {200: "b" * 16, 12: "c" * 16}))
    read = {(s.hyperparameters["signal_epochs"], s.signal_fingerprint) for s in found}
    assert read == {(200, "b" * 16), (12, "c" * 16)}


@pytest.mark.parametrize(
    ("methods", "key"),
    [
        ({"local_search": {"signal_epochs": "search"}}, "signal_epochs"),
        ({"random_search": {"queries": "search"}}, "queries"),
    ],
)
def test_optuna_does_not_choose_what_a_search_reads(table_study: dict[str, Any], methods: Any, key: str) -> None:
    table_study |= {"methods": methods, "search": {"algorithm": "optuna", "samples": 2}}
    with pytest.raises(ConfigError, match=f"`{key}` decides what the search reads"):
        trials(table_study, Fingerprints(None, {200: "b" * 16, 12: "c" * 16}))


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ({"arch_lrr": 1}, "darts: unknown hyperparameter 'arch_lrr'; did you mean 'arch_lr'"),
        ({"arch_lr": -1}, "darts: `arch_lr` should be greater than 0, but got arch_lr=-1"),
        ({"arch_lr": "fast"}, "darts: `arch_lr` should be a valid number"),
        ({"order": "third"}, "darts: `order` should be 'first' or 'second'"),
        ({"arch_lr": {"low": 1e-4, "high": 1e-2}}, "`arch_lr` is a range, but the study has no `search`"),
        ({"arch_lr": "search"}, "`arch_lr` is a range, but the study has no `search`"),
    ],
)
def test_hyperparameter_mistakes(tiny_study: dict[str, Any], axes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        trials(tiny_study | {"methods": {"darts": axes}})


def test_unknown_method_names_the_nearest(tiny_study: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="unknown method 'dartz'; did you mean 'darts'"):
        trials(tiny_study | {"methods": {"dartz": {}}})


def test_random_search_over_ranges(table_study: dict[str, Any], tiny_study: dict[str, Any]) -> None:
    tiny_study["methods"] = {"darts": {"arch_lr": {"low": 1e-4, "high": 1e-2, "log": True}, "order": "search"}}
    tiny_study["search"] = {"algorithm": "random", "samples": 20}
    found = trials(tiny_study)
    values = {s.hyperparameters["arch_lr"] for s in found}
    assert len(found) == 40 and len(values) == 20 and all(1e-4 <= v <= 1e-2 for v in values)
    assert {s.hyperparameters["order"] for s in found} == {"first", "second"}
    assert [s.id for s in trials(tiny_study)] == [s.id for s in found]
    other = tiny_study | {"search": {"algorithm": "random", "samples": 20, "seed": 1}}
    assert not {s.id for s in trials(other)} & {s.id for s in found}
    table_study |= {"methods": {"local_search": {"queries": "search"}}, "search": {"algorithm": "random", "samples": 5}}
    assert all(isinstance(s.hyperparameters["queries"], int) for s in trials(table_study))


@pytest.mark.parametrize(
    ("axis", "sentence"),
    [
        ({"low": 1e-2, "high": 1e-4}, "low < high"),
        ({"low": -1, "high": 1}, "should be greater than 0"),
        ({"low": 0, "high": 1, "log": True}, "greater than 0"),
    ],
)
def test_impossible_ranges(tiny_study: dict[str, Any], axis: dict[str, Any], sentence: str) -> None:
    tiny_study |= {"methods": {"darts": {"arch_lr": axis}}, "search": {"algorithm": "random", "samples": 2}}
    with pytest.raises(ConfigError, match=sentence):
        trials(tiny_study)


def test_a_search_needs_something_to_search(tiny_study: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="no hyperparameter to search"):
        trials(tiny_study | {"search": {"algorithm": "optuna", "samples": 2}})
