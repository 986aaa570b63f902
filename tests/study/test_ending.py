"""How a run or a trial ends before its time: limits, budgets, signals. Nothing that was done is lost."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import drills
import pytest
from inline import Inline

from study.stopping import Budget, Stop
from study.store import Store
from trainables.watchdog import Limits, Watchdog, held_gib


def test_signals_ask_once_and_then_insist() -> None:
    stop, before = Stop(Budget()), signal.getsignal(signal.SIGTERM)
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested and stop.reason == "got SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_time_of_a_run_ends() -> None:
    stop, endless = Stop(Budget(max_hours=0)), Stop(Budget())
    stop.check_time()
    endless.check_time()
    assert stop.requested and stop.reason == "--max-hours 0 is over" and not endless.requested


def test_a_budget_of_trials_is_kept_exactly_and_the_rest_follows(table_study: dict[str, Any], tmp_path: Path) -> None:
    first = Inline(table_study, tmp_path, Budget(max_trials=4)).run()
    assert first.stop.reason == "--max-trials 4 is reached" and len(first.prepared.store.finished()) == 4
    exact = Inline(table_study, tmp_path, Budget(max_trials=2)).run()
    assert exact.stop.reason is None and len(exact.prepared.store.finished()) == 6


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(timeout_s=50), "given up after 100 s: resources.trial_timeout_s is 50"),
        (Limits(memory_gib=held_gib() / 2), f"GiB of memory: resources.memory_gib is {held_gib() / 2:.1f}"),
    ],
)
def test_the_watchdog_looks_only_while_a_trial_runs(limits: Limits, reason: str) -> None:
    reasons: list[str] = []
    fired = threading.Event()

    def give_up(found: str) -> None:
        reasons.append(found)
        fired.set()

    watchdog = Watchdog(limits, give_up)
    assert not fired.wait(0.5)
    with watchdog.watching(spent_s=100):
        assert fired.wait(10)
    assert reason[:-1] in reasons[0]


def test_trials_that_hang_or_leak_are_rows_and_the_rest_finishes(table_study: dict[str, Any], tmp_path: Path) -> None:
    """Seed 1 of random search never ends, seed 2 takes ever more memory."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Poison:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'trainables.trainable':\n"
        "            sys.meta_path.remove(self)\n"
        "            import time\n"
        "            from trainables.methods.random_search import RandomSearch\n"
        "            original = RandomSearch.epoch\n"
        "            def epoch(self):\n"
        "                hoard = []\n"
        "                while self.context.streams.seed in (1, 2):\n"
        "                    time.sleep(0.05)\n"
        "                    if self.context.streams.seed == 2:\n"
        "                        hoard.append(b'x' * 200_000_000)\n"
        "                return original(self)\n"
        "            RandomSearch.epoch = epoch\n"
        "sys.meta_path.insert(0, Poison())\n"
    )
    table_study["resources"] = {"trial_timeout_s": 12, "memory_gib": 1.5}
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    run = drills.run(drills.write_study(tmp_path, table_study), tmp_path / "store", PYTHONPATH=path)
    assert run.returncode == 1, run.stdout + run.stderr
    trials, _ = drills.rows(tmp_path / "store", "table")
    failed = {t["seed"]: t for t in trials if t["status"] == "failed"}
    assert len(trials) == 6 and [t["status"] for t in trials].count("ok") == 4 and set(failed) == {1, 2}
    assert failed[1]["error"] == "given up after 12 s: resources.trial_timeout_s is 12"
    assert "time.sleep(0.05)" in failed[1]["traceback"] or "in epoch" in failed[1]["traceback"]
    assert failed[2]["error"].startswith("given up at 1.") and "resources.memory_gib is 1.5" in failed[2]["error"]


def test_sigterm_to_a_worker_and_to_the_driver_changes_no_row(tiny_study: dict[str, Any], tmp_path: Path) -> None:
    tiny_study |= {"methods": {"darts": {}}, "seeds": 3}
    tiny_study["scale"]["epochs"] = 24
    study, results = drills.write_study(tmp_path, tiny_study), Store(tmp_path / "store", "tiny")
    process = drills.start(study, tmp_path / "store")
    checkpoints = tmp_path / "store/tiny/checkpoints"
    drills.wait_until(lambda: checkpoints.is_dir() and len(list(checkpoints.glob("*.pt"))) == 2, process, 300)
    worker = drills.workers(process.pid)[0]
    os.kill(worker, signal.SIGTERM)
    drills.wait_until(lambda: worker not in drills.workers(process.pid), process, 300)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 3, output
    left = 3 - len(results.finished())
    assert left >= 1 and f"ended early (got SIGTERM): {left} trials are left, {len(results.checkpoints())} of" in output
    again = drills.run(study, tmp_path / "store")
    assert again.returncode == 0, again.stdout + again.stderr
    Inline(tiny_study, tmp_path / "undisturbed").run()
    assert drills.rows(tmp_path / "store", "tiny") == drills.rows(tmp_path / "undisturbed", "tiny")
