"""Early stopping of a hyperparameter search: which suggestions are worth running to their end.

At a few epochs, the rungs, a suggestion's anytime signal is compared with those of earlier suggestions at the same
rung. The signal is what the search itself sees, mean over the study's seeds: validation accuracy of the supernet, or of
a table searcher's best cell. A test accuracy is never looked at.

    asha    goes on if it is among the best third of all values at this rung so far (Li et al., "A System for Massively
            Parallel Hyperparameter Tuning", MLSys 2020, arXiv:1810.05934, in the form that stops instead of promoting);
            rungs at 1/3, 1/9 and 1/27 of the epochs, but not before epoch 3
    median  goes on if the best of its values so far is at least the median of the earlier ones at this rung, once there
            are five of them (Golovin et al., "Google Vizier", KDD 2017; the form of Optuna's MedianPruner); rungs at
            every fifth of the epochs

Two differences from the usual implementations:
1. "Earlier" means suggested earlier, not arrived earlier. A suggestion waits at a rung until all before it have passed
   it or were stopped (its slot runs others meanwhile), so what is stopped depends on the study alone, never on timing;
   running again repeats the same decisions, and adding suggestions changes none.
2. A suggestion is stopped as a whole, all seeds together. Stopping single seeds would leave the mean over the lucky
   ones; for the same reason a study of seeds, without ranges to search, is never stopped early.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Protocol

from trainables.errors import ConfigError
from trainables.hyperparameters import MethodConfig, Ranges
from trainables.methods import config_of, method_named
from trainables.spaces import space_named
from trainables.spec import TrialSpec

REDUCTION = 3
FIRST_EPOCH = 3
FIFTHS = 5
MEDIAN_OF = 5


class Rule(Protocol):
    """Values are percent, one a rung."""

    def rungs(self, epochs: int) -> list[int]:
        """The epochs after which a search of so many epochs is judged."""

    def goes_on(self, own: Sequence[float], earlier: Sequence[float]) -> bool:
        """Whether to go on with ``own`` values up to this rung, ``earlier`` being others at this rung."""


class Asha:
    """Successive halving without waiting for those that come later."""

    def rungs(self, epochs: int) -> list[int]:
        found = [-(-epochs // REDUCTION**halvings) for halvings in (3, 2, 1)]
        return [epoch for epoch in dict.fromkeys(found) if FIRST_EPOCH <= epoch < epochs]

    def goes_on(self, own: Sequence[float], earlier: Sequence[float]) -> bool:
        places = max(1, (len(earlier) + 1) // REDUCTION)
        return sum(value > own[-1] for value in earlier) < places


class Median:
    """Below the median of the others at the same age is too low."""

    def rungs(self, epochs: int) -> list[int]:
        found = [epochs * fifth // FIFTHS for fifth in range(1, FIFTHS)]
        return [epoch for epoch in dict.fromkeys(found) if epoch >= 1]

    def goes_on(self, own: Sequence[float], earlier: Sequence[float]) -> bool:
        return len(earlier) < MEDIAN_OF or max(own) >= median(earlier)


RULES: dict[str, Rule] = {"asha": Asha(), "median": Median()}


def rungs(scheduler: str | None, spec: TrialSpec) -> list[int]:
    """The epochs after which suggestions of such trials are judged; none without a scheduler."""
    epochs = epochs_with_signal(spec, config_of(spec))
    return [] if scheduler is None or epochs is None else RULES[scheduler].rungs(epochs)


def epochs_with_signal(spec: TrialSpec, config: MethodConfig) -> int | None:
    """How many epochs of the search record what it sees; None where only its course can tell.

    Those that train the supernet, though some methods go on after them; each query of a searcher of the table.
    """
    if spec.scale is not None:
        return spec.scale.epochs
    return method_named(spec.method).planned_epochs(config, None, space_named(spec.space))


def check(scheduler: str, spec: TrialSpec, ranges: Ranges) -> None:
    """Refuse what cannot be stopped early: searches without a comparable signal per epoch. Raises ConfigError."""
    method, name = method_named(spec.method), spec.method
    config = config_of(spec)
    epochs = epochs_with_signal(spec, config)
    for key, choice in {"": ("",), **ranges}.items():
        for value in choice if isinstance(choice, tuple) else (choice.low, choice.high):
            other: MethodConfig = config.model_copy(update={key: value} if key else {})
            if method.protocol(other) == "P3":
                raise ConfigError(
                    f"search.scheduler: {scheduler} needs a validation accuracy after every epoch, but {name} here "
                    "trains on all images and holds none out (protocol P3); leave the scheduler out or search at P1"
                )
            if epochs_with_signal(spec, other) != epochs:
                raise ConfigError(
                    f"search.scheduler: {scheduler} compares searches after equally many epochs, but `{key}` decides "
                    f"how long {name} searches; give `{key}` a value, or leave the scheduler out"
                )
    if epochs is None or not RULES[scheduler].rungs(epochs):
        raise ConfigError(
            f"search.scheduler: {scheduler} stops searches between their epochs, but {name} here has "
            f"{'no fixed number of them' if epochs is None else epochs}; leave the scheduler out"
        )
