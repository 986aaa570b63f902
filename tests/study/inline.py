"""Runs a plan in this process: the dispatcher and the batches are the real ones, only Ray is left out."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from study.loading import parse
from study.preparation import prepare
from study.running.dispatch import Dispatcher, Fixed, Result
from study.running.stopping import Budget, Stop
from study.running.suggestions import Suggestions
from trainables.batch import Assignment, Batch, Work
from trainables.trainable import mean
from trainables.watchdog import Limits, Watchdog


class Inline:
    """One run of a study. ``slots`` assignments are out at once, and come back in a random order.

    ``in_a_step`` trials of an assignment end within one step of the worker.
    """

    def __init__(
        self, raw: dict[str, Any], store: Path, budget: Budget | None = None, share: float = 0.0, in_a_step: int = 1
    ) -> None:
        self.in_a_step = in_a_step
        self.prepared = prepare(parse(raw), str(store))
        self.prepared.store.prepare()
        plan, search = self.prepared.plan, self.prepared.study.search
        self.stop = Stop(budget or Budget())
        over = {i for i, row in self.prepared.store.finished().items() if row["status"] != "stopped"}
        todo = self.stop.take([spec for spec in plan.trials if spec.id not in over])
        self.searches = [
            Suggestions(
                part,
                search,
                1 + number,
                share,
                lambda specs: self.stop.take_whole([s for s in specs if s.id not in over]),
            )
            for number, part in enumerate(plan.adaptive)
        ]
        self.work = Work(
            self.prepared.study.name, "run", [todo, *(part.trials for part in plan.adaptive)], self.prepared.store,
            self.prepared.surroundings, search.objective if search else "cifar10_valid_accuracy", shares_grow=share > 0,
        )  # fmt: skip
        fixed = [Fixed([share])] if todo else []
        self.dispatcher = Dispatcher([*fixed, *self.searches], self.stop, self.prepared.store.remove)
        self.assignments: list[Assignment] = []
        self.epochs = 0

    def run(self, slots: int = 2, seed: int = 0) -> Inline:
        order, out, number = random.Random(seed), [], 0
        while True:
            config = self.dispatcher.suggest(str(number)) if len(out) < slots else None
            if isinstance(config, dict):
                out.append((str(number), Assignment(**config)))
                number += 1
            elif config is not None and not out:
                return self
            else:
                assert out, "nothing is out, yet the dispatcher waits"
                name, assignment = out.pop(order.randrange(len(out)))
                self.assignments.append(assignment)
                self.dispatcher.on_trial_complete(name, self.result(assignment))

    def result(self, assignment: Assignment) -> Result:
        """What a worker would report last."""
        batch = Batch(self.work, assignment, Watchdog(Limits(), lambda reason: None))
        while batch.queue:
            batch.advance()
            if len(batch.unwritten) == self.in_a_step:
                batch.save()
        batch.save()
        return {
            "complete": True, "objective": mean(batch.objectives), "signal": mean(batch.signals), "stale": batch.stale,
            "out_of_memory": batch.out_of_memory,
        }  # fmt: skip
