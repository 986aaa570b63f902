"""The one Ray trainable: a worker that runs a batch of trials, one epoch after another.

A trial is the unit of record, a Tune trial (a batch) the unit of scheduling: searches of milliseconds or seconds travel
together, so that starting and stopping workers costs little. Results, failures and checkpoints stay per trial, in the
store; Tune's own checkpoints are not used, because resuming from them can repeat trials that had finished.
"""

from __future__ import annotations

import io
import math
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import torch
from ray import tune

from trainables.methods import Diverged, method_named
from trainables.spec import TrialSpec
from trainables.trial import Row, Surroundings, Trial, look_up

REPORT_EVERY_S = 1.0
"""A step is one epoch, or as many short ones as fit in this time; no trial is saved more often than this either."""
MOST_ATTEMPTS = 3
"""A trial whose worker process died this often in one run is recorded as failed."""


class TrialStore(Protocol):
    """What a worker needs of the result store."""

    def merged(self) -> dict[str, str]: ...
    def find(self, trial_id: str, merged: dict[str, str]) -> Row | None: ...
    def write(self, trial: Row, epochs: list[Row]) -> None: ...
    def read_checkpoint(self, trial_id: str) -> bytes | None: ...
    def write_checkpoint(self, trial_id: str, content: bytes) -> None: ...
    def count_attempt(self, trial_id: str, run_id: str) -> int: ...


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


