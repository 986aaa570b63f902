"""Labels of configurations: different values never share one, and equal ones never have two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import load_table
from analysis.results.from_table import _configurations


def labels(values: object) -> list[str]:
    table = pd.DataFrame({"method": "m", "hp.lr": values, "hp.same": 1.0})
    return _configurations(table, ["hp.lr", "hp.same"])[0].tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.1000001, 0.1], ["lr=0.1", "lr=0.1000001", "lr=0.1"]),
        ([1234567.0, 1234568.0], ["lr=1234567.0", "lr=1234568.0"]),
        ([1e-5, 5.0], ["lr=1e-05", "lr=5"]),
        (np.array([0.1, 0.2], dtype=np.float32), ["lr=0.1", "lr=0.2"]),
        ([0.5, np.nan], ["lr=0.5", "lr=nan"]),
        (["cosine", "step"], ["lr=cosine", "lr=step"]),
        ([True, False], ["lr=True", "lr=False"]),
    ],
)
def test_values_are_as_short_as_tells_them_apart(values: object, expected: list[str]) -> None:
    assert labels(values) == expected


def test_nearly_equal_settings_stay_two_variants(tmp_path: Path) -> None:
    rows = [{"method": "m", "dataset": "d", "seed": s, "hp.lr": lr, "hp.wd": wd, "acc": 50.0 + s}
            for s in range(2) for lr in (0.1, 0.1000001) for wd in (0, 1)]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    trials = load_table(tmp_path / "t.csv", "acc").trials
    assert trials["variant"].value_counts().to_dict() == {
        f"m (lr={lr}, wd={wd})": 2 for lr in ("0.1", "0.1000001") for wd in (0, 1)
    }
