"""Every mistake in a study file is one sentence that names the key, the value and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from study.loading import load, parse, shipped
from trainables.errors import ConfigError


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nmae": "x"}, r"unknown key 'nmae'; did you mean 'name'\?"),
        ({"scale": {"epoch": 3}}, r"unknown key 'scale.epoch'; did you mean 'scale.epochs'\?"),
        ({"evaluate": {"retrain": {"epoch": 3}}}, r"did you mean 'evaluate.retrain.epochs'\?"),
        ({"scale": {"epochs": 0}}, r"`scale.epochs` should be greater than or equal to 1, but got 0"),
        ({"resources": {"gpu": -1}}, r"`resources.gpu` should be greater than or equal to 0, but got -1"),
        ({"seeds": [1, 1]}, r"`seeds` must be distinct"),
        ({"seeds": 0}, r"`seeds`.*got 0"),
        ({"seeds": []}, r"`seeds`"),
        ({"name": "a/b"}, r"`name` must be letters, digits"),
        ({"space": "nas_bench_202"}, r"did you mean 'nas_bench_201'\?"),
        ({"methods": {}}, r"`methods`"),
        ({"search": {"algorithm": "tpe", "samples": 3}}, r"`search.algorithm`.*'random' or 'optuna'.*'tpe'"),
        (
            {"search": {"algorithm": "optuna", "samples": 3, "objective": "cifar10_test_accuracy"}},
            r"`search.objective` must be a validation accuracy",
        ),
        (
            {"search": {"algorithm": "optuna", "samples": 3, "objective": "cifar10_valid_acuracy"}},
            r"`search.objective`.*: cifar10_valid_accuracy, cifar100_valid_accuracy.*supernet_valid_accuracy",
        ),
    ],
)
def test_a_mistake_is_one_sentence(tiny_study: dict[str, Any], change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as raised:
        parse(tiny_study | change)
    assert "\n" not in str(raised.value)


def test_a_missing_key_is_named(tiny_study: dict[str, Any]) -> None:
    del tiny_study["dataset"]
    with pytest.raises(ConfigError, match="must have the key `dataset`"):
        parse(tiny_study)


def test_unknown_study_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown study 'quickstrat'; did you mean 'quickstart'"):
        load("quickstrat")


def test_missing_file_and_broken_yaml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml' is not: there is no such file"):
        load(str(tmp_path / "nowhere.yaml"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [unclosed")
    with pytest.raises(ConfigError, match="must be a file of readable YAML"):
        load(str(broken))
    broken.write_text("just text")
    with pytest.raises(ConfigError, match="must hold keys"):
        load(str(broken))


def test_overrides_reach_nested_keys() -> None:
    study = load("quickstart", ["scale.epochs=2", "methods.darts.arch_lr=[1.0e-3, 1e-4]", "dataset.train_images=64"])
    assert study.scale.epochs == 2 and study.scale.channels == 8
    assert study.methods["darts"]["arch_lr"] == [1e-3, "1e-4"]  # YAML 1.1 reads 1e-4 as text; the method makes a number
    assert study.dataset.name == "digits" and study.dataset.train_images == 64


@pytest.mark.parametrize("override", ["scale.epochs", "=3"])
def test_an_override_must_have_key_and_value(override: str) -> None:
    with pytest.raises(ConfigError, match="key=value"):
        load("quickstart", [override])


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_studies_load_and_survive_their_own_yaml(name: str) -> None:
    study = load(name)
    assert study.name == name
    assert parse(yaml.safe_load(study.as_yaml())) == study


def test_a_count_of_seeds_is_a_range() -> None:
    assert load("quickstart", ["seeds=3"]).seeds == [0, 1, 2]
    assert load("quickstart", ["seeds=[7, 3]"]).seeds == [7, 3]
