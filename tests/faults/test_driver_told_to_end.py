"""SIGTERM or Ctrl-C to the driver."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import drills
import pytest
from driver import half_done
from ray_head import Cluster
from sabotage import Ledger, run

from study.store.store import Store

pytestmark = pytest.mark.slow


def test_a_driver_told_to_end_loses_nothing_and_says_what_is_left(
    study: dict[str, Any], undisturbed: drills.Rows, cluster: Cluster, ledger: Ledger, tmp_path: Path
) -> None:
    """The epochs under way are finished and saved, exit code 3; the same command runs what is left, none twice."""
    path, store = drills.write_study(tmp_path, study), tmp_path / "store"
    with half_done(path, store, ledger, "--address", cluster.address) as (process, _):
        process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 3, output
    results = Store(store, "tiny")
    left = 4 - len(results.finished())
    assert left >= 1 and f"ended early (got SIGTERM): {left} trials are left, {len(results.checkpoints())} of" in output
    outcome, said = run(study | drills.ONE_WORKER, store, cluster.address, ledger)
    assert outcome.exit_code == 0, said
    assert drills.rows(store, "tiny") == undisturbed
    assert not ledger.repeated()
