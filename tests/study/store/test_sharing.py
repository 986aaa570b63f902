"""Workers of several runs at one study: a trial is left to whoever runs it, and taken up where that one fell silent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.loading import parse
from study.plan import Fingerprints, plan
from study.store import claims
from study.store.claims import Claim
from study.store.store import Store
from trainables import batch as batches
from trainables.batch import Assignment, Batch, Work
from trainables.benchmarks.signal import signal_fingerprints
from trainables.benchmarks.table import open_table
from trainables.checkpoints import serialise
from trainables.spec import TrialSpec
from trainables.trial import Surroundings, Trial
from trainables.watchdog import Limits, Watchdog


@pytest.fixture
def work(table_study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Three seeds of regularised evolution, 15 epochs each, in one batch."""
    monkeypatch.setattr(batches, "WAIT_S", 0.01)
    study = parse(table_study | {"methods": {"regularized_evolution": {"queries": 15}}})
    store = Store(tmp_path, study.name)
    store.prepare()
    trials = plan(study, Fingerprints(None, signal_fingerprints(open_table(), "cifar10"))).trials
    return Work(study.name, "run", [trials], store, Surroundings())


def start(work: Work) -> Batch:
    return Batch(work, Assignment(0), Watchdog(Limits(), lambda reason: None))


def claim_elsewhere(work: Work, spec: TrialSpec) -> None:
    claim = Claim(run="their run", host="their host", machine="their boot", pid=1, beat=0, attempts={"their run": 1})
    Path(work.store.files.root, f"checkpoints/{spec.id}.claim").write_text(claim.model_dump_json())  # type: ignore[attr-defined]


def advance(batch: Batch, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert batch.queue and time.monotonic() < deadline
        batch.advance()
        batch.save()


def undisturbed(spec: TrialSpec, epochs: int) -> Trial:
    trial = Trial(spec, Surroundings())
    while trial.epochs_done < epochs:
        trial.advance()
    return trial


def test_a_trial_that_another_runs_is_left_to_it(work: Work) -> None:
    first, second, third = work.batches[0]
    claim_elsewhere(work, first)
    batch = start(work)
    advance(batch, lambda: len(batch.ended) == 2)
    assert [row["trial_id"] for row in batch.ended] == [second.id, third.id]
    for _ in range(5):
        batch.advance()
    assert len(batch.ended) == 2, "it waits for the other"
    there = Store(work.store.uri, work.store.study)  # type: ignore[attr-defined]
    row = {"trial_id": first.id, "method": first.method, "config": "", "seed": 0, "status": "ok", "error": None}
    there.write([(row, [])])
    advance(batch, lambda: not batch.queue)
    assert [row["trial_id"] for row in batch.ended] == [second.id, third.id, first.id]


def test_a_silent_worker_is_taken_over_where_it_was(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "SILENT_S", 0.3)
    first = work.batches[0][0]
    claim_elsewhere(work, first)
    work.store.write_checkpoint(first.id, serialise(undisturbed(first, 5)))
    batch = start(work)
    advance(batch, lambda: batch.trial is not None and batch.trial.spec == first)
    assert batch.trial is not None and batch.trial.epochs_done == 6
    advance(batch, lambda: not batch.queue)
    row = work.store.find(first.id)
    assert row is not None and row["genotype"] == str(undisturbed(first, 15).genotype)


def test_a_trial_that_another_takes_over_is_given_up_at_the_next_epoch(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BEAT_S", 0.05)
    first = work.batches[0][0]
    batch = start(work)
    for _ in range(3):
        batch.advance()
    claim_elsewhere(work, first)
    deadline = time.monotonic() + 60
    while work.store.holds(first.id):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    batch.advance()
    assert batch.trial is None and batch.queue[-1] == first and work.store.find(first.id) is None
    claim = Path(work.store.files.root, f"checkpoints/{first.id}.claim").read_text()  # type: ignore[attr-defined]
    assert json.loads(claim)["run"] == "their run"


def test_a_trial_whose_row_no_file_can_hold_is_a_failed_row_and_its_neighbours_are_well(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails whenever it is written would else end one worker after another."""
    first, record = work.batches[0][0], Trial.record
    unwritable = {first.id: {"peak_memory_mib": "much"}}
    monkeypatch.setattr(Trial, "record", lambda self: record(self) | unwritable.get(self.spec.id, {}))
    batch = start(work)
    advance(batch, lambda: not batch.queue)
    assert [row["status"] for row in batch.ended] == ["failed", "ok", "ok"]
    row = work.store.find(first.id)
    assert row is not None and row["error"].startswith("the row of this trial cannot be written: ArrowInvalid: ")
    assert row["method"] == first.method and row["seed"] == first.seed and row["finished_at"] is not None
