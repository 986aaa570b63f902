"""A trial that hangs, and one whose memory grows for ever."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import drills
import pytest
from ray_head import Cluster
from sabotage import run

from trainables import watchdog
from trainables.trial import Trial

pytestmark = pytest.mark.slow


def test_trials_that_hang_or_leak_are_rows_and_the_rest_finishes(
    table_study: dict[str, Any], cluster: Cluster, tmp_path: Path
) -> None:
    """``trial_timeout_s`` and ``memory_gib`` end what passes them; the row says which, and where the trial was.

    For what hangs, the watchdog's clock is put forward by the hour that no other trial takes, however slow the machine.
    """

    def hang_or_leak(trial: Trial) -> None:
        if trial.spec.method == "random_search" and trial.spec.seed == 1:
            an_hour_later = SimpleNamespace(sleep=time.sleep, monotonic=lambda: time.monotonic() + 3600)
            watchdog.time = an_hour_later  # type: ignore[attr-defined]
        hoard = []
        while trial.spec.method == "random_search" and trial.spec.seed in (1, 2):
            time.sleep(0.05)
            if trial.spec.seed == 2:
                hoard.append(b"x" * 200_000_000)

    table_study["resources"] = {"trial_timeout_s": 3600, "memory_gib": 1.5}
    outcome, said = run(table_study, tmp_path, cluster.address, hang_or_leak)
    assert (outcome.ok, outcome.failed, outcome.exit_code) == (4, 2, 1), said
    failed = {row["seed"]: row for row in drills.rows(tmp_path, "table")[0] if row["status"] == "failed"}
    assert failed[1]["error"] == "given up after 3600 s: resources.trial_timeout_s is 3600"
    assert "in hang_or_leak" in failed[1]["traceback"]
    assert failed[2]["error"].startswith("given up at ") and "resources.memory_gib is 1.5" in failed[2]["error"]
