"""A worker that is lost: killed, told to leave by its host, or reclaimed as spot instances are."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import drills
import pytest
from ray_head import Cluster
from sabotage import AtAReport, Ledger, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("signals", "lost"),
    [([signal.SIGKILL], 5), ([signal.SIGTERM], 0), ([signal.SIGTERM, signal.SIGKILL], 5)],
    ids=["killed", "told to leave", "reclaimed"],
)
def test_a_lost_worker_changes_no_row(
    signals: list[signal.Signals], lost: int, study: dict[str, Any], undisturbed: drills.Rows, cluster: Cluster,
    ledger: Ledger, tmp_path: Path,
) -> None:  # fmt: skip
    """Its trial goes on in another worker, from the last second's end; one that may leave by itself loses nothing."""

    def end(report: dict[str, Any]) -> bool:
        for number in signals:
            os.kill(report["pid"], number)
        return True

    outcome, said = run(study, tmp_path, cluster.address, ledger, [AtAReport(end)])
    assert outcome.exit_code == 0 and said.count("a worker is started anew") == 1, said
    assert "its worker process has died, on " in said, said
    assert drills.rows(tmp_path, "tiny") == undisturbed
    assert len(ledger.repeated()) <= 1 and ledger.repeated().total() <= lost
