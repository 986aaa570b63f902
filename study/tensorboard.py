"""Curves of running trials for TensorBoard: what workers report, written by the driver, one folder a trial.

A worker reports after each epoch, or once a second; trials of less than a second leave no curve. The store has every
epoch of every trial.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import tune
from tensorboardX import SummaryWriter


class TensorBoardLogs(tune.Callback):
    """Writes under ``folder``; read them with ``tensorboard --logdir``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writers: dict[str, tuple[str, SummaryWriter]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles callbacks with its state; this one lives in the driver only

    def __setstate__(self, state: dict[str, Any]) -> None:
        pass

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        run = result.get("running")
        if run is None or self.writers.get(trial.trial_id, ("",))[0] != run["trial_id"]:
            self._close(trial.trial_id)
        if run is not None:
            writer = self._writer(trial.trial_id, run)
            for name, value in run["metrics"].items():
                writer.add_scalar(name, value, run["epoch"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self._close(trial.trial_id)

    def _writer(self, batch: str, run: dict[str, Any]) -> SummaryWriter:
        if batch not in self.writers:
            name = f"{run['method']} seed {run['seed']} {run['trial_id']}"
            self.writers[batch] = run["trial_id"], SummaryWriter(str(self.folder / name))
        return self.writers[batch][1]

    def _close(self, batch: str) -> None:
        if batch in self.writers:
            self.writers.pop(batch)[1].close()
