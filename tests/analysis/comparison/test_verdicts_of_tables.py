"""Tables that led to wrong verdicts, each with a sibling of its kind, through the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

NasStudy = Any
INPUTS = Path(__file__).parents[4] / "shared" / "inputs" / "trust"


def given(name: str) -> Path:
    path = INPUTS / name
    if not path.is_file():
        pytest.skip(f"the tables that led to wrong verdicts are not in {INPUTS}")
    return path


def saved(folder: Path, arms: dict[str, Sequence[float]], first: dict[str, int] | None = None) -> Path:
    """A table of ``arms``, whose seeds begin at ``first``, else at 0."""
    rows = [
        {"method": name, "seed": (first or {}).get(name, 0) + place, "dataset": "d", "acc": value}
        for name, values in arms.items()
        for place, value in enumerate(values)
    ]
    pd.DataFrame(rows).to_csv(folder / "own.csv", index=False)
    return folder / "own.csv"


@pytest.fixture
def verdict(nas_study: NasStudy, tmp_path: Path) -> Any:
    """Compare a table of two arms: the row of its numbers, and the page in Markdown."""

    def call(table: Path, *options: str) -> tuple[pd.Series, str]:
        page = tmp_path / "page.html"
        code, out, err = nas_study("compare", "--table", str(table), "--value", "acc", "-o", str(page), *options)
        assert code == 0, out + err
        numbers = pd.read_csv(tmp_path / "page_files" / "tables" / "verdicts.csv")
        assert len(numbers) == 1
        return numbers.iloc[0], (page.parent / f"{page.stem}_files" / f"{page.stem}.md").read_text()

    return call


def test_the_floor_of_unequal_arms_is_one_division(verdict: Any, tmp_path: Path) -> None:
    found, _ = verdict(given("uneq_3_4.csv"))
    assert found["p"] == pytest.approx(1 / 35) and found["smallest_p"] == pytest.approx(1 / 35)
    found, _ = verdict(saved(tmp_path, {"A": [90.0, 91], "B": np.linspace(50, 60, 6).tolist()}))
    assert found["p"] == pytest.approx(1 / 28) and found["smallest_p"] == pytest.approx(1 / 28)


def test_one_seed_beats_nobody(verdict: Any, tmp_path: Path) -> None:
    for table in (
        given("one_seed_disjoint40.csv"),
        saved(tmp_path, {"A": np.linspace(90, 95, 60).tolist(), "B": [10]}),
    ):
        for claim in ("--paired", "--unpaired"):
            found, page = verdict(table, claim)
            assert not any(f"{a} beats {b}" in page for a, b in ("AB", "BA"))
            assert found["verdict"] == "cannot be decided"


def test_a_failure_more_changes_no_rule(verdict: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.5, 40)
    tables = [given("fail_half.csv"), given("fail_6of10.csv")]
    for table in tables:
        paired, page = verdict(table, "--paired")
        assert paired["paired"] and paired["verdict"] == "cannot be decided" and "short of an exact test" in page
        assert "Paired by seed, as --paired claims" in page
        free, page = verdict(table)
        assert not free["paired"] and free["verdict"] == "better by more than the margin"
        assert "Unpaired: nothing in a table says" in page
    for common in (5, 2):  # of ten seeds each, a third or a ninth of all seeds
        table = saved(tmp_path, {"A": 90 + noise[:10], "B": 80 + noise[10:20]}, first={"B": 10 - common})
        paired, _ = verdict(table, "--paired")
        assert paired["paired"] and paired["n"] == common and paired["verdict"] == "cannot be decided"


def test_constants_decide_nothing(verdict: Any, tmp_path: Path) -> None:
    assert verdict(given("const_disjoint.csv"))[0]["verdict"] == "cannot be decided"
    table = saved(tmp_path, {"A": [50.0] * 9, "B": [90.0] * 9})
    both = [verdict(table, claim)[0] for claim in ("--paired", "--unpaired")]
    assert [row["verdict"] for row in both] == ["cannot be decided"] * 2
    assert all(np.isnan(row["difference_low"]) for row in both)  # nothing varied: there is no interval


def test_the_p_beside_an_importance_is_of_that_hyperparameter(nas_study: NasStudy, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, (4, 3, 2, 3))
    rows = [
        {"method": "own", "seed": s, "dataset": "d", "hp.lr": lr, "hp.act": act, "hp.wd": wd,
         "acc": 50 + 8 * lr + (act == "relu") + noise[lr, wd, int(act == "relu"), s]}
        for lr in range(4) for act in ("relu", "tanh") for wd in range(3) for s in range(3)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "own.csv", index=False)
    for table, weak, inert in ((given("imp.csv"), "b", None), (tmp_path / "own.csv", "act", "wd")):
        page = tmp_path / "s.html"
        code, out, err = nas_study("sensitivity", "--table", str(table), "--value", "acc", "-o", str(page))
        assert code == 0, out + err
        (file,) = (tmp_path / "s_files" / "tables").glob("importance_*.csv")
        p = pd.read_csv(file).set_index("hyperparameter")["p"]
        assert (
            p[weak] < 1e-6
            and f"{weak} matters, too" in (page.parent / f"{page.stem}_files" / f"{page.stem}.md").read_text()
        )
        assert inert is None or p[inert] > 0.05


def test_reports_of_tables_say_that_seeds_are_not_paired(nas_study: NasStudy, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 1, 6)
    table = saved(tmp_path, {"A": 90 + noise[:3], "B": 80 + noise[3:]})
    for claim, said, test in (
        ("--unpaired", "Unpaired: nothing in a table says", "exact permutation test cannot reach"),
        ("--paired", "Paired by seed, as --paired claims", "exact paired test cannot reach"),
    ):
        page = tmp_path / "r.html"
        code, out, err = nas_study("report", "--table", str(table), "--value", "acc", "-o", str(page), claim)
        text = (page.parent / f"{page.stem}_files" / f"{page.stem}.md").read_text()
        assert code == 0, out + err
        assert said in text and test in text and ("pairs to detect" in text) == (claim == "--paired")


@pytest.mark.parametrize("command", ["compare", "report"])
@pytest.mark.parametrize("margin", ["inf", "1e308", "nan", "0"])
def test_a_margin_is_a_number_of_points(nas_study: NasStudy, tmp_path: Path, command: str, margin: str) -> None:
    table = saved(tmp_path, {"A": [90, 91], "B": [80, 81]})
    code, _, err = nas_study(command, "--table", str(table), "--value", "acc", "--margin", margin)
    assert code == 2 and "above 0 and up to 1,000,000" in " ".join(err.split())
