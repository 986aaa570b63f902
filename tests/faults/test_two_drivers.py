"""Two runs of one study at once, on one store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drills
import pytest
from driver import half_done, start
from ray_head import Cluster
from sabotage import Ledger

pytestmark = pytest.mark.slow


def test_two_runs_at_once_share_the_trials(
    study: dict[str, Any], undisturbed: drills.Rows, cluster: Cluster, ledger: Ledger, tmp_path: Path
) -> None:
    """Neither fails, both end when all is done, and no trial is begun by both."""
    study |= {"resources": {"cpu": 0.25}}
    path, store = drills.write_study(tmp_path, study), tmp_path / "store"
    options = ("--address", cluster.address)
    with half_done(path, store, ledger, "--seeds", "1", *options) as (one, finished):
        theirs = finished | ledger.waiting()
        two = start(path, store, ledger, *options)
        drills.wait_until(lambda: len(ledger.waiting() - theirs) == 2, two)
    outputs = [run.communicate(timeout=300)[0] for run in (one, two)]
    assert len(theirs) == 2 and [run.returncode for run in (one, two)] == [0, 0], outputs
    assert drills.rows(store, "tiny") == undisturbed
    assert not ledger.repeated()
