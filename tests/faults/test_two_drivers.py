"""Two runs of one study at once, on one store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drills
from driver import start
from inline import Inline
from ray_head import Cluster
from sabotage import Ledger


def test_two_runs_at_once_share_the_trials(
    study: dict[str, Any], cluster: Cluster, ledger: Ledger, tmp_path: Path
) -> None:
    """Neither fails, both end when all is done, and no trial is run by both, but for two that claim it together."""
    study |= {"seeds": 1, "resources": {"cpu": 0.25}}
    path, store = drills.write_study(tmp_path, study), tmp_path / "store"
    runs = [start(path, store, ledger, "--address", cluster.address) for _ in range(2)]
    outputs = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    Inline(study, tmp_path / "undisturbed").run()
    assert drills.rows(store, "tiny") == drills.rows(tmp_path / "undisturbed", "tiny")
    assert len(ledger.repeated()) <= 1
