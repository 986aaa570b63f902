"""Early stopping of hyperparameter searches: the rules, and that what is stopped depends on the study alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drills
import optuna
import pytest
from inline import Inline

from study.early_stopping import RULES, rungs
from study.loading import parse
from study.plan import Fingerprints, plan
from study.running.stopping import Budget
from study.store.store import Store
from trainables.errors import ConfigError

KNOWN = Fingerprints(images="a" * 16, signals={200: "b" * 16})


@pytest.fixture
def search() -> dict[str, Any]:
    """Random search over two hyperparameters of REINFORCE on the table: 10 suggestions of 2 seeds, 30 queries each."""
    return {
        "name": "stops",
        "dataset": "cifar10",
        "methods": {"reinforce": {"queries": 30, "policy_lr": "search", "momentum": "search"}},
        "seeds": 2,
        "search": {"algorithm": "random", "samples": 10, "scheduler": "asha"},
    }


def by_suggestion(store: Path) -> dict[tuple[float, float], list[dict[str, Any]]]:
    """(policy_lr, momentum) -> the rows of its seeds."""
    found: dict[tuple[float, float], list[dict[str, Any]]] = {}
    for row in drills.rows(store, "stops")[0]:
        if row["method"] == "reinforce":
            found.setdefault((row["hp.policy_lr"], row["hp.momentum"]), []).append(row)
    return found


def test_rungs() -> None:
    assert RULES["asha"].rungs(50) == [6, 17] and RULES["asha"].rungs(250) == [10, 28, 84]
    assert RULES["asha"].rungs(9) == [3] and RULES["asha"].rungs(3) == []
    assert RULES["median"].rungs(50) == [10, 20, 30, 40] and RULES["median"].rungs(3) == [1, 2]


def test_only_epochs_that_train_the_supernet_are_judged() -> None:
    raw = {
        "name": "x",
        "dataset": "digits",
        "scale": {"epochs": 9},
        "methods": {"darts_pt": {"tune_epochs": {"low": 2, "high": 30}}},
        "seeds": 1,
        "search": {"algorithm": "random", "samples": 2, "scheduler": "asha"},
    }
    (part,) = plan(parse(raw), KNOWN).adaptive
    assert rungs("asha", part.trials[0]) == [3] and rungs(None, part.trials[0]) == []


def test_asha_keeps_the_best_third_and_whoever_leads() -> None:
    goes_on = RULES["asha"].goes_on
    assert goes_on([1.0], []) and goes_on([80.0, 50.0], [50.0, 40.0]) and not goes_on([80.0, 39.0], [40.0])
    assert goes_on([7.0], [9, 8, 1, 1, 1, 1, 1, 1]) and not goes_on([7.0], [9, 8, 1, 1, 1, 1, 1])


def test_median_judges_the_best_so_far_once_there_are_enough() -> None:
    goes_on = RULES["median"].goes_on
    assert goes_on([0.0], [9, 9, 9, 9]) and not goes_on([4.0], [3, 4, 5, 6, 7]) and goes_on([5.0], [3, 4, 5, 6, 7])
    assert goes_on([6.0, 1.0], [3, 4, 5, 6, 7])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"methods": {"regularized_evolution": {"queries": 30}}}, "stopping seeds early by their accuracy would bias"),
        ({"methods": {"regularized_evolution": {"queries": "search"}}}, "`queries` decides how long"),
        (
            {"methods": {"regularized_evolution": {"sample": "search", "budget": "time"}}},
            "regularized_evolution here has no fixed number of them",
        ),
        ({"methods": {"random_ws": {"weight_lr": "search"}}, "scale": {"epochs": 3}}, "random_ws here has 3"),
        ({"methods": {"gaea": {"level": "single", "arch_lr": "search"}}}, r"holds none out \(protocol P3\)"),
        ({"methods": {"gaea": {"level": "search"}}}, r"holds none out \(protocol P3\)"),
    ],
)
@pytest.mark.parametrize("algorithm", ["random", "optuna"])
def test_what_cannot_be_stopped_is_refused(
    search: dict[str, Any], change: dict[str, Any], sentence: str, algorithm: str
) -> None:
    search["search"]["algorithm"] = algorithm
    with pytest.raises(ConfigError, match=sentence):
        plan(parse(search | change), KNOWN)


def test_a_scheduler_changes_no_trial_only_how_far_it_runs(search: dict[str, Any]) -> None:
    (part,) = plan(parse(search), KNOWN).adaptive
    del search["search"]["scheduler"]
    full = plan(parse(search), KNOWN).trials
    drawn = [values for values in part.drawn or [] for _ in part.trials]
    assert [{k: spec.hyperparameters[k] for k in ("policy_lr", "momentum")} for spec in full] == drawn


@pytest.mark.parametrize("scheduler", ["asha", "median"])
@pytest.mark.parametrize("algorithm", ["random", "optuna"])
def test_what_is_stopped_does_not_depend_on_timing(
    search: dict[str, Any], tmp_path: Path, scheduler: str, algorithm: str
) -> None:
    search["search"] |= {"scheduler": scheduler, "algorithm": algorithm, "parallel": 5}
    one = Inline(search, tmp_path / "one").run(slots=1)
    Inline(search, tmp_path / "many").run(slots=8, seed=1)
    rows = drills.rows(tmp_path / "one", "stops")
    assert drills.rows(tmp_path / "many", "stops") == rows
    statuses = {row["status"] for row in rows[0]}
    assert statuses == {"ok", "stopped"} and one.searches[0].missing({row["trial_id"] for row in rows[0]}) == 0


def test_suggestions_are_stopped_whole_and_say_why(search: dict[str, Any], tmp_path: Path) -> None:
    search["methods"]["random_search"] = {"queries": 5}
    Inline(search, tmp_path).run(slots=4)
    trials, epochs = drills.rows(tmp_path, "stops")
    assert all(row["status"] == "ok" for row in trials if row["method"] == "random_search"), "seeds are never stopped"
    reached = {row["trial_id"]: 0 for row in trials}
    for epoch in epochs:
        reached[epoch["trial_id"]] += 1
    best = {}
    for values, rows in by_suggestion(tmp_path).items():
        (status,) = {row["status"] for row in rows}
        assert len(rows) == 2
        if status == "stopped":
            (last,) = {reached[row["trial_id"]] for row in rows}
            assert last in (4, 10) and all(row["genotype"] is None for row in rows)
            assert all(row["error"].startswith(f"stopped by asha after epoch {last}: ") for row in rows)
        else:
            best[values] = sum(row["cifar10_valid_accuracy"] for row in rows) / 2
    assert 1 <= len(best) < 10
    assert Store(tmp_path, "stops").checkpoints() == []


def test_a_resumed_search_repeats_itself_and_a_larger_one_changes_nothing(
    search: dict[str, Any], tmp_path: Path
) -> None:
    Inline(search, tmp_path).run()
    first, _ = drills.rows(tmp_path, "stops")
    Inline(search, tmp_path).run(slots=3)
    assert drills.rows(tmp_path, "stops")[0] == first
    results = Store(tmp_path, "stops")
    results.compact()
    results.remove(sorted(results.finished())[::3])
    Inline(search, tmp_path).run(slots=3)
    assert drills.rows(tmp_path, "stops")[0] == first
    search["search"]["samples"] = 14
    Inline(search, tmp_path).run(slots=5)
    grown, _ = drills.rows(tmp_path, "stops")
    assert len(grown) == 28 and all(row in grown for row in first)


def test_without_the_scheduler_stopped_trials_run_to_their_end(search: dict[str, Any], tmp_path: Path) -> None:
    Inline(search, tmp_path / "stopped").run()
    Store(tmp_path / "stopped", "stops").compact()
    del search["search"]["scheduler"]
    Inline(search, tmp_path / "stopped").run()
    Inline(search, tmp_path / "never").run()
    rows = drills.rows(tmp_path / "never", "stops")
    assert drills.rows(tmp_path / "stopped", "stops") == rows and all(row["status"] == "ok" for row in rows[0])


def test_optuna_learns_what_was_stopped(search: dict[str, Any], tmp_path: Path) -> None:
    search["search"] |= {"algorithm": "optuna", "parallel": 3}
    (found,) = Inline(search, tmp_path).run().searches
    found.next()
    states = [trial.state for trial in found.suggester.study.trials]  # type: ignore[attr-defined]
    rows = by_suggestion(tmp_path)
    for trial in found.suggester.study.trials:  # type: ignore[attr-defined]
        (status,) = {row["status"] for row in rows[trial.params["policy_lr"], trial.params["momentum"]]}
        assert (status == "stopped") == (trial.state == optuna.trial.TrialState.PRUNED)
        assert set(trial.intermediate_values) <= {4, 10} and trial.intermediate_values
    assert len(states) == 10 and optuna.trial.TrialState.PRUNED in states


def test_a_budget_of_trials_takes_whole_suggestions(search: dict[str, Any], tmp_path: Path) -> None:
    first = Inline(search, tmp_path, Budget(max_trials=7)).run()
    assert first.stop.reason == "--max-trials 7 is reached" and not first.stop.requested
    rows, _ = drills.rows(tmp_path, "stops")
    assert len(rows) == 6 and first.searches[0].missing({row["trial_id"] for row in rows}) == 14
    rest = Inline(search, tmp_path).run()
    assert rest.stop.reason is None
    Inline(search, tmp_path / "undisturbed").run()
    assert drills.rows(tmp_path, "stops") == drills.rows(tmp_path / "undisturbed", "stops")
