"""How far a study is, as its store tells it: counts, pace, time left, and watching until Ctrl-C."""

from __future__ import annotations

import dataclasses
import io
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from study.config import Study
from study.loading import parse
from study.plan import Fingerprints, plan
from study.status import watching
from study.status.pace import LATEST, Pace
from study.status.standing import Observer, Standing
from study.store.claims import SILENT_S
from study.store.store import Store
from trainables.benchmarks.signal import signal_fingerprints
from trainables.benchmarks.table import open_table
from trainables.spec import TrialSpec

NOW = 1_000_000.0


def finished(
    method: str, seconds_ago: float, work_s: float | None = 10.0, retrain_s: float | None = None
) -> dict[str, Any]:
    return {
        "method": method,
        "finished_at": NOW - seconds_ago,
        "search_wall_s": work_s,
        "retrain_wall_s": retrain_s,
    }


def test_pace_is_that_of_this_run() -> None:
    """An hour ago it began; two workers did 360 seconds of work in each of its 20 shares."""
    before = [finished("darts", 90_000.0, 300.0)] * 7
    now = [finished("darts", 180.0 * i, 300.0, 60.0) for i in range(10)] + [
        finished("gaea", 180.0 * i, 360.0) for i in range(10)
    ]
    pace = Pace(before + now, NOW - 3600, NOW)
    assert pace.per_hour("darts") == pace.per_hour("gaea") == pytest.approx(10)
    assert pace.rest_s("gaea", 5) == pytest.approx(5 * 360 / 2)
    mean_darts = (7 * 300 + 10 * 360) / 17
    assert pace.rest_s("darts", 5) == pytest.approx(5 * mean_darts / 2)
    assert pace.rest_s("zarts", 1) == pytest.approx((mean_darts + 360) / 2 / 2), "as long as the others on average"
    assert pace.rest_s("zarts", 0) == 0.0 and pace.finished_at == NOW


def test_pace_is_that_of_the_last_trials() -> None:
    slow = [finished("darts", 10_000.0 - i) for i in range(50)]
    pace = Pace([*slow, *(finished("darts", float(i)) for i in range(LATEST))], NOW - 20_000, NOW)
    assert pace.per_hour("darts") == pytest.approx(LATEST / (9951 / 3600))
    fast = Pace([finished("darts", float(i)) for i in range(3 * LATEST)], NOW - 20_000, NOW)
    assert fast.per_hour("darts") == pytest.approx(3600)


@pytest.mark.parametrize("rows", [[], [finished("darts", 99_999.0)], [finished("darts", 1.0, None)]])
def test_no_pace_without_work_to_go_by(rows: list[dict[str, Any]]) -> None:
    assert Pace(rows, NOW - 3600, NOW).rest_s("darts", 3) is None


@pytest.fixture
def study(table_study: dict[str, Any], tmp_path: Path) -> tuple[Store, Study, list[TrialSpec]]:
    """A store with the study's description, and its trials: three seeds of each of two methods."""
    chosen = parse(table_study)
    store = Store(tmp_path, chosen.name)
    store.prepare()
    store.write_text("study.yaml", chosen.as_yaml())
    store.write_text("environment.json", "{}")
    return store, chosen, plan(chosen, Fingerprints(None, signal_fingerprints(open_table(), "cifar10"))).trials


def write(store: Store, spec: TrialSpec, status: str = "ok") -> None:
    row = {"trial_id": spec.id, "method": spec.method, "status": status, "search_wall_s": 2.0}
    store.write([(row | {"finished_at": datetime.now(UTC)}, [])])


