"""Pairs of the user's own, baselines, levels and several data sets, through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.comparison.declared import read_pairs

pytestmark = pytest.mark.slow

NasStudy = Any
LABELS = ("darts", "own random", "x:y, z", "drnas (lr=0.1)", "drnas (lr=0.2)")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five arms of nine seeds on two data sets, one method in two settings; one run lacks a data set."""
    noise = np.random.default_rng(0)
    rows = []
    for place, label in enumerate(LABELS):
        method, _, rest = label.partition(" (lr=")
        for seed in range(9):
            for dataset, mean in (("c10", 94.0), ("c100", 70.0)):
                value = round(mean - 0.6 * place + noise.normal(0, 0.2), 3)
                rows.append({"method": method, "seed": seed, "dataset": dataset, "acc": value, "hp.lr": rest[:-1]})
    frame = pd.DataFrame(rows)
    lacks = (frame["method"] == "darts") & (frame["seed"] == 4) & (frame["dataset"] == "c100")
    path = tmp_path_factory.mktemp("table") / "t.csv"
    frame[~lacks].to_csv(path, index=False)
    return path


def values(table: Path, method: str, dataset: str) -> pd.Series:
    frame = pd.read_csv(table).query("method == @method and dataset == @dataset")
    return frame.set_index("seed")["acc"]


@pytest.fixture
def compared(nas_study: NasStudy, table: Path, tmp_path: Path) -> Any:
    """Compare the table: the numbers by name of the table, and the page as Markdown."""

    def call(*options: str) -> tuple[dict[str, pd.DataFrame], str]:
        page = tmp_path / "page.html"
        code, out, err = nas_study("compare", "--table", str(table), "--value", "acc", "-o", str(page), *options)
        assert code == 0, out + err
        files = tmp_path / "page_files"
        return {p.stem: pd.read_csv(p) for p in (files / "tables").glob("*.csv")}, (files / "page.md").read_text()

    return call


def test_declared_pairs_are_one_family_of_their_own(compared: Any) -> None:
    numbers, page = compared("--pairs", "darts:x:y, z,drnas (lr=0.1) : own random", "--pairs", "darts:own random")
    found = numbers["verdicts"]
    assert found["a"].tolist() == ["darts", "drnas (lr=0.1)", "darts"]
    assert found["b"].tolist() == ["x:y, z", "own random", "own random"]
    assert found["p_holm"].tolist() == pytest.approx(multipletests(found["p"], method="holm")[1].tolist())
    assert "The user declared 3 pairs with --pairs" in page and "a family of 3 tests" in page
    assert "In no declared pair, and not looked at: drnas (lr=0.2)." in page


def test_a_method_against_its_baseline_in_percent(compared: Any, table: Path) -> None:
    numbers, page = compared("--baseline-of", "darts:own random")
    gain = numbers["relative_improvement"].iloc[0]
    for dataset in ("c10", "c100"):
        a, b = values(table, "darts", dataset), values(table, "own random", dataset)
        assert gain[f"{dataset} acc (%)"] == pytest.approx(100 * (a.mean() - b.mean()) / b.mean())
        # The ends are ratios that a t test with Welch's degrees of freedom just rejects.
        for end in (gain[f"{dataset} acc (%) low"], gain[f"{dataset} acc (%) high"]):
            ratio = 1 + end / 100
            t = (a.mean() - ratio * b.mean()) / np.sqrt(a.var() / len(a) + ratio**2 * b.var() / len(b))
            freedom = stats.ttest_ind(a, a.mean() / b.mean() * b, equal_var=False).df
            assert 2 * stats.t.sf(abs(t), freedom) == pytest.approx(0.05)
    assert "Relative improvement over the own baseline, 95 % intervals: darts 0." in page


def test_where_less_is_better_a_gain_is_still_above_0(compared: Any, table: Path) -> None:
    numbers, _ = compared("--baseline-of", "own random:darts", "--lower-is-better")
    a, b = values(table, "own random", "c10"), values(table, "darts", "c10")
    gain = numbers["relative_improvement"].iloc[0]
    assert gain["c10 acc (%)"] == pytest.approx(100 * (b.mean() - a.mean()) / b.mean())
    assert 0 < gain["c10 acc (%) low"] < gain["c10 acc (%)"] < gain["c10 acc (%) high"]


