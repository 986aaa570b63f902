"""The driver, ``nas-study run`` itself, is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drills
import pytest
from driver import half_done, wait_until_gone
from ray_head import Cluster
from sabotage import Ledger, run

from study.store.store import Store

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with all it started"])
def test_a_killed_driver_changes_no_row(
    alone: bool, study: dict[str, Any], undisturbed: drills.Rows, cluster: Cluster, ledger: Ledger, tmp_path: Path
) -> None:
    """It leaves no process behind; repeated, the command runs what is left, each trial from its last second."""
    path, store = drills.write_study(tmp_path, study), tmp_path / "store"
    with half_done(path, store, ledger) as (process, finished):
        below = drills.descendants(process.pid)
        drills.kill(process.pid, *([] if alone else below))
        process.wait()
        wait_until_gone(below)
    assert Store(store, "tiny").checkpoints() and set(Store(store, "tiny").finished()) == finished
    outcome, said = run(study | drills.ONE_WORKER, store, cluster.address, ledger)
    assert outcome.exit_code == 0, said
    assert drills.rows(store, "tiny") == undisturbed and not Store(store, "tiny").in_progress()
    assert not finished & set(ledger.repeated()) and ledger.repeated().total() <= 10
