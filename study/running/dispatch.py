"""What runs next: hands Tune the batches of a run one by one, so that only a few are ever waiting.

A source knows which assignments there are and what follows from their results: the fixed batches of a plan, or the
suggestions of a hyperparameter search (study/running/suggestions.py). All sources of a run share one run of Tune and
its workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from ray.tune.search import Searcher

from study.running.stopping import Stop
from trainables.batch import Assignment

Result = dict[str, Any]
"""What a worker reports last of an assignment (SearchTrainable.step)."""


class Source(Protocol):
    """Assignments, some of which may depend on the results of others."""

    def next(self) -> Assignment | None:
        """The next assignment; None if there is none, or none before an answer to those that are out."""

    def answer(self, assignment: Assignment, result: Result | None) -> None:
        """What came of one; None if its workers died too often."""


class Fixed:
    """Batches that are known from the start."""

    def __init__(self, shares: Sequence[float]) -> None:
        """One batch for each share of a GPU, numbered in this order."""
        self.waiting = deque(Assignment(batch, gpu=share) for batch, share in enumerate(shares))

    def next(self) -> Assignment | None:
        return self.waiting.popleft() if self.waiting else None

    def answer(self, assignment: Assignment, result: Result | None) -> None:
        """Nothing follows."""


class Dispatcher(Searcher):
    """Tune asks it for the next config and tells it what came out."""

    def __init__(self, sources: list[Source], stop: Stop, forget: Callable[[list[str]], None]) -> None:
        """``forget`` removes trials from the store that are wanted again, further than an earlier search let them."""
        super().__init__()
        self.sources, self.stop, self.forget = sources, stop, forget
        self.out: dict[str, tuple[Source, Assignment]] = {}
        self.again: deque[tuple[Source, Assignment]] = deque()

    def suggest(self, trial_id: str) -> Any:
        """The next config, None while answers are awaited, or Searcher.FINISHED."""
        chosen = None if self.stop.requested else self._choose()
        if chosen is not None:
            self.out[trial_id] = chosen
            return asdict(chosen[1])
        return None if self.out and not self.stop.requested else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Result | None = None, error: bool = False) -> None:
        source, assignment = self.out.pop(trial_id)
        if error or result is None or not result["complete"]:
            if not self.stop.requested:
                source.answer(assignment, None)
        elif result["stale"]:
            self.forget(result["stale"])
            self.again.append((source, assignment))
        elif result["out_of_memory"]:
            self.again.append((source, larger(assignment)))
        else:
            source.answer(assignment, result)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is finished is known from the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, likewise."""

    def _choose(self) -> tuple[Source, Assignment] | None:
        if self.again:
            return self.again.popleft()
        for source in self.sources:
            if (assignment := source.next()) is not None:
                return source, assignment
        return None


def larger(assignment: Assignment) -> Assignment:
    """The same with twice the share of a GPU; the trials that are in the store by now will be found there."""
    share = min(1.0, 2 * assignment.gpu)
    note = f"ran out of memory with {assignment.gpu:g} of a GPU, repeated with {share:g}"
    return replace(assignment, gpu=share, note="; ".join(filter(None, (assignment.note, note))))
