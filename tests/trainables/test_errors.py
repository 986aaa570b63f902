"""Sentences about what was given stay sentences, whatever was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainables.errors import choose, shown


def test_the_nearest_name_is_offered() -> None:
    assert choose("method", "dartz", ["drnas", "darts"]) == (
        "unknown method 'dartz'; did you mean 'darts'? choose one of: darts, drnas"
    )


def test_names_of_any_length_and_number_are_answered_at_once() -> None:
    """The search for the nearest takes a time that grows with the square of the length."""
    said = choose("method", "d" * 1_000_000, ["x" * 1_000_000, *map(str, range(1000))])
    assert said.startswith("unknown method 'ddd") and said.endswith("and 901 more") and len(said) < 2000


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.float64(2.5), "2.5"),
        (np.int64(3), "3"),
        ("\udcff\n", r"'\udcff\n'"),
        (10**5000, "a number of some 4983 digits"),
        ([1] * 1000, "[1, 1, 1, 1, 1, 1, ...]"),
    ],
    ids=["numpy", "numpy, whole", "bytes", "digits", "list"],
)
def test_values_are_shown_as_the_user_knows_them(value: Any, words: str) -> None:
    assert shown(value) == words
