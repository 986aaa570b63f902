"""Curves of running trials, as TensorBoard would read them."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tensorboardX.proto.event_pb2 import Event

from study.running.loggers import TensorBoardLogs


def scalars(folder: Path) -> list[tuple[str, int, float]]:
    """(name, epoch, value) of all events in the records of a folder: length, checksum, event, checksum."""
    found = []
    for path in folder.glob("events*"):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            event = Event.FromString(content[place + 12 : place + 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            place += 12 + length + 4
    return found


def test_a_curve_a_trial_though_a_batch_has_many(tmp_path: Path) -> None:
    logs, batch = TensorBoardLogs(tmp_path), SimpleNamespace(trial_id="batch")
    for trial_id, epoch, accuracy in (("a", 1, 10.0), ("a", 2, 20.0), ("b", 1, 5.0), (None, 0, 0.0)):
        runs: list[dict[str, Any]] = []
        if trial_id is not None:
            metrics = {"valid": accuracy}
            runs = [{"trial_id": trial_id, "method": "darts", "seed": 0, "epoch": epoch, "metrics": metrics}]
        logs.on_trial_result(1, [], batch, {"running": runs})
    logs.on_trial_complete(1, [], batch)
    assert not logs.writers
    assert scalars(tmp_path / "darts seed 0 a") == [("valid", 1, 10.0), ("valid", 2, 20.0)]
    assert scalars(tmp_path / "darts seed 0 b") == [("valid", 1, 5.0)]
