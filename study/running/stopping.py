"""Ending a run early without losing anything: a signal, the end of its time or of the trials it may take, a full store.

A step of a worker ends with everything in the store, so stopping is waiting for the steps under way and starting no
others. A second signal does not wait: then the epochs under way are lost, and run again next time.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler

from study.running.failures import failures
from trainables.spec import TrialSpec

STORE_FAILURES = 3
"""When the workers of a batch failed so often in a row because of the store, the run ends: others would fail, too."""
SETUP_FAILURES = 3
"""When so many workers could not even be set up, and no other was, the run ends: all of them lack something."""


@dataclass(frozen=True)
class Budget:
    """What one run may take; None is no limit."""

    max_hours: float | None = None
    """after which the epochs under way are finished and saved, and no others begun"""
    max_trials: int | None = None
    """trials taken up in this run and run to their end; a suggestion of a search is taken up whole or not at all"""


class Stop:
    """Whether a run is to end before its work is done, and why."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.deadline = None if budget.max_hours is None else time.monotonic() + 3600 * budget.max_hours
        self.trials_left = budget.max_trials
        self.reason: str | None = None
        """why trials are left, once some are"""
        self.requested = False
        """whether to end now; trials that were taken up are else run to their end"""
        self.mistake: str | None = None
        """what the user has to mend before any trial can run"""

    def take(self, trials: list[TrialSpec]) -> list[TrialSpec]:
        """The first of the trials, as many as may be taken up."""
        taken = trials[: self.trials_left]
        if len(taken) < len(trials):
            self.reason = f"--max-trials {self.budget.max_trials} is reached"
        if self.trials_left is not None:
            self.trials_left -= len(taken)
        return taken

    def take_whole(self, trials: list[TrialSpec]) -> bool:
        """Take up all of the trials or none."""
        if self.trials_left is not None and len(trials) > self.trials_left:
            self.reason = f"--max-trials {self.budget.max_trials} is reached"
            return False
        self.take(trials)
        return True

    def check_time(self) -> None:
        """Request the end if the run's time is over."""
        if self.deadline is not None and time.monotonic() > self.deadline and not self.requested:
            self.request(f"--max-hours {self.budget.max_hours:g} is over")

    def request(self, reason: str) -> None:
        self.reason, self.requested = reason, True

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block SIGINT and SIGTERM request the end; a second one raises KeyboardInterrupt."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, *_: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.request(f"got {signal.Signals(number).name}")


class Fifo(FIFOScheduler):
    """First in, first out, until the end is requested.

    Tune's own class scans all trials for each decision; its controller starts waiting ones by itself.
    """

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self.stop = stop
        self.never_set_up = 0
        self.reported = False

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        self.stop.check_time()
        if self.stop.requested:
            for trial in list(tune_controller.get_live_trials()):
                if trial.status == TuneTrial.PENDING:
                    tune_controller.stop_trial(trial)

    def on_trial_error(self, tune_controller: Any, trial: TuneTrial) -> None:
        last = failures(trial)[-STORE_FAILURES:]
        self.never_set_up += last[-1].at_setup
        if self.never_set_up >= SETUP_FAILURES and not self._any_is_set_up(tune_controller) and not self.stop.mistake:
            self.stop.mistake = (
                f"workers must have what a trial needs, but {self.never_set_up} of them could not even be set up "
                f"({last[-1].reason}); see that the same packages are installed on all hosts, and run the same command"
            )
            self.stop.request(self.stop.mistake)
        if len(last) == STORE_FAILURES and all(failure.mendable for failure in last) and not self.stop.requested:
            self.stop.request(last[-1].reason)

    def _any_is_set_up(self, tune_controller: Any) -> bool:
        return self.reported or any(t.status == TuneTrial.RUNNING for t in tune_controller.get_live_trials())

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        self.reported = True
        return self.STOP if self.stop.requested else self.CONTINUE
