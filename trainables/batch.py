"""A worker's way through a batch: its trials one after another, each one epoch after another. No Ray.

Whatever happens to a trial ends as its row in the store: it finished, failed, diverged, was stopped by the search it
belongs to, or killed its process too often. A trial that is left in the middle has its last epoch in the store.

``save`` is what writes, at the end of each step: so trials of milliseconds, of which a step has many, share a file, and
one of hours has its own as soon as it ends. Until then a trial that ended is claimed like one in progress; where its
process dies first, it is run again, from its last checkpoint to the same row.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from trainables.benchmarks.signal import read_signal
from trainables.checkpoints import restore, serialise
from trainables.errors import StoreError
from trainables.later import torch
from trainables.methods import Diverged, config_of, method_named
from trainables.records import Row, epoch_rows, trial_row, without_what_cannot_be_written
from trainables.secrets import redact
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spec import TrialSpec
from trainables.trial import Surroundings, Trial
from trainables.watchdog import Limits, Watchdog

MOST_ATTEMPTS = 3
"""A trial whose worker process died this often in one run is recorded as failed."""
WAIT_S = 1.0
"""Between two looks at a trial that another worker runs."""
REPORTED = ("trial_id", "method", "config", "seed", "status", "error")
POSTPONED: Row = {"status": "postponed"}
"""Not a row: the trial did not fit into its share of a GPU."""


class TrialStore(Protocol):
    """What a worker needs of the result store."""

    def find(self, trial_id: str) -> Row | None: ...
    def find_epochs(self, trial_id: str) -> list[Row]: ...
    def write(self, finished: Sequence[tuple[Row, list[Row]]]) -> None: ...
    def read_checkpoint(self, trial_id: str) -> bytes | None: ...
    def write_checkpoint(self, trial_id: str, content: bytes) -> None: ...
    def claim(self, trial_id: str, run_id: str) -> int | None: ...
    def holds(self, trial_id: str) -> bool: ...
    def release(self, *trial_ids: str) -> None: ...


@dataclass(frozen=True)
class Work:
    """What all workers of a run share: the batches, and where to read and write."""

    study: str
    run_id: str
    batches: list[list[TrialSpec]]
    store: TrialStore
    surroundings: Surroundings
    objective: str = "cifar10_valid_accuracy"
    """the trial column whose mean over a batch's seeds a hyperparameter search maximises; a failed seed counts as 0"""
    limits: Limits = field(default_factory=Limits)
    together: int = 1
    """how many trials a worker runs side by side"""
    shares_grow: bool = False
    """whether a trial that does not fit into its share of a GPU is handed back, to be run with a larger one"""


@dataclass(frozen=True)
class Assignment:
    """What a worker is given to do: a batch, to its end or up to an epoch. Plain values, for it is a Tune config."""

    batch: int
    """index into Work.batches"""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    """suggested for all of it"""
    until: int | None = None
    """leave each trial saved after this many epochs"""
    stop: str | None = None
    """record each trial as stopped where it is, for this reason"""
    gpu: float = 0.0
    """share of a GPU that each of its trials has to itself"""
    note: str | None = None
    """what the rows of the trials run now are to say about how they ran"""


