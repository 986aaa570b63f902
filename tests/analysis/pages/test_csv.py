"""CSV files are what pandas writes, character for character, but for text that a spreadsheet would compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_store import HOSTILE

from analysis.pages import csv

FRAMES = {
    "numbers": pd.DataFrame(
        {
            "float": [0.1, 94.0, np.nan, -0.0, 0.0, 1e-300, 1e22, np.inf, 1 / 3],
            "int": range(-4, 5),
            "nullable": pd.array([1, None, *range(7)], "Int64"),
            "bool": [True, False, *[True] * 7],
            "flag": pd.array([True, None, *[False] * 7], "boolean"),
            "whole": pd.to_datetime([None, *["2026-01-01T01:02:03Z"] * 8]),
        }
    ),
    "words": pd.DataFrame(
        {
            "a, b": ["plain", HOSTILE, 'say "so"', "two\nlines", "", None],
            "text": pd.array(["x", None, "y,z", "", "–", "≥ 4"], "str"),
            "variant": pd.Categorical(["b", "a", None, "b", "c (x=1, y=2)", "a"]),
            "mixed": pd.Series([1, True, 1.0, np.float64(2.5), None, "1"], dtype=object),
        }
    ),
    "no rows": pd.DataFrame({"a": [], "b,c": []}),
}


@pytest.mark.parametrize("block", [2, 100])
@pytest.mark.parametrize("name", FRAMES)
def test_the_text_is_that_of_pandas(name: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "BLOCK", block)
    expected = FRAMES[name].to_csv(index=False, lineterminator="\n")
    assert csv.csv_text(FRAMES[name]) == expected
    csv.write_csv(FRAMES[name], tmp_path / "file.csv")
    assert (tmp_path / "file.csv").read_bytes() == expected.encode()


def test_times_of_one_column_look_alike() -> None:
    times = pd.to_datetime(["2026-01-01T00:00:00.000001Z", None, "2026-01-01T01:02:03Z"], format="ISO8601")
    frame = pd.DataFrame({"time": times, "n": 1})
    assert csv.csv_text(frame) == frame.to_csv(index=False, lineterminator="\n")


@pytest.mark.parametrize("text", ["=1+1", "@SUM(1)", "+x", "-cmd|'/C calc'!A0", "\t=1", " =1", "\uff1d1+1"])
def test_text_that_a_spreadsheet_would_compute_is_text(text: str) -> None:
    frame = pd.DataFrame({text: [text], "variant": pd.Categorical([text])})
    for lines in (csv.csv_text(frame), csv.csv_text(frame.astype("str"))):
        assert lines == f"'{text},variant\n'{text},'{text}\n"


def test_numbers_are_never_quoted() -> None:
    frame = pd.DataFrame({"a": [-1.5], "b": pd.Series([-2], dtype=object), "c": ["-3e-4"], "d": ["–"]})
    assert csv.csv_text(frame) == "a,b,c,d\n-1.5,-2,-3e-4,–\n"
