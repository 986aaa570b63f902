"""A raylet, Ray's process on each host, is killed: one host of several, or the only one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drills
import pytest
from driver import half_done, wait_until_gone
from ray_head import Cluster, raylet
from sabotage import AtAReport, Ledger, run

from study.store.store import Store

pytestmark = pytest.mark.slow


def test_a_lost_host_changes_no_row(
    study: dict[str, Any], undisturbed: drills.Rows, cluster: Cluster, ledger: Ledger, tmp_path: Path
) -> None:
    """Its trials go on elsewhere, each from its last second."""
    host = cluster.add(cpus=2)

    def lose(report: dict[str, Any]) -> bool:
        there = report["pid"] in drills.descendants(host.process.pid)
        if there:
            drills.kill(raylet(host.process.pid))
        return there

    outcome, said = run(study, tmp_path, cluster.address, ledger, [AtAReport(lose)])
    host.kill()
    assert outcome.exit_code == 0 and said.count("a worker is started anew") >= 1, said
    assert drills.rows(tmp_path, "tiny") == undisturbed
    assert len(ledger.repeated()) <= 2 and ledger.repeated().total() <= 10


def test_a_run_without_its_own_raylet_ends_and_goes_on_when_repeated(
    study: dict[str, Any], undisturbed: drills.Rows, cluster: Cluster, ledger: Ledger, tmp_path: Path
) -> None:
    """The driver ends by itself: done, if its workers live long enough, or with an error; what was done stays done."""
    path, store = drills.write_study(tmp_path, study), tmp_path / "store"
    with half_done(path, store, ledger) as (process, finished):
        below = drills.descendants(process.pid)
        drills.kill(raylet(process.pid))
    output, _ = process.communicate(timeout=240)
    assert process.returncode != 0 or len(Store(store, "tiny").finished()) == 4, output
    wait_until_gone(below)
    outcome, said = run(study | drills.ONE_WORKER, store, cluster.address, ledger)
    assert outcome.exit_code == 0, said
    assert drills.rows(store, "tiny") == undisturbed
    assert not finished & set(ledger.repeated()) and ledger.repeated().total() <= 10
