"""Regret against time, early stopping and the onset of collapse, of trials whose course is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from synthetic_store import Row, genotype, trial

from analysis import Results
from analysis.robustness.collapse import Collapse
from analysis.robustness.courses.anytime import (
    TIMES,
    against_seconds,
    collapse_onsets,
    early_stopping,
    hours_factor,
    seconds,
)
from analysis.robustness.courses.curves import Curves, curves
from analysis.robustness.report import write_report
from analysis.robustness.sections import Options

Study = Callable[..., Results]
COLUMN = "cifar10_test_regret"


def courses(regrets: list[list[float]], seconds: float = 2.0, **common: object) -> tuple[list[Row], list[Row]]:
    """One trial a list of regrets; seed s takes ``seconds`` * (s + 1) an epoch; skips climb to all."""
    trials = [trial("m", s, genotype=genotype(s), **common) for s in range(len(regrets))]
    epochs = [
        {"trial_id": t["trial_id"], "epoch": e, COLUMN: r, "wall_s": seconds * (t["seed"] + 1),
         "skip_share": 100.0 * e / len(course), "simulated_s": 100.0 * e}
        for t, course in zip(trials, regrets, strict=True) for e, r in enumerate(course, 1)
    ]  # fmt: skip
    return trials, epochs


def test_a_cell_is_held_until_the_next_one_on_a_common_grid(study: Study) -> None:
    results = study(*courses([[4.0, 3.0, 2.0], [9.0, 8.0, 7.0]]))
    curve = against_seconds(results.trials, results.course([COLUMN, *TIMES]), COLUMN).lines
    first, second = (part.set_index("budget")["value"] for _, part in curve.groupby("trial_id", sort=True))
    quick, slow = (first, second) if first.iloc[0] < 5 else (second, first)
    assert (quick.index.min(), quick.index.max()) == pytest.approx((2.0, 12.0))
    assert quick.iloc[-1] == 2.0 and quick[quick.index >= 6].eq(2.0).all()
    assert slow.index.min() >= 4.0 and slow.iloc[-1] == 7.0


def test_methods_that_query_are_timed_by_what_the_queries_stand_for(study: Study) -> None:
    results = study(*courses([[4.0, 3.0]], protocol=None))
    (grid,) = results.course(TIMES).read(results.trials, TIMES)
    assert seconds(results.trials, grid).tolist() == [[100.0], [200.0]]


def test_a_search_of_the_table_is_drawn_against_its_queries_however_many_an_epoch_has(study: Study) -> None:
    """Its epochs 1 and 2 learn from the same 50 queries, 3 and 4 make 10 and 40 more."""
    trials, epochs = courses([[4.0, 3.0, 2.0, 1.0]], protocol=None)
    for row, spent in zip(epochs, (50, 50, 60, 100), strict=True):
        row["queries"] = spent
    results = study([*trials, trial("trained", 0)], [*epochs, {"trial_id": "other", "epoch": 1}])
    found = results.course([COLUMN])
    curve = curves(results.trials, found, COLUMN).lines
    assert curve[["budget", "value"]].to_numpy().tolist() == [[50, 3.0], [60, 2.0], [100, 1.0]]
    early = early_stopping(results.trials, found, COLUMN).iloc[0]
    assert (early["best_epoch"], early["epochs"]) == (100, 100)


def test_early_stopping_regret_is_last_less_best(study: Study) -> None:
    results = study(*courses([[4.0, 1.0, 2.0], [5.0, 5.0, 3.0], [2.0, 6.0, 6.0]]))
    row = early_stopping(results.trials, results.course([COLUMN]), COLUMN).iloc[0]
    assert (row["last"], row["lowest"], row["gap"]) == pytest.approx((11 / 3, 2.0, 5 / 3))
    assert (row["seeds"], row["best_epoch"], row["epochs"]) == (3, 2.0, 3.0)


def test_onset_is_the_epoch_from_which_a_search_stays_collapsed(study: Study) -> None:
    results = study(*courses([[1.0] * 6]))
    found = results.course(["skip_share"])
    assert collapse_onsets(results.trials, found, Collapse())["epoch"].tolist() == [4.0]
    assert collapse_onsets(results.trials, found, Collapse(skips=6))["epoch"].tolist() == [6.0]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [({}, (1, "CPU-hours")), ({"cpu": 4, "gpu": 0}, (4, "CPU-hours")), ({"cpu": 4, "gpu": 0.25}, (0.25, "GPU-hours"))],
)
def test_cost_is_that_of_the_scarcer_resource(resources: Row, expected: tuple[float, str]) -> None:
    assert hours_factor({"resources": resources}, pd.DataFrame()) == expected


def test_cost_of_measured_shares_is_that_of_each_variant() -> None:
    trials, study = pd.DataFrame({"variant": ["a", "a", "b"]}), {"resources": {"cpu": 1, "gpu": "auto"}}
    assert hours_factor(study, trials) == (None, "GPU-hours")
    shares, unit = hours_factor(study, trials.assign(gpu_share=[0.25, 0.5, 1.0]))
    assert unit == "GPU-hours" and isinstance(shares, pd.Series) and shares.to_dict() == {"a": 0.375, "b": 1.0}
    frame = pd.DataFrame({"variant": pd.Categorical(["a", "b"]), "budget": [3600.0, 7200.0]})
    assert Curves(frame, frame, 0.95).in_unit(shares, 3600).summary["budget"].tolist() == [0.375, 2.0]


def test_a_study_of_measured_shares_has_a_report(study: Study, tmp_path: Path) -> None:
    results = study(*courses([[4.0, 1.0, 2.0], [5.0, 5.0, 3.0]]))
    timed = replace(results, study={**results.study, "resources": {"gpu": "auto"}})
    assert write_report(timed, tmp_path / "r.html").exists()


def test_what_failed_has_spent_its_budget_too(study: Study, tmp_path: Path) -> None:
    trials, epochs = courses([[4.0, 1.0, 2.0], [5.0, 5.0, 3.0]])
    trials[1] |= {"status": "diverged"}
    epochs = [row | {"cifar10_test_accuracy": 94 - float(row[COLUMN])} for row in epochs]
    write_report(study(trials, epochs), tmp_path / "r.html", Options(targets=[92.5]))
    (row,) = pd.read_csv(next((tmp_path / "r_files/tables").glob("targets_*.csv"))).to_dict("records")
    assert (row["runs"], row["reached"], row["held at the end"], row["unit"]) == (2, 1, 0, "epochs")
    assert (row["ert"], row["ert (s)"]) == (2 + 3, 4 + 12)  # two epochs of 2 s, and three of 4 s that led nowhere
