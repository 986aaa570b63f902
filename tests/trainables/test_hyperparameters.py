"""Declared hyperparameters: what is refused, and that the sentence says what to do about it."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import ValidationError

from trainables.errors import ConfigError
from trainables.hyperparameters import (
    MethodConfig,
    Range,
    choices_of,
    field_named,
    hyperparameter,
    range_of,
    source_of,
)
from trainables.methods import METHODS, method_named


class Example(MethodConfig):
    rate: float = hyperparameter(0.1, "a rate", source="here", search=Range(0.01, 1, log=True), gt=0, le=1)
    steps: int = hyperparameter(5, "a number", source="here", search=Range(1, 9), ge=1)
    order: Literal["first", "second"] = hyperparameter("first", "a choice", source="here")
    fast: bool = hyperparameter(False, "a switch", source="here")
    plain: float = hyperparameter(1.0, "no range", source="here")


def refusal(**values: Any) -> str:
    with pytest.raises(ConfigError) as error:
        Example.parse("example", values)
    return str(error.value)


def test_defaults_and_given_values() -> None:
    config = Example.parse("example", {"rate": 1, "order": "second"})
    assert config.model_dump() == {"rate": 1.0, "steps": 5, "order": "second", "fast": False, "plain": 1.0}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert refusal(rates=0.1) == (
        "example: unknown hyperparameter 'rates'; did you mean 'rate'? choose one of: fast, order, plain, rate, steps"
    )
    assert "did you mean" not in refusal(zzz=1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rate": 0}, "example: `rate` should be greater than 0, but got rate=0"),
        ({"rate": 1.5}, "example: `rate` should be less than or equal to 1, but got rate=1.5"),
        ({"steps": 0}, "example: `steps` should be greater than or equal to 1, but got steps=0"),
        ({"order": "third"}, "example: `order` should be 'first' or 'second', but got order='third'"),
        ({"rate": float("nan")}, "example: `rate` should be a finite number, but got rate=nan"),
        ({"plain": float("inf")}, "example: `plain` should be a finite number, but got plain=inf"),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence(values: dict[str, Any], sentence: str) -> None:
    assert refusal(**values) == sentence


@pytest.mark.parametrize("values", [{"rate": "fast"}, {"steps": 2.5}, {"fast": "maybe"}, {"rate": None}, {"rate": [1]}])
def test_a_value_of_another_type_is_refused_by_name(values: dict[str, Any]) -> None:
    (name,) = values
    sentence = refusal(**values)
    assert sentence.startswith(f"example: `{name}` should be") and f"but got {name}={values[name]!r}" in sentence


def test_configs_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Example().rate = 0.2


def test_a_default_out_of_bounds_is_refused() -> None:
    class Wrong(MethodConfig):
        rate: float = hyperparameter(0.0, "a rate", source="here", gt=0)

    with pytest.raises(ValidationError):
        Wrong()


def test_ranges_or_choices() -> None:
    assert range_of(Example, "example", "rate") == Range(0.01, 1, log=True)
    assert range_of(Example, "example", "steps") == Range(1, 9, integer=True)
    assert range_of(Example, "example", "order") == ("first", "second")
    assert range_of(Example, "example", "fast") == (False, True)
    with pytest.raises(ConfigError, match="declares no search range; give one as"):
        range_of(Example, "example", "plain")
    with pytest.raises(ConfigError, match="did you mean 'order'"):
        range_of(Example, "example", "ordr")


def test_a_field_knows_its_source_and_choices() -> None:
    assert source_of(field_named(Example, "example", "rate")) == "here"
    assert choices_of(field_named(Example, "example", "rate")) is None


@pytest.mark.parametrize(("low", "high", "log"), [(1, 1, False), (2, 1, False), (0, 1, True), (-1, 1, True)])
def test_empty_ranges_are_refused(low: float, high: float, log: bool) -> None:
    with pytest.raises(ValueError, match="a range needs low < high"):
        Range(low, high, log=log)


def test_a_range_reads_as_an_interval() -> None:
    assert str(Range(1e-5, 0.1, log=True)) == "[1e-05, 0.1] log"


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    assert method_named("darts") is METHODS["darts"]
    with pytest.raises(ConfigError, match="unknown method 'dart'; did you mean 'darts'"):
        method_named("dart")


def test_a_redeclared_hyperparameter_differs_in_default_and_source_only() -> None:
    class Derived(Example):
        rate: float = Example.redeclare("rate", 0.5, source="another paper")

    before, after = (config.model_fields["rate"] for config in (Example, Derived))
    assert (after.default, source_of(after)) == (0.5, "another paper")
    assert (after.description, after.metadata) == (before.description, before.metadata)
    assert range_of(Derived, "derived", "rate") == range_of(Example, "example", "rate")
    assert list(Derived.model_fields) == list(Example.model_fields)
    assert Example().model_dump() | {"rate": 0.5} == Derived().model_dump()
