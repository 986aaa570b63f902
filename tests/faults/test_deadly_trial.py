"""A trial that takes its worker's process down whenever it runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import drills
import pytest
from inline import Inline
from ray_head import Cluster
from sabotage import run

from trainables.trial import Trial

pytestmark = pytest.mark.slow


def test_a_trial_that_kills_its_worker_is_a_row(
    table_study: dict[str, Any], cluster: Cluster, run_study: Any, tmp_path: Path
) -> None:
    """It is tried three times, then recorded as failed; the others finish, and --retry-failed runs it anew."""

    def die(trial: Trial) -> None:
        if trial.spec.method == "random_search" and trial.spec.seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    store = tmp_path / "store"
    table_study |= drills.ONE_WORKER
    outcome, said = run(table_study, store, cluster.address, die)
    assert (outcome.ok, outcome.failed, outcome.exit_code) == (5, 1, 1), said
    (failed,) = (row for row in drills.rows(store, "table")[0] if row["status"] != "ok")
    assert (failed["method"], failed["seed"]) == ("random_search", 1)
    assert failed["error"] == "the worker process died 3 times while it ran this trial"
    code, said = run_study(drills.write_study(tmp_path, table_study), store, "--retry-failed")
    assert code == 0, said
    Inline(table_study, tmp_path / "undisturbed").run()
    assert drills.rows(store, "table") == drills.rows(tmp_path / "undisturbed", "table")