class SearchTrainable(tune.Trainable):
    """config: {"batch": index into Work.batches, "hyperparameters": values suggested for all of it, or absent}."""

    def setup(self, config: dict[str, Any], work: Work) -> None:  # type: ignore[override]
        self.work = work
        self.begin(config)

    def begin(self, config: dict[str, Any]) -> None:
        """Take up a batch from its first trial."""
        specs = self.work.batches[config["batch"]]
        suggested = config.get("hyperparameters", {})
        self.queue = [suggest(spec, suggested) if suggested else spec for spec in specs]
        self.merged = self.work.store.merged()
        self.objectives: list[float] = []
        self.trial: Trial | None = None
        self.saved_at = 0.0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Reuse this worker for another batch; nothing of the last one is left."""
        self.begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Advance by an epoch, or by a second of short ones."""
        until = time.monotonic() + REPORT_EVERY_S
        finished: list[Row] = []
        while self.queue and time.monotonic() < until:
            row = self._advance(self.queue[0])
            if row is not None:
                finished.append({key: row[key] for key in ("trial_id", "method", "config", "seed", "status", "error")})
                self.queue.pop(0)
                self.trial = None
        return {
            "done": not self.queue,
            "finished": finished,
            "running": self._running(),
            "objective": math.nan if self.queue else sum(self.objectives) / len(self.objectives),
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: every trial is in the store after each epoch."""

    def load_checkpoint(self, checkpoint_dir: Any) -> None:
        """Nothing: ``begin`` finds in the store what is finished and where to go on."""

    def _running(self) -> dict[str, Any] | None:
        if self.trial is None:
            return None
        spec, last = self.trial.spec, self.trial.epochs[-1] if self.trial.epochs else {}
        return {
            "trial_id": spec.id,
            "method": spec.method,
            "seed": spec.seed,
            "epoch": self.trial.epochs_done,
            "epochs": self.trial.epochs_in_all,
            "valid_accuracy": last.get("valid_accuracy"),
        }

    def _advance(self, spec: TrialSpec) -> Row | None:
        """One epoch of a trial; its row once it is finished, failed or diverged. Only the store may raise."""
        store = self.work.store
        if self.trial is None and (earlier := store.find(spec.id, self.merged)) is not None:
            return self._count(earlier)
        if self.trial is None and store.count_attempt(spec.id, self.work.run_id) > MOST_ATTEMPTS:
            reason = f"the worker process died {MOST_ATTEMPTS} times while it ran this trial"
            return self._finish(spec, {"status": "failed", "error": reason}, [])
        try:
            if self.trial is None:
                self.trial = restore(spec, self.work.surroundings, store.read_checkpoint(spec.id))
                self.saved_at = time.monotonic()
            if not self.trial.finished:
                self.trial.advance()
        except Exception as error:
            epochs = self.trial.epochs if self.trial else []
            return self._finish(spec, outcome(error) | (self.trial.record() if self.trial else {}), epochs)
        if self.trial.finished:
            return self._finish(spec, {"status": "ok"} | self.trial.record(), self.trial.epochs)
        if time.monotonic() - self.saved_at >= REPORT_EVERY_S:
            store.write_checkpoint(spec.id, serialise(self.trial))
            self.saved_at = time.monotonic()
        return None

    def _finish(self, spec: TrialSpec, result: Row, epochs: list[Row]) -> Row:
        table = self.work.surroundings.table()
        row = describe(spec, self.work.study) | {"error": None, "finished_at": datetime.now(UTC)} | result
        row["table_fingerprint"] = table.fingerprint
        row |= {name: values[0] for name, values in look_up(table, [row.get("genotype")]).items()}
        looked_up = look_up(table, [epoch["genotype"] for epoch in epochs])
        means = {name: values for name, values in looked_up.items() if "_seed" not in name}
        for index, epoch in enumerate(epochs):
            epoch |= {name: values[index] for name, values in means.items()}
        self.work.store.write(row, epochs)
        return self._count(row)

    def _count(self, row: Row) -> Row:
        self.objectives.append(row.get(self.work.objective) or 0.0)
        return row


def suggest(spec: TrialSpec, values: dict[str, Any]) -> TrialSpec:
    """The trial at suggested hyperparameters, typed as the method declares them."""
    config = method_named(spec.method).Config.parse(spec.method, {**spec.hyperparameters, **values})
    return spec.with_hyperparameters(config.model_dump())


def restore(spec: TrialSpec, surroundings: Surroundings, checkpoint: bytes | None) -> Trial:
    """The trial at its checkpoint, or at its beginning if there is none."""
    trial = Trial(spec, surroundings)
    if checkpoint is not None:
        trial.load_state_dict(torch.load(io.BytesIO(checkpoint), map_location="cpu", weights_only=True))
    return trial


def serialise(trial: Trial) -> bytes:
    """A checkpoint that loads without executing code."""
    buffer = io.BytesIO()
    torch.save(trial.state_dict(), buffer)
    return buffer.getvalue()


def outcome(error: Exception) -> Row:
    """Status and reason of a trial that raised."""
    status = "diverged" if isinstance(error, Diverged) else "failed"
    name = "" if isinstance(error, Diverged) else f"{type(error).__name__}: "
    reason = f"{name}{error}".splitlines()[0] if str(error) else type(error).__name__
    return {"status": status, "error": reason, "traceback": traceback.format_exc()}


def describe(spec: TrialSpec, study: str) -> Row:
    """The columns of a trial row that its specification determines."""
    method = method_named(spec.method)
    config = method.Config.parse(spec.method, spec.hyperparameters)
    return {
        "trial_id": spec.id,
        "study": study,
        "method": spec.method,
        "method_version": spec.method_version,
        "config": changed(spec),
        "space": spec.space,
        "dataset": spec.dataset.name,
        "image_size": spec.dataset.image_size,
        "train_images": spec.dataset.train_images,
        "dataset_fingerprint": spec.dataset_fingerprint,
        "protocol": method.protocol(config),
        "channels": spec.scale and spec.scale.channels,
        "cells": spec.scale and spec.scale.cells,
        "epochs": method.planned_epochs(config, spec.scale),
        "batch_size": spec.scale and spec.scale.batch_size,
        "seed": spec.seed,
        "retrain_epochs": spec.retrain and spec.retrain.epochs,
        **{f"hp.{name}": value for name, value in spec.hyperparameters.items()},
    }


def changed(spec: TrialSpec) -> str:
    """The hyperparameters that differ from the method's defaults, as "name=value, name=value"."""
    defaults = method_named(spec.method).Config().model_dump()
    differing = {k: v for k, v in spec.hyperparameters.items() if defaults[k] != v}
    return ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in differing.items())
