"""A hyperparameter search while it runs: suggestions are made in rounds, run over all seeds, and stopped early or not.

What is suggested and what is stopped depends on the study alone, not on which worker is done first: a round is answered
as a whole and in its order, and a suggestion is judged beside earlier ones only. Run again, a search repeats itself,
and whatever is in the store is answered at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import optuna

from study.config import Search
from study.early_stopping import RULES, rungs
from study.plan import Adaptive, Values
from study.running.dispatch import Result
from trainables.batch import Assignment, suggest
from trainables.hyperparameters import Range, Ranges
from trainables.spec import TrialSpec


@dataclass
class Suggestion:
    """One choice of hyperparameters, with what is known of it. ``signals`` are percent, one a rung reached."""

    number: int
    values: Values
    specs: list[TrialSpec]
    signals: list[float] = field(default_factory=list)
    passed: int = 0
    stopped: str | None = None
    out: bool = False
    over: bool = False
    objective: float = math.nan


class Suggester(Protocol):
    """Where suggestions come from."""

    def ask(self) -> list[Values]:
        """The next round; empty if there is none."""

    def tell(self, found: list[Suggestion], rungs: list[int]) -> None:
        """What came of the round, in its order."""


class Drawn:
    """Random suggestions, drawn when the study was planned: one round."""

    def __init__(self, values: list[Values]) -> None:
        self.values = values

    def ask(self) -> list[Values]:
        values, self.values = self.values, []
        return values

    def tell(self, found: list[Suggestion], rungs: list[int]) -> None:
        """Nothing is learnt."""


class Asked:
    """Optuna's tree-structured Parzen estimator, in rounds of ``search.parallel``."""

    def __init__(self, ranges: Ranges, search: Search) -> None:
        self.left, self.parallel, self.distributions = search.samples, search.parallel, distributions(ranges)
        sampler = optuna.samplers.TPESampler(seed=search.seed)
        self.study = optuna.create_study(sampler=sampler, direction="maximize")

    def ask(self) -> list[Values]:
        size = min(self.parallel, self.left)
        self.left -= size
        self.trials = [self.study.ask(self.distributions) for _ in range(size)]
        return [trial.params for trial in self.trials]

    def tell(self, found: list[Suggestion], rungs: list[int]) -> None:
        for trial, suggestion in zip(self.trials, found, strict=True):
            for epoch, value in zip(rungs, suggestion.signals, strict=False):
                trial.report(value, epoch)
            if suggestion.stopped:
                self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            elif math.isnan(suggestion.objective):
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                self.study.tell(trial, suggestion.objective)


class Suggestions:
    """The source of assignments of one search: each suggestion is one batch over all seeds, run rung by rung."""

    def __init__(
        self, part: Adaptive, search: Search, batch: int, share: float, admit: Callable[[list[TrialSpec]], bool]
    ) -> None:
        """``batch`` holds the part's trials; ``admit`` says whether the trials of another suggestion may be begun."""
        self.part, self.search, self.batch, self.share, self.admit = part, search, batch, share, admit
        self.suggester: Suggester = Asked(part.ranges, search) if part.drawn is None else Drawn(part.drawn)
        self.rungs = rungs(search.scheduler, part.trials[0])
        self.all: list[Suggestion] = []
        self.round: list[Suggestion] = []

    def next(self) -> Assignment | None:
        if all(suggestion.over for suggestion in self.round):
            self._begin_round()
        for suggestion in self.round:
            if not suggestion.out and not suggestion.over and (assignment := self._leg(suggestion)) is not None:
                suggestion.out = True
                return assignment
        return None

    def answer(self, assignment: Assignment, result: Result | None) -> None:
        (suggestion,) = [s for s in self.round if s.out and s.values == assignment.hyperparameters]
        suggestion.out = False
        if result is None or assignment.until is None:
            suggestion.over = True
            suggestion.objective = math.nan if result is None or suggestion.stopped else result["objective"]
        else:
            suggestion.signals.append(result["signal"])

    def missing(self, finished: set[str]) -> int:
        """How many trials of the whole search are not finished."""
        found = sum(spec.id in finished for suggestion in self.all for spec in suggestion.specs)
        return self.search.samples * len(self.part.trials) - found

    def _begin_round(self) -> None:
        if self.round:
            self.suggester.tell(self.round, self.rungs)
        first = len(self.all)
        self.round = [
            Suggestion(number, values, [suggest(spec, values) for spec in self.part.trials])
            for number, values in enumerate(self.suggester.ask(), first)
        ]
        self.all += self.round

    def _leg(self, suggestion: Suggestion) -> Assignment | None:
        """What to do next for a suggestion; None while it has to wait for earlier ones."""
        earlier = self.all[: suggestion.number]
        if any(other.values == suggestion.values and not other.over for other in earlier):
            return None
        rung = len(suggestion.signals) - 1
        if rung == suggestion.passed:
            if not all(other.over or other.stopped or len(other.signals) > rung for other in earlier):
                return None
            self._judge(suggestion, [other.signals[rung] for other in earlier if len(other.signals) > rung])
        if not suggestion.signals and not self.admit(suggestion.specs):
            return None
        until = self.rungs[suggestion.passed] if suggestion.passed < len(self.rungs) else None
        return Assignment(
            self.batch, suggestion.values, None if suggestion.stopped else until, suggestion.stopped, self.share
        )

    def _judge(self, suggestion: Suggestion, earlier: list[float]) -> None:
        scheduler, rung = self.search.scheduler, suggestion.passed
        assert scheduler is not None
        if RULES[scheduler].goes_on(suggestion.signals, earlier):
            suggestion.passed += 1
        else:
            suggestion.stopped = (
                f"stopped by {scheduler} after epoch {self.rungs[rung]}: {suggestion.signals[rung]:.2f} % on "
                f"validation, mean over seeds, was too low beside {len(earlier)} earlier suggestions"
            )


def distributions(ranges: Ranges) -> dict[str, Any]:
    """The declared ranges as Optuna's."""
    found: dict[str, Any] = {}
    for name, choice in ranges.items():
        if not isinstance(choice, Range):
            found[name] = optuna.distributions.CategoricalDistribution(choice)
        elif choice.integer:
            found[name] = optuna.distributions.IntDistribution(int(choice.low), int(choice.high), log=choice.log)
        else:
            found[name] = optuna.distributions.FloatDistribution(choice.low, choice.high, log=choice.log)
    return found
