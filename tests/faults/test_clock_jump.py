"""The wall clock is set an hour back or forth, again and again, while a study runs."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import drills
import pytest
from inline import Inline

from study.running.stopping import Budget, Stop
from study.store.claims import Claims
from study.store.files import Files
from study.store.store import Store
from trainables import records
from trainables.watchdog import Limits, Watchdog

HOUR_S = 3600.0


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the wall clock finds it an hour later or earlier than the last."""
    hours = itertools.cycle((1, -1, 0, -2, 2))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(hours) * HOUR_S)
    monkeypatch.setattr(
        records, "datetime", SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(hours=next(hours)))
    )


def test_a_clock_that_jumps_changes_no_row(
    table_study: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Nothing that decides what runs looks at the wall clock."""
    Inline(table_study, tmp_path / "undisturbed").run()
    request.getfixturevalue("jumping")
    Inline(table_study, tmp_path / "jumping").run()
    store = Store(tmp_path / "jumping", "table")
    store.compact()
    store.remove(sorted(store.finished())[:2])
    Inline(table_study, tmp_path / "jumping").run()
    assert drills.rows(tmp_path / "jumping", "table") == drills.rows(tmp_path / "undisturbed", "table")


def test_a_trial_repeated_by_an_earlier_clock_is_the_one_that_counts(tmp_path: Path) -> None:
    """--retry-failed removes the failed row first, so their times need not be in order."""
    store = Store(tmp_path, "s")
    store.prepare()
    row, now = {"trial_id": "t", "method": "darts"}, datetime.now(UTC)
    store.write([(row | {"status": "failed", "finished_at": now}, [])])
    store.compact()
    store.remove(["t"])
    store.write([(row | {"status": "ok", "finished_at": now - timedelta(hours=1)}, [])])
    assert store.find("t")["status"] == store.finished()["t"]["status"] == "ok"  # type: ignore[index]


def test_a_clock_that_jumps_neither_takes_trials_over_nor_ends_them(tmp_path: Path, jumping: None) -> None:
    """Claims, time limits and --max-hours go by a clock that nobody sets."""
    there, here = Files(str(tmp_path), "s"), Files(str(tmp_path), "s")
    there.create_folders(["checkpoints"])
    theirs = '{"run": "a", "host": "h", "machine": "m", "pid": 1, "beat": 0, "attempts": {}}'
    there.write("checkpoints/t.claim", theirs.encode())
    claims = Claims(here)
    assert [claims.take("t", "run") for _ in range(5)] == [None] * 5
    stop = Stop(Budget(max_hours=0.5))
    given_up: list[str] = []
    with Watchdog(Limits(timeout_s=60), given_up.append).watching(spent_s=0):
        for _ in range(5):
            stop.check_time()
            time.sleep(0.1)
    assert not stop.requested and not given_up
