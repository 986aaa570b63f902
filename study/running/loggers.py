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
        self.writers: dict[str, dict[str, SummaryWriter]] = {}
        """by worker: the curves of its trials in progress"""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles callbacks with its state; this one lives in the driver only

    def __setstate__(self, state: dict[str, Any]) -> None:
        pass

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        runs = {run["trial_id"]: run for run in result.get("running", [])}
        writers = self.writers.setdefault(trial.trial_id, {})
        for gone in set(writers).difference(runs):
            writers.pop(gone).close()
        for trial_id, run in runs.items():
            if trial_id not in writers:
                writers[trial_id] = SummaryWriter(str(self.folder / f"{run['method']} seed {run['seed']} {trial_id}"))
            for name, value in run["metrics"].items():
                writers[trial_id].add_scalar(name, value, run["epoch"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        for writer in self.writers.pop(trial.trial_id, {}).values():
            writer.close()
