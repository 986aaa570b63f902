"""The store's disk becomes full or read-only while a study runs, or is so from the start."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import disks
import drills
import pytest
from inline import Inline
from ray_head import Cluster
from sabotage import AtAReport, Ledger, run

from analysis import load
from study.status.standing import Observer
from study.store.files import Files
from study.store.store import Store
from trainables.batch import Assignment, Batch, Work
from trainables.errors import StoreError
from trainables.watchdog import Limits, Watchdog

BREAK: dict[str, Callable[[Path], object]] = {
    "No space left on device": disks.fill,
    "Read-only file system": lambda folder: disks.set_writable(folder, False),
}
MEND: dict[str, Callable[[Path], object]] = {
    "No space left on device": lambda folder: (folder / "ballast").unlink(),
    "Read-only file system": lambda folder: disks.set_writable(folder, True),
}


@pytest.mark.slow
@pytest.mark.parametrize("error", BREAK)
def test_a_store_that_fails_ends_the_run_which_goes_on_when_it_is_mended(
    error: str, study: dict[str, Any], undisturbed: drills.Rows, cluster: Cluster, ledger: Ledger, tmp_path: Path
) -> None:
    """The run ends early and says why; no trial is recorded as failed, and the same command runs what is left."""
    with disks.mounted(tmp_path / "disk") as disk:

        def fail(report: dict[str, Any]) -> bool:
            BREAK[error](disk)
            return True

        study |= drills.ONE_WORKER
        outcome, said = run(study, disk, cluster.address, ledger, [AtAReport(fail)])
        assert outcome.exit_code == 3 and outcome.failed == 0 and outcome.left >= 1, said
        assert outcome.ended_early and "must be writable" in outcome.ended_early and error in outcome.ended_early
        MEND[error](disk)
        outcome, said = run(study, disk, cluster.address, ledger)
        assert outcome.exit_code == 0, said
        assert drills.rows(disk, "tiny") == undisturbed


def test_whichever_write_finds_the_disk_full_nothing_is_damaged(
    table_study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write of a trial in turn, half of it done: what was in the store stays, and the trial goes on later."""
    table_study |= {"methods": {"random_search": {"queries": 3}}, "seeds": 1}
    Inline(table_study, tmp_path / "undisturbed").run()
    put = Files._put
    for failing in itertools.count(1):
        work, writes = Inline(table_study, tmp_path / str(failing)).work, itertools.count(1)

        def full(self: Files, path: str, content: Any, failing: int = failing, writes: Any = writes) -> None:
            if next(writes) != failing:
                return put(self, path, content)
            put(self, path, bytes(content)[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Files, "_put", full)
            try:
                run_and_save(work)
                break  # there are fewer writes than that
            except StoreError as error:
                assert "No space left on device" in str(error)
        work.store.release(work.batches[0][0].id)
        run_and_save(work)
        assert drills.rows(tmp_path / str(failing), "table") == drills.rows(tmp_path / "undisturbed", "table")
    assert failing == 1 + 1 + 2 + 2, "a claim, two checkpoints, the epochs, the row: each failed once"


def run_and_save(work: Work) -> None:
    """What a worker does whose epochs are long."""
    batch = Batch(work, Assignment(0), Watchdog(Limits(), lambda reason: None))
    while batch.queue:
        batch.advance()
        batch.save()


def test_an_unwritable_store_is_said_before_anything_runs(tmp_path: Path) -> None:
    """One sentence and exit code 2."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"must be writable, but .*give another one with --store"):
        Store(tmp_path / "file", "s").prepare()


def test_a_read_only_store_is_refused_by_a_run_and_read_by_all_else(
    table_study: dict[str, Any], tmp_path: Path
) -> None:
    """``status`` and ``report`` ask for no right to write."""
    with disks.mounted(tmp_path / "disk") as disk:
        prepared = Inline(table_study, disk).run().prepared
        prepared.store.write_text("study.yaml", prepared.study.as_yaml())
        prepared.store.write_text("environment.json", "{}")
        disks.set_writable(disk, False)
        with pytest.raises(StoreError, match=r"must be writable, but .*Read-only file system"):
            Inline(table_study | {"seeds": 4}, disk)
        assert Observer(prepared.store).look()[-1].ok == len(load(disk).trials) == 6