def test_every_trial_is_counted_once(study: tuple[Store, Study, list[TrialSpec]]) -> None:
    store, _, trials = study
    sampled, evolved = trials[:3], trials[3:]
    write(store, sampled[0])
    write(store, sampled[1], "failed")
    store.claim(sampled[2].id, "run")
    store.write_checkpoint(sampled[2].id, b"")
    for spec in evolved[:2]:
        store.write_checkpoint(spec.id, b"")
        store.claim(spec.id, "run")
    long_ago = time.time() - SILENT_S - 1
    os.utime(Path(store.files.root, "checkpoints", f"{evolved[1].id}.claim"), (long_ago, long_ago))
    observer = Observer(Store(store.uri, store.study))
    one, two, everything = observer.look()
    counts = [
        (s.method, s.planned, s.ok, s.diverged, s.failed, s.running, s.begun, s.left) for s in (one, two, everything)
    ]
    assert counts == [
        ("random_search", 3, 1, 0, 1, 1, 0, 1),
        ("regularized_evolution", 3, 0, 0, 0, 1, 1, 3),
        ("all", 6, 1, 0, 1, 2, 1, 4),
    ]
    assert one.per_hour and one.rest_s and everything.rest_s == pytest.approx(one.rest_s + (two.rest_s or 0))
    for spec in (sampled[2], *evolved):
        write(store, spec)
    assert (observer.look()[-1].ok, observer.look()[-1].running, observer.look()[-1].left) == (5, 0, 0)


def test_a_study_that_grew_is_planned_anew(study: tuple[Store, Study, list[TrialSpec]]) -> None:
    store, chosen, trials = study
    observer = Observer(store)
    assert observer.look()[-1].planned == 6
    raw = chosen.model_dump(exclude_none=True)
    store.write_text("study.yaml", parse(raw | {"seeds": 4}).as_yaml())
    assert observer.look()[-1].planned == 8
    searched = {"regularized_evolution": {"queries": 12, "sample": "search"}}
    search = {"algorithm": "optuna", "samples": 5}
    store.write_text("study.yaml", parse(raw | {"methods": searched, "search": search}).as_yaml())
    write(store, trials[3])
    (evolution, everything) = observer.look()
    assert (evolution.planned, evolution.left, everything.left) == (15, 14, 14)


def test_nothing_running_has_no_pace(study: tuple[Store, Study, list[TrialSpec]]) -> None:
    store, _, trials = study
    write(store, trials[0])
    with pytest.MonkeyPatch.context() as patch:
        later = time.time() + 2 * SILENT_S
        patch.setattr("study.status.standing.time.time", lambda: later)
        assert all(s.per_hour is None and s.rest_s is None for s in Observer(store).look())


def test_watching_looks_again_until_ctrl_c(
    study: tuple[Store, Study, list[TrialSpec]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, trials = study
    left = list(trials)

    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            return real_sleep(seconds)  # a watchdog of another test
        assert seconds == 7.0
        if not left:
            raise KeyboardInterrupt
        return write(store, left.pop())

    monkeypatch.setattr(watching.time, "sleep", sleep)
    for terminal in (True, False):
        left[:] = trials[:2]
        shown = Console(file=io.StringIO(), force_terminal=terminal, width=100)
        watching.watch([Observer(store)], shown, 7.0)
        assert shown.file.getvalue().count("random_search") >= 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (59.9, "0 min 59 s"), (3599.0, "59 min 59 s"), (6120.0, "1 h 42 min"), (190_000.0, "2 d 4 h")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert watching.duration(seconds) == text


def test_the_table_fits_a_terminal() -> None:
    standing = Standing(
        "regularized_evolution", *[1000] * 4, stopped=0, running=99, begun=0, left=1000, per_hour=12345.6, rest_s=9e5
    )
    shown = Console(file=io.StringIO(), width=80)
    shown.print(watching.table("s", [standing] * 3))
    assert "1000    12346 10 d 10 h" in shown.file.getvalue() and "stopped" not in shown.file.getvalue()  # type: ignore[attr-defined]
    wider = Console(file=io.StringIO(), width=120)
    wider.print(watching.table("s", [dataclasses.replace(standing, stopped=7)] * 3))
    assert wider.file.getvalue().count(" 7 ") == 3  # type: ignore[attr-defined]
