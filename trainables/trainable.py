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
import time
import traceback
from functools import partial
from typing import Any

import ray.actor
from ray import tune

from trainables.batch import Assignment, Batch, Work
from trainables.gang import Gang, deal
from trainables.watchdog import Watchdog

REPORT_EVERY_S = 1.0
"""A step is one epoch, or as many short ones as fit in this time; no trial is saved more often than this either."""


class SearchTrainable(tune.Trainable):
    """config: the fields of an Assignment."""

    def setup(self, config: dict[str, Any], work: Work) -> None:  # type: ignore[override]
        self.work = work
        self.asked_to_leave = False
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self.watchdogs = [Watchdog(work.limits, partial(self._give_up, lane)) for lane in range(work.together)]
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up a batch from its first trial; nothing of the last one is left."""
        self.lanes = deal(self.work, Assignment(**new_config), self.watchdogs)
        self.gang: Gang | None = None
        self.ending = False
        self.reported: set[str] = set()
        return True

    def step(self) -> dict[str, Any]:
        """Advance by an epoch, or by a second of short ones; several lanes go on meanwhile and are looked at."""
        over = self._advance_together() if len(self.lanes) > 1 else self._advance_alone()
        if self.asked_to_leave:
            self.cleanup()
            ray.actor.exit_actor()
        ended = [row for lane in self.lanes for row in list(lane.ended)]
        finished = [row for row in ended if row["trial_id"] not in self.reported]
        self.reported.update(row["trial_id"] for row in finished)
        return {
            "done": over,
            "complete": over,  # Tune sets "done" of trials that it stops
            "finished": finished,
            "running": [run for lane in self.lanes if (run := running(lane)) is not None],
            "objective": mean([value for lane in self.lanes for value in lane.objectives]) if over else math.nan,
            "signal": mean([value for lane in self.lanes for value in lane.signals]) if over else math.nan,
            "stale": [trial_id for lane in self.lanes for trial_id in lane.stale],
            "out_of_memory": any(lane.out_of_memory for lane in self.lanes),
        }

    def cleanup(self) -> None:
        """Let go of the trials that Tune takes this worker away from, at the end of the epochs they are in."""
        self.ending = True
        while self.gang is not None and not self.gang.wait(REPORT_EVERY_S):
            pass
        for lane in self.lanes:
            lane.leave()

    def _advance_alone(self) -> bool:
        """Whether the lane is done."""
        (lane,), until = self.lanes, time.monotonic() + REPORT_EVERY_S
        while lane.queue and time.monotonic() < until and not self.asked_to_leave:
            lane.advance()
        lane.save()
        return not lane.queue

    def _advance_together(self) -> bool:
        """Whether all lanes are done."""
        if self.gang is None:
            self.gang = Gang(self.lanes, lambda lane: self.ending or self.asked_to_leave)
        return self.gang.wait(REPORT_EVERY_S) and not any(lane.queue for lane in self.lanes)

    def _on_sigterm(self, *_: object) -> None:
        self.asked_to_leave = True

    def _give_up(self, lane: int, reason: str) -> None:
        """Record the trial of a lane as failed and end this process. Runs beside the lane's thread, which may be stuck.

        What ended in any lane is written, and what is in progress let go of, so that this is no death of theirs.
        """
        try:
            stack = traceback.format_stack(sys._current_frames()[self.watchdogs[lane].thread])
            self.lanes[lane].give_up(reason, "".join(stack))
            for each in self.lanes:
                each.write_ended()
                each.leave()
        finally:
            os._exit(1)


def running(lane: Batch) -> dict[str, Any] | None:
    """What a lane's trial in progress has come to; None between trials."""
    if (trial := lane.trial) is None:
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


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
