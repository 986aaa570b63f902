"""Real runs on a real Ray: packing, idempotence, and kill -9 of workers and of the driver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import drills
import pytest

from study.config import Resources
from study.packing import BATCH_S, pack, slots_of
from study.store import Store
from trainables.errors import ConfigError


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    """The rows of a tiny study of real searches with retraining, run in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    raw = {
        "name": "tiny",
        "dataset": {"name": "digits", "train_images": 512},
        "scale": {"channels": 4, "cells": 1, "epochs": 16, "batch_size": 32},
        "methods": {"darts": {}, "drnas": {}},
        "seeds": 2,
        "evaluate": {"retrain": {"epochs": 3}},
    }
    finished = drills.run(drills.write_study(folder, raw), folder / "store")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "report:" in finished.stdout
    return raw, drills.rows(folder / "store", "tiny")


def test_a_run_stores_every_trial_and_epoch(undisturbed: tuple[dict[str, Any], Any]) -> None:
    _, (trials, epochs) = undisturbed
    assert len(trials) == 4 and len(epochs) == 4 * 16
    assert all(t["status"] == "ok" and t["retrain_test_accuracy"] > 10 for t in trials)
    assert all(t["cifar10_valid_accuracy"] is not None and t["cifar10_test_accuracy"] is None for t in trials)


def test_worker_killed_mid_trial_changes_no_row(undisturbed: tuple[dict[str, Any], Any], tmp_path: Path) -> None:
    raw, expected = undisturbed
    process = drills.start(drills.write_study(tmp_path, raw), tmp_path / "store")
    checkpoints = tmp_path / "store/tiny/checkpoints"
    drills.wait_until(lambda: checkpoints.is_dir() and list(checkpoints.glob("*.pt")), process)
    drills.kill(*drills.workers(process.pid)[:1])
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert drills.rows(tmp_path / "store", "tiny") == expected


def test_driver_killed_and_run_again_changes_no_row(undisturbed: tuple[dict[str, Any], Any], tmp_path: Path) -> None:
    raw, expected = undisturbed
    study = drills.write_study(tmp_path, raw)
    process = drills.start(study, tmp_path / "store")
    results = Store(tmp_path / "store", "tiny")
    drills.wait_until(lambda: results.checkpoints() if (tmp_path / "store/tiny/trials").is_dir() else None, process)
    below = drills.descendants(process.pid)
    drills.kill(process.pid, *(pid for pid in below if Path(f"/proc/{pid}").exists()))
    process.wait()
    left = results.checkpoints()
    assert left and len(results.finished()) < 4
    again = drills.run(study, tmp_path / "store")
    assert again.returncode == 0, again.stdout + again.stderr
    assert drills.rows(tmp_path / "store", "tiny") == expected
    assert results.checkpoints() == []


def test_running_again_runs_nothing_and_growing_runs_only_what_is_new(
    table_study: dict[str, Any], tmp_path: Path
) -> None:
    study, store = drills.write_study(tmp_path, table_study), tmp_path / "store"
    assert drills.run(study, store).returncode == 0
    first, epochs = drills.rows(store, "table")
    assert len(first) == 6 and len(epochs) == 3 * (5 + 15)
    written = {p: p.stat().st_mtime_ns for p in (store / "table/trials").iterdir()}
    again = drills.run(study, store)
    assert again.returncode == 0
    assert {p: p.stat().st_mtime_ns for p in (store / "table/trials").iterdir()} == written
    assert drills.run(study, store, "--seeds", "4").returncode == 0
    grown, _ = drills.rows(store, "table")
    assert len(grown) == 8 and all(row in grown for row in first)


def test_a_trial_that_kills_its_worker_is_a_row_and_the_rest_finishes(
    table_study: dict[str, Any], tmp_path: Path
) -> None:
    """Seed 1 of random search always takes its process down; the other trials of its batch must not suffer."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Poison:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'trainables.trainable':\n"
        "            sys.meta_path.remove(self)\n"
        "            import os, signal\n"
        "            from trainables.methods.random_search import RandomSearch\n"
        "            original = RandomSearch.epoch\n"
        "            def epoch(self):\n"
        "                if self.context.streams.seed == 1:\n"
        "                    os.kill(os.getpid(), signal.SIGKILL)\n"
        "                return original(self)\n"
        "            RandomSearch.epoch = epoch\n"
        "sys.meta_path.insert(0, Poison())\n"
    )
    run = drills.run(drills.write_study(tmp_path, table_study), tmp_path / "store", PYTHONPATH=str(tmp_path))
    assert run.returncode == 1, run.stdout + run.stderr
    trials, _ = drills.rows(tmp_path / "store", "table")
    failed = [t for t in trials if t["status"] != "ok"]
    assert len(trials) == 6 and [(t["method"], t["seed"], t["status"]) for t in failed] == [
        ("random_search", 1, "failed")
    ]
    assert failed[0]["error"] == "the worker process died 3 times while it ran this trial"
    healed = drills.run(drills.write_study(tmp_path, table_study), tmp_path / "store", "--retry-failed")
    assert healed.returncode == 0
    assert all(t["status"] == "ok" for t in drills.rows(tmp_path / "store", "table")[0])


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


def test_packing_fills_slots_and_balances() -> None:
    assert pack([], 4) == []
    short = [(object(), 0.1)] * 10
    assert [len(b) for b in pack(short, 4)] == [3, 3, 2, 2]  # type: ignore[arg-type]
    long = [(object(), BATCH_S * 2)] * 5
    assert [len(b) for b in pack(long, 2)] == [1] * 5  # type: ignore[arg-type]
    mixed = pack([("a", 100.0), *[("b", 1.0)] * 60], 2)  # type: ignore[list-item]
    assert mixed[0] == ["a"] and sum(map(len, mixed)) == 61


def test_slots_and_impossible_resources() -> None:
    assert slots_of(Resources(cpu=1), 0.0, {"CPU": 2.0}) == 2
    assert slots_of(Resources(cpu=1, gpu=0.25), 0.25, {"CPU": 16.0, "GPU": 2.0}) == 8
    with pytest.raises(ConfigError, match=r"asks for gpu: 0\.25, but the cluster has 0 GPU"):
        slots_of(Resources(gpu=0.25), 0.25, {"CPU": 2.0})
    with pytest.raises(ConfigError, match="asks for cpu: 64, but the cluster has 2 CPU"):
        slots_of(Resources(cpu=64), 0.0, {"CPU": 2.0})
