"""Real runs on a real Ray: what they store, and what running again adds. How they end when disturbed: tests/faults.

The first is the command of a user, with a Ray of its own; the others share one.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import drills
import pytest
from inline import Inline
from ray.runtime_context import RuntimeContext
from ray_head import Cluster
from rich.console import Console

from study.running import hosts, runner
from study.store.store import Store

pytestmark = pytest.mark.slow

NasStudy = Any
RunStudy = Any


def test_a_run_stores_every_trial_and_epoch(tiny_study: dict[str, Any], tmp_path: Path) -> None:
    tiny_study["scale"]["epochs"] = 4
    tiny_study["evaluate"] = {"retrain": {"epochs": 3}}
    drills.shadow(tmp_path)  # what lies in the user's folder is none of our modules
    shadowed = drills.shadow_path(tmp_path / "own")
    finished = drills.run(drills.write_study(tmp_path, tiny_study), tmp_path / "store", **shadowed)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"{tmp_path / 'own'} of PYTHONPATH is left out, since its study.py would stand for ours" in finished.stderr
    assert finished.stdout.startswith("starting Ray …") and "report:" in finished.stdout
    trials, epochs = drills.rows(tmp_path / "store", "tiny")
    assert len(trials) == 4 and len(epochs) == 4 * 4
    assert all(t["status"] == "ok" and t["retrain_test_accuracy"] > 10 for t in trials)
    assert all(t["cifar10_valid_accuracy"] is not None and t["cifar10_test_accuracy"] is None for t in trials)


def test_running_again_runs_nothing_and_growing_runs_only_what_is_new(
    table_study: dict[str, Any], cluster: Cluster, tmp_path: Path
) -> None:
    table_study |= drills.ONE_WORKER
    assert drills.run_here(table_study, tmp_path, cluster.address)[0].exit_code == 0
    first, epochs = drills.rows(tmp_path, "table")
    assert len(first) == 6 and len(epochs) == 3 * (5 + 15)
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "table/trials").glob("*.parquet")}
    assert drills.run_here(table_study, tmp_path, cluster.address)[0].exit_code == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "table/trials").glob("*.parquet")} == written
    assert drills.run_here(table_study | {"seeds": 4}, tmp_path, cluster.address)[0].exit_code == 0
    grown, _ = drills.rows(tmp_path, "table")
    assert len(grown) == 8 and all(row in grown for row in first)


def test_divergence_is_a_row_with_its_reason(tiny_study: dict[str, Any], run_study: RunStudy, tmp_path: Path) -> None:
    tiny_study["scale"]["epochs"] = 2
    tiny_study |= {"methods": {"darts": {"weight_lr": [0.025, 1e30]}}, "seeds": 1} | drills.ONE_WORKER
    code, said = run_study(drills.write_study(tmp_path, tiny_study), tmp_path / "store")
    assert code == 1 and "(one seed)" in " ".join(said.split()) and "± nan" not in said
    trials, _ = drills.rows(tmp_path / "store", "tiny")
    diverged = next(t for t in trials if t["status"] == "diverged")
    assert len(trials) == 2 and "training loss became nan" in diverged["error"] and diverged["genotype"] is None
    page = (tmp_path / "store/tiny/report/report.html").read_text()
    assert "training loss became nan" in page


def test_optuna_searches_and_repeats_itself_exactly(
    table_study: dict[str, Any], cluster: Cluster, tmp_path: Path
) -> None:
    table_study |= {
        "methods": {"regularized_evolution": {"queries": 12, "sample": "search", "mutation": "search"}},
        "search": {"algorithm": "optuna", "samples": 6, "parallel": 3},
        "seeds": 2,
    }
    for store in ("one", "two"):
        outcome, said = drills.run_here(table_study, tmp_path / store, cluster.address)
        assert outcome.exit_code == 0, said
    one, two = (drills.rows(tmp_path / store, "table") for store in ("one", "two"))
    assert one == two and len({(t["hp.sample"], t["hp.mutation"]) for t in one[0]}) > 1
    resumed = Store(tmp_path / "two", "table")
    resumed.remove(sorted(resumed.finished())[:3])
    outcome, said = drills.run_here(table_study | drills.ONE_WORKER, tmp_path / "two", cluster.address)
    assert outcome.exit_code == 0, said
    assert drills.rows(tmp_path / "two", "table") == one


def test_test_accuracies_come_later_without_running_anything(
    table_study: dict[str, Any], nas_study: NasStudy, tmp_path: Path
) -> None:
    import numpy as np
    import pandas as pd

    from trainables.benchmarks.table import open_table
    from trainables.spaces.nas_bench_201.genotype import all_genotypes

    study, store = drills.write_study(tmp_path, table_study), tmp_path / "store"
    Inline(table_study, store).run()
    before = Store(store, "table").finished(("genotype", "finished_at", "cifar10_test_accuracy"))
    assert all(row["cifar10_test_accuracy"] is None for row in before.values())
    cells = [str(cell) for cell in all_genotypes()]
    test = open_table().accuracy("cifar10", "valid", np.arange(len(cells))) * 0.99
    pd.DataFrame({"arch_str": cells, "cifar10_test_acc_200ep_mean": test}).to_parquet(tmp_path / "table.parquet")
    table = str(tmp_path / "table.parquet")
    code, out, err = nas_study("run", str(study), "--store", str(store), "--benchmark", table)
    assert code == 0 and "looked up 6 finished trials again" in out, out + err
    after = Store(store, "table").finished(
        ("genotype", "finished_at", "cifar10_test_accuracy", "cifar10_valid_accuracy")
    )
    assert all(row["finished_at"] == before[key]["finished_at"] for key, row in after.items())
    assert all(
        row["cifar10_test_accuracy"] == pytest.approx(row["cifar10_valid_accuracy"] * 0.99) for row in after.values()
    )
    environment = json.loads((store / "table/environment.json").read_text())
    assert "cifar10_test" in environment["table_sources"]


def test_trials_together_in_one_worker_have_the_rows_of_trials_alone(
    tiny_study: dict[str, Any], cluster: Cluster, tmp_path: Path
) -> None:
    tiny_study["scale"]["epochs"], tiny_study["dataset"]["train_images"] = 6, 128
    rows = []
    for together in (1, 3):
        tiny_study["resources"] = drills.ONE_WORKER["resources"] | {"together": together}
        outcome, said = drills.run_here(tiny_study, tmp_path / str(together), cluster.address)
        assert outcome.exit_code == 0, said
        rows.append(drills.rows(tmp_path / str(together), "tiny"))
    assert rows[0] == rows[1] and len(rows[0][0]) == 4


def test_the_head_is_asked_for_its_autoscaler_by_a_driver_that_is_elsewhere(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody by one on the head: to ask takes a worker of its own."""

    def told(gcs_address: str) -> dict[str, Any]:
        kind = {"resources": {"asked": os.getpid()}}
        return {"head_node_type": "head", "max_workers": 1, "available_node_types": {"worker": kind}}

    monkeypatch.setattr(hosts, "autoscaling", told)
    with runner._cluster(cluster.address, Console(file=io.StringIO())):
        assert hosts.hosts_to_come(hosts.hosts_up()) == [{"asked": os.getpid()}]
        monkeypatch.setattr(RuntimeContext, "get_node_id", lambda self: "elsewhere")
        (elsewhere,) = hosts.hosts_to_come(hosts.hosts_up())
    assert elsewhere["asked"] != os.getpid()