class Batch:
    """The trials of an assignment, or a ``part`` of them. ``queue`` is what is left, ``trial`` the one in progress."""

    def __init__(self, work: Work, assignment: Assignment, watchdog: Watchdog, part: slice = slice(None)) -> None:
        self.work, self.store, self.assignment, self.watchdog = work, work.store, assignment, watchdog
        suggested = assignment.hyperparameters
        self.queue = [suggest(spec, suggested) if suggested else spec for spec in work.batches[assignment.batch][part]]
        self.trial: Trial | None = None
        self.claimed = ""
        """the id of the trial at hand"""
        self.saved_epochs = 0
        self.unwritten: list[tuple[Row, list[Row]]] = []
        """the rows, and those of the epochs, of the trials that ended since the last ``save``"""
        self._writing = threading.Lock()
        self.ended: list[Row] = []
        """what is REPORTED of the trials whose row is in the store"""
        self.stale: list[str] = []
        """trials that an earlier search stopped before the epoch they are wanted at: their rows have to go first"""
        self.out_of_memory = False
        """whether some trials need a larger share of a GPU"""
        self._deferred: set[str] = set()
        self.objectives: list[float] = []
        """of the trials so far; a failed one counts as 0"""
        self.signals: list[float] = []
        """the anytime signal of the trials so far at the epoch asked for; a failed one counts as 0"""

    def advance(self) -> None:
        """One epoch of the trial at hand. Only the store may raise."""
        spec = self.queue[0]
        if self.trial is None and not self._take_on(spec):
            return
        if not self.store.holds(self.claimed):
            self._defer()
            return
        failure = self._run(spec)
        if failure is POSTPONED:
            self.out_of_memory = True
            self._hand_back()
            torch.cuda.empty_cache()
        elif failure is not None:
            self._finish(failure)
        elif self.assignment.stop:
            self._finish({"status": "stopped", "error": self.assignment.stop})
        elif self.trial is not None and self.trial.finished:
            self._finish({"status": "ok"})
        elif self.trial is not None and self._is_paused():
            self.save()
            self._add_signal(spec, self.trial.epochs)
            self._hand_back()

    def save(self) -> None:
        """Put into the store what is new: the trials that ended, what the one in progress has done."""
        self.write_ended()
        if self.trial is not None and self.trial.epochs_done > self.saved_epochs:
            self.store.write_checkpoint(self.trial.spec.id, serialise(self.trial))
            self.saved_epochs = self.trial.epochs_done

    def write_ended(self) -> None:
        """Put the trials that ended into the store. The watchdog may do so beside the lane's own thread."""
        with self._writing:
            if ended := list(self.unwritten):
                rows = written(self.store, ended)
                del self.unwritten[: len(ended)]
                for row in rows:
                    self._count(row)

    def leave(self) -> None:
        """Let go of the trial in progress, whose epochs are saved, and of what could not be written, for any worker."""
        in_progress = [] if self.trial is None else [self.trial.spec.id]
        self.store.release(*in_progress, *(row["trial_id"] for row, _ in self.unwritten))
        self.trial, self.unwritten = None, []

    def give_up(self, reason: str, stack: str) -> None:
        """End the trial at hand as failed. For the watchdog, while ``advance`` is stuck at ``stack``."""
        self._finish({"status": "failed", "error": reason, "traceback": redact(stack)})

    def _take_on(self, spec: TrialSpec) -> bool:
        """Claim a trial; False if nothing is to be run for it now: the store has it, another runs it, it kills us."""
        self.claimed = spec.id
        attempts = self.store.claim(self.claimed, self.work.run_id)
        if (row := self.store.find(self.claimed)) is not None:
            self._recall(spec, row)
            self._hand_back()
        elif attempts is None:
            self._defer()
        elif attempts > MOST_ATTEMPTS:
            reason = f"the worker process died {MOST_ATTEMPTS} times while it ran this trial"
            self._finish({"status": "failed", "error": reason})
        else:
            if attempts > 1:
                self.write_ended()  # no other trial is to suffer, and be counted, if this is what killed the process
            return True
        return False

    def _recall(self, spec: TrialSpec, row: Row) -> None:
        """Count a trial that is in the store, unless it was stopped there and is wanted further now."""
        until = self.assignment.until
        stopped = row["status"] == "stopped" and not self.assignment.stop
        epochs = self.store.find_epochs(spec.id) if stopped or until is not None else []
        if stopped and (until is None or len(epochs) < until):
            self.stale.append(spec.id)
        else:
            self._add_signal(spec, epochs)
            self._count(row)

    def _run(self, spec: TrialSpec) -> Row | None:
        """Take up the trial, run an epoch of it; returns what its row says if it failed."""
        spent_s = self.trial.search_wall_s + self.trial.retrain_wall_s if self.trial else 0.0
        with self.watchdog.watching(spent_s):
            try:
                if self.trial is None:
                    self.trial = restore(spec, self.work.surroundings, self.store.read_checkpoint(spec.id))
                    self.saved_epochs = self.trial.epochs_done
                if not (self.assignment.stop or self.trial.finished or self._is_paused()):
                    self.trial.advance()
            except Exception as error:
                if is_out_of_memory(error) and self.work.shares_grow and self.assignment.gpu < 1:
                    return POSTPONED
                return outcome(error)
        return None

    def _is_paused(self) -> bool:
        until = self.assignment.until
        return until is not None and self.trial is not None and len(self.trial.epochs) >= until

    def _hand_back(self) -> None:
        """This assignment is over with the trial at hand."""
        self.store.release(self.queue.pop(0).id)
        self.trial = None

    def _defer(self) -> None:
        """Leave a trial that another worker runs for the end of the queue; wait where there is nothing else to do."""
        self.trial, spec = None, self.queue.pop(0)
        if spec.id in self._deferred:
            time.sleep(WAIT_S)
            self._deferred.clear()
        self._deferred.add(spec.id)
        self.queue.append(spec)

    def _finish(self, result: Row) -> None:
        """Look up what the trial at hand came to: its row and its epochs, which are to be written."""
        spec, epochs = self.queue[0], self.trial.epochs if self.trial else []
        table = self.work.surroundings.table()
        known = {"notes": self.assignment.note, "gpu_share": self.assignment.gpu / self.work.together}
        outcome = known | (self.trial.record() if self.trial else {}) | result
        self.unwritten.append((trial_row(spec, self.work.study, outcome, table), epoch_rows(spec, epochs, table)))
        self._add_signal(spec, epochs)
        self.queue.pop(0)
        self.trial = None

    def _count(self, row: Row) -> None:
        self.ended.append({name: row[name] for name in REPORTED})
        self.objectives.append(row.get(self.work.objective) or 0.0)

    def _add_signal(self, spec: TrialSpec, epochs: list[Row]) -> None:
        if self.assignment.until is not None:
            self.signals.append(signal_at(self.assignment.until, spec, epochs, self.work.surroundings))


