"""Trials side by side in one process: what they store is what each stores alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.loading import parse
from study.preparation import prepare
from study.store.schema import VOLATILE
from study.store.store import Store
from trainables import batch
from trainables.batch import Assignment, Batch, Work
from trainables.gang import Gang, deal
from trainables.spec import TrialSpec
from trainables.watchdog import Limits, Watchdog

STUDY: dict[str, Any] = {
    "name": "side_by_side",
    "dataset": {"name": "digits", "train_images": 96, "test_images": 64},
    "scale": {"channels": 2, "cells": 1, "epochs": 4, "batch_size": 16},
    "methods": {
        "darts": {"weight_lr": [0.025, 1e30]},
        "drnas": {},
        "cdarts": {},
        "random_ws": {"candidates": 5},
        "gaea": {"level": ["single", "bilevel"]},
    },
    "seeds": 2,
    "evaluate": {"retrain": {"epochs": 2}},
}
"""All that trials of one process could disturb in each other: initial weights, networks built later, divergence."""


def work(store: Path) -> Work:
    prepared = prepare(parse(STUDY), str(store))
    prepared.store.prepare()
    return Work(prepared.study.name, "run", [prepared.plan.trials], prepared.store, prepared.surroundings)


def watchdogs(count: int) -> list[Watchdog]:
    return [Watchdog(Limits(), lambda reason: None) for _ in range(count)]


def run(lanes: list[Batch], enough: Callable[[Batch], bool] = lambda lane: False) -> None:
    """Let them come to their end."""
    gang = Gang(lanes, enough)
    while not gang.wait(1.0):
        pass


def rows(store: Path) -> dict[str, Any]:
    """What the trials determine, by their id."""
    found = Store(store, STUDY["name"])
    columns = [name for name in found.trials.schema.names if name not in VOLATILE]
    trials = found.finished([*columns, "traceback"])
    return {
        trial_id: (
            {name: value for name, value in row.items() if name not in VOLATILE},
            [{k: v for k, v in epoch.items() if k not in VOLATILE} for epoch in found.find_epochs(trial_id)],
        )
        for trial_id, row in trials.items()
    }


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One trial after another."""
    store = tmp_path_factory.mktemp("alone")
    single = Batch(work(store), Assignment(0), watchdogs(1)[0])
    while single.queue:
        single.advance()
    single.save()
    return rows(store)


@pytest.mark.slow
def test_rows_of_a_gang_are_those_of_single_trials(alone: dict[str, Any], tmp_path: Path) -> None:
    lanes = deal(work(tmp_path), Assignment(0), watchdogs(3))
    assert [len(lane.queue) for lane in lanes] == [5, 5, 4]
    run(lanes)
    together = rows(tmp_path)
    assert together == alone
    assert sorted(row["status"] for row, _ in together.values()) == ["diverged"] * 2 + ["ok"] * 12


@pytest.mark.slow
def test_a_gang_that_is_interrupted_goes_on_where_it_was(alone: dict[str, Any], tmp_path: Path) -> None:
    """By lanes dealt anew, and each lane saved at the epoch it had reached."""
    looks: Counter[int] = Counter()

    def enough(lane: Batch) -> bool:
        looks[id(lane)] += 1
        return looks[id(lane)] > 6

    lanes = deal(work(tmp_path), Assignment(0), watchdogs(4))
    run(lanes, enough)
    for lane in lanes:
        lane.leave()
    begun = Store(tmp_path, STUDY["name"])
    assert begun.checkpoints() and 0 < len(begun.finished()) < 14
    run(deal(work(tmp_path), Assignment(0), watchdogs(2)))
    assert rows(tmp_path) == alone


@pytest.mark.slow
def test_a_trial_that_fails_leaves_the_gang_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(spec: TrialSpec, *given: Any) -> Any:
        if spec.method == "drnas":
            raise RuntimeError("CUDA out of memory")
        return restore(spec, *given)

    restore = batch.restore
    monkeypatch.setattr(batch, "restore", failing)
    run(deal(work(tmp_path), Assignment(0), watchdogs(3)))
    status = [row["status"] for row, _ in rows(tmp_path).values()]
    assert status.count("failed") == 2 and status.count("ok") == 10


def test_no_lane_is_empty(tmp_path: Path) -> None:
    assert len(deal(work(tmp_path), Assignment(0), watchdogs(20))) == 14
