"""Tables that hold the course of each run: what a report says of a target, and that all others look at the last row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis

pytestmark = pytest.mark.slow

NasStudy = Callable[..., tuple[int, str, str]]
RESULTS = Path(__file__).parents[3] / "results"
COURSES = {
    "A": [[90, 93, 94], [90, 94, 93], [91, 92, 93.5], [94, 94, 94]],
    "B": [[80, 81, 82], [94, 95, 96], [80, 93, 95], [70, 80, None]],
}
"""Method -> seeds -> the values after 10, 20 and 30 steps, which take A 1 and B 2 seconds each."""


def frame(courses: dict[str, list[list[float]]] = COURSES, **columns: object) -> pd.DataFrame:
    rows = [
        {"method": m, "seed": s, "dataset": "d", "step": 10 * at, "seconds": 10 * at * (1 + (m == "B")), "acc": value}
        for m, seeds in courses.items() for s, course in enumerate(seeds) for at, value in enumerate(course, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[pd.DataFrame], Path]:
    def save(table: pd.DataFrame) -> Path:
        table.to_csv(tmp_path / "t.csv", index=False)
        return tmp_path / "t.csv"

    return save


def numbers(page: Path, name: str) -> pd.DataFrame:
    (path,) = page.with_name(f"{page.stem}_files").glob(f"*/{name}.csv")
    return pd.read_csv(path)


@pytest.mark.parametrize("lower", [False, True])
def test_expected_running_time_is_the_budget_of_all_runs_per_success(
    nas_study: NasStudy, saved: Callable[[pd.DataFrame], Path], lower: bool
) -> None:
    table = frame()
    table = table.assign(acc=100 - table["acc"]) if lower else table
    path = saved(table.sample(frac=1, random_state=0))
    options = ["--lower-is-better"] if lower else []
    targets = ["6", "6.5"] if lower else ["94", "93.5"]
    page = path.with_suffix(".html")
    asked = ["--table", str(path), "--value", "acc", *(part for t in targets for part in ("--target", t))]
    code, _, err = nas_study("report", *asked, *options, "-o", str(page))
    assert code == 0, err
    found = numbers(page, "targets_*").set_index(["target", "variant"])
    easy, hard = sorted(map(float, targets), reverse=lower)
    assert found.index.tolist() == [(easy, "A"), (easy, "B"), (hard, "A"), (hard, "B")]
    # 93.5: A after 30, 20, 30, 10 steps; B never, 10, 30, never. 94: A after 30, 20, never, 10; B as before.
    assert found["reached"].tolist() == [4, 2, 3, 2] and found["held at the end"].tolist() == [3, 2, 2, 2]
    assert found["ert"].tolist() == pytest.approx([90 / 4, 100 / 2, 90 / 3, 100 / 2])
    assert found["ert (s)"].tolist() == pytest.approx([90 / 4, 200 / 2, 90 / 3, 200 / 2])
    assert found["median"].tolist() == pytest.approx([25, np.inf, 25, np.inf])
    words = page.read_text()
    assert f"{hard:g} of d acc is reached, in expected running time and runs: A in 30 steps (3 of 4)" in words
    curve = numbers(page, "reached_*_by_steps")
    curve = curve[(curve["target"] == hard) & (curve["variant"] == "A")]
    assert curve[["budget", "share"]].to_numpy().tolist() == [[0, 0], [10, 25], [20, 50], [30, 75], [30, 75]]


def test_other_reports_look_at_the_last_row_and_say_so(
    nas_study: NasStudy, saved: Callable[[pd.DataFrame], Path]
) -> None:
    path = saved(frame(**{"hp.lr": [float(s % 2) for s in frame()["seed"]]}).query("not (seed == 3 and step == 30)"))
    page = path.with_suffix(".html")
    asked = ["--table", str(path), "--value", "acc", "-o", str(page)]
    remark = "of which the last row by step is looked at (steps 20 to 30: budgets differ)"
    assert nas_study("compare", *asked)[0] == 0
    arms = numbers(page, "arms").set_index("arm")["mean (%)"]
    expected = {"A (lr=0)": 93.75, "A (lr=1)": 93.5, "B (lr=0)": 88.5, "B (lr=1)": 88}
    assert arms.to_dict() == pytest.approx(expected) and remark in page.read_text()
    assert nas_study("sensitivity", *asked)[0] == 0 and remark in page.read_text()
    assert nas_study("report", *asked)[0] == 0
    words = page.read_text()
    assert remark in words and "Time to target" not in words and "no epochs are recorded" not in words


def test_a_run_whose_last_value_is_missing_has_none(nas_study: NasStudy, saved: Callable[[pd.DataFrame], Path]) -> None:
    path = saved(frame())
    assert nas_study("report", "--table", str(path), "--value", "acc")[0] == 0
    headline = numbers(path.with_name("t-report.html"), "headline").set_index("variant")
    assert headline.loc["B", "with a value"] == 3 and headline.loc["B", "d acc mean (%)"] == pytest.approx(91)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (frame().drop(columns="step"), "or step where they are the course of one run"),
        (frame(epoch=1), "but {} has both step and epoch; drop one"),
        (frame(step=10), "16 whose run and step occur before (A 0, d, step 10)"),
        (frame(step=[-1, *range(23)]), "needs a step from 0 to 1e+12, but row 1 of {} has -1"),
        (frame(step=[*range(23), 1e300]), "but row 24 of {} has 1e+300"),
        (frame(step=[1, None, *range(22)]), "needs a step from 0 to 1e+12, but row 2 of {} has none"),
        (frame(step=[1, "x", *range(22)]), "column 'step' must hold numbers, but {} has 'x'"),
        (frame(seconds=30), ""),
        (frame(seconds=[10, 20, 15, *range(21)]), "in {} they fall at step 30 of A 0, d; add them up"),
        (frame(seconds=[None, *range(23)]), "needs a seconds from 0 to 1e+12, but row 1 of {} has none"),
    ],
)
def test_what_is_no_course_is_refused(
    nas_study: NasStudy, saved: Callable[[pd.DataFrame], Path], table: pd.DataFrame, sentence: str
) -> None:
    path = saved(table)
    code, _, err = nas_study("report", "--table", str(path), "--value", "acc", "--target", "94")
    assert (code, err) == (0, "") if not sentence else code == 2 and sentence.format(path) in err, err


def test_an_epoch_of_single_rows_is_no_course(nas_study: NasStudy, saved: Callable[[pd.DataFrame], Path]) -> None:
    path = saved(frame().query("step == 30").rename(columns={"step": "epoch"}))
    asked = ["--table", str(path), "--value", "acc"]
    assert nas_study("report", *asked)[0] == 0
    assert "the course of each run" not in path.with_name("t-report.html").read_text()
    code, _, err = nas_study("report", *asked, "--target", "94")
    assert code == 2 and "but t has the end of each alone; a table needs a column step or epoch" in err


@pytest.mark.parametrize("target", ["0.94", "nan", "inf", "1e5"])
def test_a_target_is_a_value(nas_study: NasStudy, saved: Callable[[pd.DataFrame], Path], target: str) -> None:
    code, _, err = nas_study("report", "--table", str(saved(frame())), "--value", "acc", "--target", target)
    assert code == 2 and "a target is " in err and "try --target 94" in err


def test_the_course_of_our_own_searches_gives_the_same_numbers_as_its_rows(nas_study: NasStudy, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    asked = ["report", str(RESULTS), "--study", "svge_small", "--target", "94.2", "-o", str(page)]
    code, _, err = nas_study(*asked)
    assert code == 0, err
    results = analysis.load(RESULTS, "svge_small")
    rows = results.read_epochs(["cifar10_test_accuracy", "simulated_s"])
    rows = rows.drop_duplicates(["trial_id", "queries"], keep="last").merge(results.trials[["trial_id", "variant"]])
    found = numbers(page, "targets_*").set_index("variant")
    for variant, own in rows.groupby(rows["variant"].astype(str)):
        spent, seconds, reached = [], [], []
        for _, run in own.groupby("trial_id"):
            good = run[run["cifar10_test_accuracy"] >= 94.2]
            until = (good if len(good) else run.iloc[::-1]).iloc[0]
            spent.append(until["queries"])
            seconds.append(until["simulated_s"])
            reached.append(len(good) > 0)
        row = found.loc[str(variant)]
        assert (row["reached"], row["runs"], row["unit"]) == (sum(reached), 10, "queries")
        assert row["ert"] == pytest.approx(sum(spent) / sum(reached))
        assert row["ert (s)"] == pytest.approx(sum(seconds) / sum(reached))
    code, _, err = nas_study("report", str(RESULTS), "--study", "table_searchers", "--target", "94", "-o", str(page))
    assert code == 2 and "a study epochs with accuracies of a benchmark table" in err
