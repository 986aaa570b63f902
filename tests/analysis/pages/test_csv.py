"""CSV files are what pandas writes, character for character."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic_store import HOSTILE

from analysis.pages.csv import csv_text

FRAMES = {
    "numbers": pd.DataFrame(
        {
            "float": [0.1, 94.0, np.nan, -0.0, 0.0, 1e-300, 1e22, np.inf, 1 / 3],
            "int": range(-4, 5),
            "nullable": pd.array([1, None, *range(7)], "Int64"),
            "bool": [True, False, *[True] * 7],
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


@pytest.mark.parametrize("name", FRAMES)
def test_the_text_is_that_of_pandas(name: str) -> None:
    assert csv_text(FRAMES[name]) == FRAMES[name].to_csv(index=False, lineterminator="\n")
