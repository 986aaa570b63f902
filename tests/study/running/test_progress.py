"""What a run shows of its trials while they run."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from study.running.progress import ProgressDisplay, describe
from study.running.stopping import Budget, Stop


@pytest.mark.parametrize(("epochs", "share", "words"), [(14, 0.5, "epoch 7/14"), (None, 0.0, "epoch 7")])
def test_a_trial_counts_by_its_share_where_its_length_is_known(epochs: int | None, share: float, words: str) -> None:
    """A search bounded by simulated time knows its length at its end only."""
    running: dict[str, Any] = {"method": "tpe", "seed": 3, "epoch": 7, "epochs": epochs, "valid_accuracy": None}
    display = ProgressDisplay(Console(file=io.StringIO()), 5, done={"a", "b"}, stop=Stop(Budget()))
    display.on_trial_result(1, [], SimpleNamespace(trial_id="t"), {"running": [running]})
    assert display.bar.tasks[0].completed == 2 + share
    assert describe(running) == f"tpe seed 3: {words}"