def written(store: TrialStore, ended: list[tuple[Row, list[Row]]]) -> list[Row]:
    """Put trials into the store, or of one what can be written and why no more; returns their rows."""
    try:
        store.write(ended)
    except StoreError:
        raise
    except Exception as error:  # would meet every worker that comes to write this
        if len(ended) > 1:
            return [row for one in ended for row in written(store, [one])]
        row = without_what_cannot_be_written(ended[0][0], error)
        store.write([(row, [])])
        return [row]
    return [row for row, _ in ended]


def suggest(spec: TrialSpec, values: dict[str, Any]) -> TrialSpec:
    """The trial at suggested hyperparameters, typed as the method declares them."""
    suggested = spec.with_hyperparameters(values)
    return spec.model_copy(update={"hyperparameters": config_of(suggested).stated()})


def signal_at(epoch: int, spec: TrialSpec, epochs: list[Row], surroundings: Surroundings) -> float:
    """The anytime signal in percent after ``epoch`` epochs; 0 for a trial that did not come so far.

    It is what the search itself sees, never a test accuracy: the supernet's accuracy on held-out images, or of the best
    cell so far the validation accuracy that a searcher of the table reads.
    """
    if len(epochs) < epoch:
        return 0.0
    row, method = epochs[epoch - 1], method_named(spec.method)
    if spec.scale is not None:
        return float(row["valid_accuracy"])
    seen = read_signal(surroundings.table(), spec.dataset.name, method.signal_epochs(config_of(spec)))
    return float(seen.accuracy[Genotype.from_string(row["genotype"]).index])


def outcome(error: Exception) -> Row:
    """Status and reason of a trial that raised."""
    status = "diverged" if isinstance(error, Diverged) else "failed"
    name = "" if isinstance(error, Diverged) else f"{type(error).__name__}: "
    reason = f"{name}{error}".splitlines()[0] if str(error) else type(error).__name__
    return {"status": status, "error": redact(reason), "traceback": redact("".join(traceback.format_exception(error)))}


def is_out_of_memory(error: Exception) -> bool:
    """Whether a GPU's memory was too small; the driver and cuDNN say so in words only."""
    signs = ("CUDA out of memory", "CUDA error: out of memory", "ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
