"""Trials that a worker ends within one step: claimed till they share a file, found in it, run again if that fails."""

from __future__ import annotations

import errno
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis import load
from study.loading import parse
from study.plan import Fingerprints, plan
from study.store import claims
from study.store.files import Files
from study.store.schema import STEP, VOLATILE
from study.store.store import Store
from trainables import batch as batches
from trainables import trainable
from trainables.batch import MOST_ATTEMPTS, Assignment, Batch, Work
from trainables.benchmarks.signal import signal_fingerprints
from trainables.benchmarks.table import open_table
from trainables.errors import StoreError
from trainables.gang import deal
from trainables.spec import TrialSpec
from trainables.trainable import SearchTrainable
from trainables.trial import Surroundings, Trial
from trainables.watchdog import Limits, Watchdog

Rows = dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def specs() -> list[TrialSpec]:
    """Four random searches of six epochs each."""
    raw = {"name": "s", "dataset": "cifar10", "methods": {"random_search": {"queries": 6}}, "seeds": 4}
    return plan(parse(raw), Fingerprints(None, signal_fingerprints(open_table(), "cifar10"))).trials


@pytest.fixture(scope="module")
def undisturbed(specs: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Each trial written as soon as it ended."""
    batch = start(specs, tmp_path_factory.mktemp("undisturbed"))
    while batch.queue:
        batch.advance()
        batch.write_ended()
    assert names(batch.store, "trials") == sorted(f"{spec.id}.parquet" for spec in specs)
    return rows(batch.store, specs)


def start(specs: list[TrialSpec], folder: Path) -> Batch:
    """A worker's process that takes the trials up, with a store that it has not looked into."""
    store = Store(folder, "s")
    store.prepare()
    return Batch(Work("s", "run", [specs], store, Surroundings()), Assignment(0), watchdog())


def watchdog() -> Watchdog:
    return Watchdog(Limits(), lambda reason: None)


def run(batch: Batch, left: int = 0) -> Batch:
    """Until ``left`` trials are in the queue, all in one step that is not over."""
    while len(batch.queue) > left:
        batch.advance()
    return batch


def names(store: Any, folder: str) -> list[str]:
    return sorted(path.name for path in Path(store.files.root, folder).glob("*.*"))


def rows(store: Any, specs: list[TrialSpec]) -> Rows:
    """What the trials determine, asked for by their names; none lies in the store twice."""
    listed = [i for table in store.trials.tables(["trial_id"]) for i in table["trial_id"].to_pylist()]
    assert set(Counter(listed).values()) <= {1}

    def determined(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in VOLATILE}

    found = {spec.id: store.find(spec.id) for spec in specs}
    assert {i for i, row in found.items() if row} == set(listed)
    return {i: (determined(row), [determined(e) for e in store.find_epochs(i)]) for i, row in found.items() if row}


def test_trials_of_a_step_share_a_file_and_are_found_in_it(
    specs: list[TrialSpec], undisturbed: Rows, tmp_path: Path
) -> None:
    """By whoever asks for one by its name, reads all, removes, looks up again or merges."""
    batch, reader = start(specs, tmp_path), Store(tmp_path, "s")
    assert reader.find(specs[0].id) is None and reader.find_epochs(specs[0].id) == []
    run(batch)
    assert names(batch.store, "trials") == [] and batch.ended == []
    batch.save()
    assert [name[:5] for kind in ("trials", "epochs") for name in names(batch.store, kind)] == [STEP, STEP]
    assert names(batch.store, "checkpoints") == [] and {row["trial_id"] for row in batch.ended} == set(undisturbed)
    assert rows(reader, specs) == undisturbed
    assert len(load(tmp_path).trials) == len(reader.finished()) == 4
    reader.rewrite(lambda kind, found: [row | {"genotype": kind} for row in found])
    assert rows(reader, specs)[specs[0].id][1][0]["genotype"] == "epochs"
    reader.remove([specs[0].id])
    assert set(rows(Store(tmp_path, "s"), specs)) == {spec.id for spec in specs[1:]}


def test_steps_are_merged_with_all_else(specs: list[TrialSpec], undisturbed: Rows, tmp_path: Path) -> None:
    batch = start(specs, tmp_path)
    for left in (3, 1, 0):
        run(batch, left).save()
    assert [name.startswith(STEP) for name in names(batch.store, "trials")] == [False, False, True]
    reader = Store(tmp_path, "s")
    assert rows(reader, specs) == undisturbed
    Store(tmp_path, "s").compact()
    assert [len(names(reader, kind)) for kind in ("trials", "epochs")] == [1, 1]
    assert rows(reader, specs) == undisturbed


def test_whoever_gets_the_claim_finds_the_row(
    specs: list[TrialSpec], undisturbed: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each change that writing a step makes, and after the last."""
    batch, reader = run(start(specs, tmp_path)), Store(tmp_path, "s")
    assert reader.find(specs[0].id) is None
    looks: list[int] = []

    def look() -> None:
        claimed = {name.partition(".")[0] for name in names(reader, "checkpoints")}
        found = {spec.id for spec in specs if reader.find(spec.id)}
        assert claimed | found == set(undisturbed)
        looks.append(len(found))

    def looked_at(original: Callable[..., None]) -> Callable[..., None]:
        def change(self: Files, *arguments: Any) -> None:
            look()
            original(self, *arguments)

        return change

    with monkeypatch.context() as patch:
        patch.setattr(Files, "write", looked_at(Files.write))
        patch.setattr(Files, "delete", looked_at(Files.delete))
        batch.save()
    look()
    assert looks == [0] * 4 + [4] * 9, "epochs, their announcement, rows, theirs; then checkpoints and claims"


def test_a_trial_that_ended_is_left_to_its_worker_until_it_is_written(
    specs: list[TrialSpec], undisturbed: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of another run, which waits for it and then counts it."""
    monkeypatch.setattr(batches, "WAIT_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(claims, "machine", lambda: "their boot")
        theirs = run(start(specs, tmp_path))
    ours = start(specs, tmp_path)
    monkeypatch.setattr(Trial, "advance", None)
    for _ in range(10):
        ours.advance()
    assert len(ours.queue) == 4 and ours.ended == []
    theirs.save()
    run(ours).save()
    assert {row["trial_id"] for row in ours.ended} == set(undisturbed) == set(rows(ours.store, specs))


@pytest.mark.parametrize("saved", [False, True])
def test_a_worker_killed_before_its_step_is_over_has_its_trials_run_again(
    saved: bool, specs: list[TrialSpec], undisturbed: Rows, tmp_path: Path
) -> None:
    """To the same bits, from the last checkpoint, and once each."""
    batch = start(specs, tmp_path)
    for _ in range(3):
        batch.advance()
    if saved:
        batch.save()
    run(batch, 1)
    assert names(batch.store, "trials") == []
    again = start(specs, tmp_path)
    again.advance()
    assert again.trial is not None and again.trial.epochs_done == (4 if saved else 1)
    run(again).save()
    assert rows(again.store, specs) == undisturbed and names(again.store, "checkpoints") == []


def test_nothing_that_ended_is_blamed_for_a_trial_that_kills_its_process(
    specs: list[TrialSpec], undisturbed: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended within the same step is begun again once, then written before the deadly one is begun again."""

    class Killed(BaseException):
        pass

    deadly, begun, advance = specs[2], Counter[str](), Trial.advance

    def die(self: Trial) -> None:
        begun[self.spec.id] += self.epochs_done == 0
        if self.spec == deadly:
            raise Killed
        advance(self)

    monkeypatch.setattr(Trial, "advance", die)
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(Killed):
            run(start(specs, tmp_path))
    last = run(start(specs, tmp_path))
    last.save()
    found = rows(last.store, specs)
    assert found.pop(deadly.id)[0]["error"] == "the worker process died 3 times while it ran this trial"
    assert found == {i: row for i, row in undisturbed.items() if i != deadly.id}
    assert [begun[spec.id] for spec in specs] == [2, 2, MOST_ATTEMPTS, 1]


def test_a_worker_that_gives_a_trial_up_writes_what_ended_in_all_its_lanes(
    specs: list[TrialSpec], undisturbed: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(trainable.os, "_exit", ended.append)
    worker = object.__new__(SearchTrainable)
    worker.watchdogs = [watchdog(), watchdog()]
    worker.lanes = deal(start(specs, tmp_path).work, Assignment(0), worker.watchdogs)
    for lane in worker.lanes:
        run(lane, 1).advance()
    worker._give_up(0, "it took too long")
    assert ended == [1]
    found = rows(Store(tmp_path, "s"), specs)
    given_up = found.pop(specs[2].id)[0]
    assert (given_up["status"], given_up["error"]) == ("failed", "it took too long")
    assert found == {spec.id: undisturbed[spec.id] for spec in specs[:2]}
    assert names(worker.lanes[0].store, "checkpoints") == []


def test_whichever_write_of_a_step_fails_its_trials_are_unfinished_or_whole(
    specs: list[TrialSpec], undisturbed: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker says why and lets go of them; the next one runs what has no row."""
    put = Files._put
    for failing in itertools.count(1):
        batch, writes = run(start(specs, tmp_path / str(failing))), itertools.count(1)

        def full(self: Files, path: str, content: Any, failing: int = failing, writes: Any = writes) -> None:
            if next(writes) != failing:
                return put(self, path, content)
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Files, "_put", full)
            try:
                batch.save()
                break  # there are fewer writes than that
            except StoreError as error:
                assert "must be writable" in str(error) and "No space left on device" in str(error)
        assert batch.ended == []
        batch.leave()
        assert names(batch.store, "checkpoints") == []
        again = start(specs, tmp_path / str(failing))
        run(again).save()
        assert len(again.ended) == 4
        assert rows(Store(tmp_path / str(failing), "s"), specs) == undisturbed
    assert failing == 4 + 1
