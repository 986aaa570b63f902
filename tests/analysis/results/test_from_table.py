"""Results from elsewhere: what is accepted, what is refused in one sentence, and that the report says what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis import load_table
from analysis.robustness.report import write_report
from trainables.errors import StoreError


def frame(**changes: Any) -> pd.DataFrame:
    rates = {"a": (0.1, 0.01), "b": (1.0,)}
    rows = [
        {"method": m, "dataset": d, "seed": s, "hp.lr": lr, "acc": 80.0 + s + (d == "svhn")}
        for m in ("a", "b") for d in ("cifar10", "svhn") for s in range(3) for lr in rates[m]
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changes)


def saved(folder: Path, table: pd.DataFrame, name: str = "mine.csv") -> Path:
    path = folder / name
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    return path


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
def test_each_data_set_is_a_value_of_one_trial(tmp_path: Path, name: str) -> None:
    results = load_table(saved(tmp_path, frame(), name), "acc")
    assert results.name == "mine" and results.epochs.empty
    assert list(results.trials["variant"].cat.categories) == ["a (lr=0.01)", "a (lr=0.1)", "b"]
    assert len(results.trials) == 9
    assert (results.trials["value:svhn:acc"] - results.trials["value:cifar10:acc"] == 1).all()


def test_empty_field_is_a_failed_run_that_stays_counted(tmp_path: Path) -> None:
    table = frame()
    table.loc[(table["method"] == "b") & (table["seed"] == 2), "acc"] = None
    trials = load_table(saved(tmp_path, table), "acc").trials
    assert trials.loc[trials["method"] == "b", "status"].tolist() == ["ok", "ok", "failed"]


@pytest.mark.parametrize(
    ("table", "value", "message"),
    [
        (frame().drop(columns="seed"), "acc", r"lacks 'seed'; rename or add it"),
        (frame(), "accuracy", r"unknown value column 'accuracy'; choose one of: acc"),
        (frame(), [], r"--value COLUMN; .* has acc"),
        (frame(acc="good"), "acc", r"must hold numbers, but .* has 'good'"),
        (frame(acc=0.93), "acc", r"between 0 and 1; multiply it by 100"),
        (frame(acc=-3.0), "acc", r"has -3; convert it to 0 to 100"),
        (frame(acc=None), "acc", r"no value at all"),
        (frame(seed=0.5), "acc", r"a seed is a whole number from 0, but .* has .*0\.5"),
        (frame(method=None), "acc", r"every row needs a method, but row 1"),
        (frame(seed=0), "acc", r"12 rows whose .* occur before"),
        (frame().head(0), "acc", r"at least one row"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, table: pd.DataFrame, value: Any, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        load_table(saved(tmp_path, table), value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["absent.csv", "table.xlsx"])
def test_file_that_is_no_table_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match=r"a table of results must"):
        load_table(tmp_path / name, "acc")


def test_report_leaves_out_what_a_foreign_table_lacks(tmp_path: Path) -> None:
    write_report(load_table(saved(tmp_path, frame()), "acc"), tmp_path / "r.html")
    page = (tmp_path / "r_files/r.md").read_text()
    assert "came from elsewhere" in page and "CIFAR-10 acc" in page and "svhn acc" in page
    assert "Regret against epoch, Regret against time and cost, " in page and "(no cells of epochs " in page
    html = (tmp_path / "r.html").read_text()
    for untrue in ("search seed", "training seed", "Unknown", "15,625", "study.yaml", "derived cell<"):
        assert untrue not in html.partition('<section id="checklist">')[0], untrue
    assert not (tmp_path / "r_files/tables/cost.csv").exists()
