"""How a run or a trial ends before its time: limits, budgets, signals. Nothing that was done is lost."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from inline import Inline

from study.running.stopping import Budget, Fifo, Stop
from trainables.watchdog import Limits, Watchdog, held_gib

FULL = "trainables.errors.StoreError: a store must be writable"


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


@pytest.mark.parametrize(("last", "ends"), [(FULL, True), ("The actor died.", False)])
def test_a_store_that_fails_three_workers_in_a_row_ends_the_run(last: str, ends: bool, tmp_path: Path) -> None:
    stop, log = Stop(Budget()), tmp_path / "error.txt"
    trial = SimpleNamespace(error_file=str(log))
    for number, text in enumerate(("The actor died.", FULL, FULL, last), 1):
        assert not stop.requested
        with log.open("a") as file:
            file.write(f"Failure # {number} (occurred at noon)\nray::train()\n{text}\n")
        Fifo(stop).on_trial_error(None, trial)  # type: ignore[arg-type]
    assert stop.requested is ends and (stop.reason == "a store must be writable" or not ends)


@pytest.mark.parametrize("others", ["none", "one is set up", "one has reported"])
def test_workers_that_cannot_be_set_up_end_the_run_unless_some_can(others: str, tmp_path: Path) -> None:
    stop, log = Stop(Budget()), tmp_path / "error.txt"
    scheduler, trial = Fifo(stop), SimpleNamespace(error_file=str(log), status="PENDING")
    other = SimpleNamespace(status="RUNNING" if others == "one is set up" else "PENDING")
    tune = SimpleNamespace(get_live_trials=lambda: [trial, other])
    if others == "one has reported":
        scheduler.on_trial_result(tune, other, {})  # type: ignore[arg-type]
    for number in (1, 2, 3):
        assert stop.mistake is None
        with log.open("a") as file:
            file.write(f"Failure # {number} (occurred at noon)\nan error raised in its creation task\nKeyError: 1\n")
        scheduler.on_trial_error(tune, trial)  # type: ignore[arg-type]
    assert stop.requested is (others == "none") and (stop.mistake is not None) is (others == "none")
    assert others != "none" or "3 of them could not even be set up (KeyError: 1)" in str(stop.mistake)


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
