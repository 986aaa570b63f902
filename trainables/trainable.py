"""The one Ray trainable: a worker that runs batches of trials.

A trial is the unit of record, a Tune trial (a batch) the unit of scheduling: searches of milliseconds or seconds travel
together, so that starting and stopping workers costs little. Results, failures and checkpoints stay per trial, in the
store; there are no checkpoints of Tune's: resuming from them can repeat trials that had finished.

A step ends with everything it did in the store, so a worker may be left after any step without losing anything. A
worker that gets SIGTERM (its host is about to be taken away) leaves by itself after the epoch under way; Tune then
starts another one, which goes on from there.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any

import ray.actor
from ray import tune

from trainables.batch import Assignment, Batch, Work
from trainables.watchdog import Watchdog

REPORT_EVERY_S = 1.0
"""A step is one epoch, or as many short ones as fit in this time; no trial is saved more often than this either."""


class SearchTrainable(tune.Trainable):
    """config: the fields of an Assignment."""

    def setup(self, config: dict[str, Any], work: Work) -> None:  # type: ignore[override]
        self.work = work
        self.asked_to_leave = False
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self.watchdog = Watchdog(work.limits, self._give_up)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up a batch from its first trial; nothing of the last one is left."""
        self.batch = Batch(self.work, Assignment(**new_config), self.watchdog)
        self.reported = 0
        return True

    def step(self) -> dict[str, Any]:
        """Advance by an epoch, or by a second of short ones."""
        batch, until = self.batch, time.monotonic() + REPORT_EVERY_S
        while batch.queue and time.monotonic() < until and not self.asked_to_leave:
            batch.advance()
        batch.save()
        if self.asked_to_leave:
            batch.leave()
            ray.actor.exit_actor()
        finished, self.reported = batch.ended[self.reported :], len(batch.ended)
        return {
            "done": not batch.queue,
            "complete": not batch.queue,  # Tune sets "done" of trials that it stops
            "finished": finished,
            "running": self._running(),
            "objective": math.nan if batch.queue else batch.objective(),
            "signal": math.nan if batch.queue else batch.signal(),
            "stale": batch.stale,
            "out_of_memory": batch.out_of_memory,
        }

    def cleanup(self) -> None:
        """Let go of the trial that Tune takes this worker away from."""
        self.batch.leave()

    def _running(self) -> dict[str, Any] | None:
        if (trial := self.batch.trial) is None:
            return None
        last = trial.epochs[-1] if trial.epochs and trial.retraining is None else {}
        return {
            "trial_id": trial.spec.id,
            "method": trial.spec.method,
            "seed": trial.spec.seed,
            "epoch": trial.epochs_done,
            "epochs": trial.epochs_in_all,
            "valid_accuracy": last.get("valid_accuracy"),
            "metrics": {name: value for name, value in last.items() if isinstance(value, float)},
        }

    def _on_sigterm(self, *_: object) -> None:
        self.asked_to_leave = True

    def _give_up(self, reason: str) -> None:
        """Record the trial at hand as failed and end this process. Runs beside the main thread, which may be stuck."""
        try:
            stack = traceback.format_stack(sys._current_frames()[threading.main_thread().ident or 0])
            self.batch.give_up(reason, "".join(stack))
        finally:
            os._exit(1)