@pytest.mark.parametrize("claim", ["--paired", "--unpaired"])
def test_the_mean_over_data_sets_is_taken_seed_by_seed(compared: Any, table: Path, claim: str) -> None:
    numbers, page = compared("--pairs", "darts:own random", claim, "--alpha", "0.1")
    a, b = ((values(table, m, "c10") + values(table, m, "c100")).dropna() / 2 for m in ("darts", "own random"))
    assert (len(a), len(b)) == (8, 9)
    both = (a - b).dropna()
    expected = (
        stats.ttest_1samp(both, 0).confidence_interval(0.9)
        if claim == "--paired"
        else stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    )
    row = numbers["other_data_sets"].iloc[0]
    ends = [row[f"mean of 2 data sets (points) {end}"] for end in ("low", "high")]
    assert ends == pytest.approx(list(expected), abs=1e-9)
    arm = numbers["over_data_sets"].set_index("arm").loc["darts"]
    assert arm["mean of 2 data sets (%)"] == pytest.approx(a.mean()) and arm["seeds"] == 8
    assert "speaks of these data sets only" in page


def test_every_word_follows_the_level(compared: Any) -> None:
    pairs = ("--pairs", "darts:own random,darts:x:y, z")
    numbers, page = compared(*pairs, "--alpha", "0.01")
    assert "95 %" not in page and "0.05" not in page and "99 % interval" in page and ", level 0.01:" in page
    usual, _ = compared(*pairs)
    width = {at: t["verdicts"]["difference_high"] - t["verdicts"]["difference_low"] for at, t in
             (("1 %", numbers), ("5 %", usual))}  # fmt: skip
    assert (width["1 %"] > width["5 %"]).all()
    # Of nine pairs, 2 / 2^9 = 0.0039 times two tests: within 0.01, and at 0.005 out of reach.
    decided, _ = compared(*pairs, "--paired", "--alpha", "0.01")
    stuck, page = compared(*pairs, "--paired", "--alpha", "0.005")
    assert not (decided["verdicts"]["verdict"] == "cannot be decided").any()
    assert (stuck["verdicts"]["verdict"] == "cannot be decided").all()
    assert "can reach 0.005" in page


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--pairs", "darts:dartz"], "--pairs: unknown arm 'dartz'"),
        (["--pairs", "dartz:darts"], "--pairs: unknown arm 'dartz'"),
        (["--pairs", "darts:own random,darts"], "but 'darts' is none; write two arms with a colon"),
        (["--pairs", "darts:"], "but 'darts:' is none"),
        (["--pairs", ""], "but '' is none"),
        (["--pairs", "darts:darts"], "darts is on both of its sides"),
        (["--pairs", "darts:x:y, z,x:y, z:darts"], "x:y, z and darts are given twice"),
        (["--pairs", "drnas:darts"], "drnas has 2; name one of: drnas (lr=0.1) and drnas (lr=0.2)"),
        (["--pairs", "darts:own random", "--against", "darts"], "but got --against and --pairs"),
        (["--pairs", "darts:own random", "--baseline-of", "darts:own random"], "but got --pairs and --baseline-of"),
        (["--baseline-of", "darts:own random,darts:x:y, z"], "each method has one baseline, but darts has two"),
        (["--alpha", "0"], "above 0 (1e-09 at least) and up to 0.5, but got 0"),
        (["--alpha", "0.51"], "but got 0.51"),
        (["--alpha", "nan"], "but got nan"),
    ],
)
def test_what_is_no_pair_or_level_is_refused(
    nas_study: NasStudy, table: Path, options: list[str], sentence: str
) -> None:
    code, _, err = nas_study("compare", "--table", str(table), "--value", "acc", *options)
    assert code == 2 and sentence in err and err.startswith("error: ") and err.count("\n") == 1


def test_names_that_can_be_read_in_two_ways_are_refused() -> None:
    names: dict[str, list[Any]] = {name: [] for name in ("a", "a:b", "b", "b:c", "c", "c,d", "d")}
    assert read_pairs("--pairs", " a : b , c:d", names) == [("a", "b"), ("c", "d")]
    assert read_pairs("--pairs", "d:c,d", names) == [("d", "c,d")]
    with pytest.raises(Exception, match="can be read as a with b:c, or as a:b with c"):
        read_pairs("--pairs", "a:b:c", names)
