"""The head of a cluster loses its power during a study and comes back, knowing nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drills
import pytest
from driver import half_done
from ray_head import Cluster
from sabotage import Ledger, run

pytestmark = pytest.mark.slow


def test_a_head_that_restarts_ends_the_run_which_goes_on_when_repeated(
    study: dict[str, Any], undisturbed: drills.Rows, cluster: Cluster, ledger: Ledger, tmp_path: Path
) -> None:
    """The driver ends by itself, with an error; on the new head the same command runs what is left."""
    path, store = drills.write_study(tmp_path, study), tmp_path / "store"
    with half_done(path, store, ledger, "--address", cluster.address) as (process, finished):
        cluster.kill()
        cluster.start()
    output, _ = process.communicate(timeout=240)
    assert process.returncode not in (0, 3), output
    outcome, said = run(study | drills.ONE_WORKER, store, cluster.address, ledger)
    assert outcome.exit_code == 0, said
    assert drills.rows(store, "tiny") == undisturbed
    assert not finished & set(ledger.repeated()) and ledger.repeated().total() <= 10
