"""Faults that travel to the workers with a study's surroundings, and a ledger of every epoch that workers begin."""

from __future__ import annotations

import functools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drills
from ray import cloudpickle, tune

from study.running.runner import Outcome
from trainables.trial import Surroundings, Trial

Fault = Callable[[Trial], None]
"""Is called in the worker before each epoch."""
EPOCH_S = 0.25
"""At least; so that a trial is long enough to be disturbed, on a machine however fast."""
HALF_WAY = 6
"""The epoch that all but one trial wait for, saved, while a ledger is held."""

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not have this folder on their path


@dataclass(frozen=True)
class Sabotaged(Surroundings):
    """Surroundings that bring a fault to every worker which they reach."""

    fault: Fault = lambda trial: None

    def __reduce__(self) -> tuple[Callable[..., Surroundings], tuple[Surroundings, Fault]]:
        return arrive, (Surroundings(self.data, self.benchmark, self.device), self.fault)


def arrive(surroundings: Surroundings, fault: Fault) -> Surroundings:
    original = getattr(Trial.advance, "__wrapped__", Trial.advance)

    @functools.wraps(original)
    def advance(self: Trial) -> None:
        fault(self)
        original(self)

    Trial.advance = advance  # type: ignore[method-assign]
    return surroundings


@dataclass(frozen=True)
class Ledger:
    """A fault that does no harm: it notes each epoch begun, and makes it last.

    While it is held, only the trial that was the first to begin gets beyond the middle; no drill depends on its timing.
    """

    path: Path

    def __call__(self, trial: Trial) -> None:
        epoch = trial.epochs_done + 1
        with self.path.open("a") as file:
            file.write(f"{trial.spec.id} {epoch}\n")
        time.sleep(EPOCH_S)
        while epoch == HALF_WAY and self._hold.exists() and trial.spec.id != self.path.read_text().split()[0]:
            time.sleep(0.05)

    @property
    def _hold(self) -> Path:
        return self.path.with_suffix(".held")

    @contextmanager
    def held(self) -> Iterator[None]:
        self._hold.touch()
        try:
            yield
        finally:
            self._hold.unlink()

    def waiting(self) -> set[str]:
        """Trials that have come to the middle, except the one that may go on."""
        begun = list(self.begun())
        return {trial_id for trial_id, epoch in begun if epoch == HALF_WAY and trial_id != begun[0][0]}

    def begun(self) -> Counter[tuple[str, int]]:
        """(trial id, epoch) -> how often it was begun."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return Counter((line.split()[0], int(line.split()[1])) for line in lines)

    def repeated(self) -> Counter[str]:
        """Trial id -> how many epochs of it were begun again."""
        found: Counter[str] = Counter()
        for (trial_id, _), times in self.begun().items():
            found[trial_id] += times - 1
        return +found


class AtAReport(tune.Callback):
    """In the driver: does something when a worker reports a trial in progress, until it says that it was done."""

    def __init__(self, act: Callable[[dict[str, Any]], bool]) -> None:
        self.act, self.acted = act, False

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles callbacks with its state; this one lives in the driver only

    def __setstate__(self, state: dict[str, Any]) -> None:
        pass

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        if result["running"] and not self.acted:
            self.acted = self.act(result)


def run(
    raw: dict[str, Any], store: Path, address: str, fault: Fault, callbacks: Sequence[tune.Callback] = ()
) -> tuple[Outcome, str]:
    """``nas-study run`` in this process, with the fault in its workers: how it ended and what it said."""
    return drills.run_here(raw, store, address, Sabotaged(fault=fault), callbacks)
