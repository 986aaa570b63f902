"""Real runs on a real Ray: what they store, and what running again adds. How they end when disturbed: tests/faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import drills
import pytest

from study.store.store import Store


def test_a_run_stores_every_trial_and_epoch(tiny_study: dict[str, Any], tmp_path: Path) -> None:
    tiny_study["scale"]["epochs"] = 4
    tiny_study["evaluate"] = {"retrain": {"epochs": 3}}
    finished = drills.run(drills.write_study(tmp_path, tiny_study), tmp_path / "store")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "report:" in finished.stdout
    trials, epochs = drills.rows(tmp_path / "store", "tiny")
    assert len(trials) == 4 and len(epochs) == 4 * 4
    assert all(t["status"] == "ok" and t["retrain_test_accuracy"] > 10 for t in trials)
    assert all(t["cifar10_valid_accuracy"] is not None and t["cifar10_test_accuracy"] is None for t in trials)


def test_running_again_runs_nothing_and_growing_runs_only_what_is_new(
    table_study: dict[str, Any], tmp_path: Path
) -> None:
    study, store = drills.write_study(tmp_path, table_study), tmp_path / "store"
    assert drills.run(study, store).returncode == 0
    first, epochs = drills.rows(store, "table")
    assert len(first) == 6 and len(epochs) == 3 * (5 + 15)
    written = {p: p.stat().st_mtime_ns for p in (store / "table/trials").glob("*.parquet")}
    again = drills.run(study, store)
    assert again.returncode == 0
    assert {p: p.stat().st_mtime_ns for p in (store / "table/trials").glob("*.parquet")} == written
    assert drills.run(study, store, "--seeds", "4").returncode == 0
    grown, _ = drills.rows(store, "table")
    assert len(grown) == 8 and all(row in grown for row in first)


def test_divergence_is_a_row_with_its_reason(tiny_study: dict[str, Any], tmp_path: Path) -> None:
    tiny_study["scale"]["epochs"] = 2
    tiny_study |= {"methods": {"darts": {"weight_lr": [0.025, 1e30]}}, "seeds": 1}
    run = drills.run(drills.write_study(tmp_path, tiny_study), tmp_path / "store")
    assert run.returncode == 1
    trials, _ = drills.rows(tmp_path / "store", "tiny")
    diverged = next(t for t in trials if t["status"] == "diverged")
    assert len(trials) == 2 and "training loss became nan" in diverged["error"] and diverged["genotype"] is None
    page = (tmp_path / "store/tiny/report/report.html").read_text()
    assert "training loss became nan" in page


def test_optuna_searches_and_repeats_itself_exactly(table_study: dict[str, Any], tmp_path: Path) -> None:
    table_study |= {
        "methods": {"regularized_evolution": {"queries": 12, "sample": "search", "mutation": "search"}},
        "search": {"algorithm": "optuna", "samples": 6, "parallel": 3},
        "seeds": 2,
    }
    study = drills.write_study(tmp_path, table_study)
    for store in ("one", "two"):
        run = drills.run(study, tmp_path / store)
        assert run.returncode == 0, run.stdout + run.stderr
    one, two = (drills.rows(tmp_path / store, "table") for store in ("one", "two"))
    assert one == two and len({(t["hp.sample"], t["hp.mutation"]) for t in one[0]}) > 1
    resumed = Store(tmp_path / "two", "table")
    resumed.remove(sorted(resumed.finished())[:3])
    assert drills.run(study, tmp_path / "two").returncode == 0
    assert drills.rows(tmp_path / "two", "table") == one


def test_test_accuracies_come_later_without_running_anything(table_study: dict[str, Any], tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd

    from trainables.benchmarks.table import open_table
    from trainables.spaces.nas_bench_201.genotype import all_genotypes

    study, store = drills.write_study(tmp_path, table_study), tmp_path / "store"
    assert drills.run(study, store).returncode == 0
    before = Store(store, "table").finished(("genotype", "finished_at", "cifar10_test_accuracy"))
    assert all(row["cifar10_test_accuracy"] is None for row in before.values())
    cells = [str(cell) for cell in all_genotypes()]
    test = open_table().accuracy("cifar10", "valid", np.arange(len(cells))) + 1.0
    pd.DataFrame({"arch_str": cells, "cifar10_test_acc_200ep_mean": test}).to_parquet(tmp_path / "table.parquet")
    run = drills.run(study, store, "--benchmark", str(tmp_path / "table.parquet"))
    assert run.returncode == 0 and "looked up 6 finished trials again" in run.stdout, run.stdout + run.stderr
    after = Store(store, "table").finished(
        ("genotype", "finished_at", "cifar10_test_accuracy", "cifar10_valid_accuracy")
    )
    assert all(row["finished_at"] == before[key]["finished_at"] for key, row in after.items())
    assert all(
        row["cifar10_test_accuracy"] == pytest.approx(row["cifar10_valid_accuracy"] + 1.0) for row in after.values()
    )
    environment = json.loads((store / "table/environment.json").read_text())
    assert "cifar10_test" in environment["table_sources"]


def test_trials_together_in_one_worker_have_the_rows_of_trials_alone(
    tiny_study: dict[str, Any], tmp_path: Path
) -> None:
    tiny_study["scale"]["epochs"] = 6
    study, rows = drills.write_study(tmp_path, tiny_study), []
    for together in (1, 3):
        done = drills.run(study, tmp_path / str(together), "--set", f"resources.together={together}")
        assert done.returncode == 0, done.stdout + done.stderr
        rows.append(drills.rows(tmp_path / str(together), "tiny"))
    assert rows[0] == rows[1] and len(rows[0][0]) == 4
