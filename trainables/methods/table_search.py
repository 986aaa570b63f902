"""The loop of searchers that query the benchmark table instead of training: propose a cell, see its accuracy, repeat.

An epoch is one query, so the recorded curve is the incumbent (best cell seen) against the number of queries, or against
the simulated seconds that training those cells would have taken.

``signal_epochs: 200`` shows the final validation accuracy on the study's data set, mean over the benchmark's training
seeds; ``12`` that of the benchmark's separate 12-epoch training, which only a table of the user's can hold. The search
ends after ``queries``, or with ``budget: time`` once its queries stand for ``time_budget_s`` of training; the query
during which the time runs out still counts, as in NATS-Bench, and no search makes more queries than there are cells.
NAS-Bench-201 and NATS-Bench compare searchers at {budget: time, signal_epochs: 12}, 12,000 s and (CIFAR-10) 20,000 s.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, TypeVar

import torch

from trainables.hyperparameters import MethodConfig, Range, hyperparameter
from trainables.methods.search_method import Metrics, SearchContext, SearchMethod
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype
from trainables.spec import Scale


class TableSearchConfig(MethodConfig):
    queries: int = hyperparameter(
        150,
        "cells evaluated",
        source="naszilla's default budget on NAS-Bench-201",
        search=Range(20, 500),
        ge=1,
        le=NUM_CELLS,
    )
    budget: Literal["queries", "time"] = hyperparameter(
        "queries", "what ends the search: `queries` or `time_budget_s`", source="naszilla; NAS-Bench-201: time"
    )
    time_budget_s: float = hyperparameter(
        12_000.0,
        "simulated seconds of training, if the budget is time",
        source="NAS-Bench-201; NATS-Bench: 20,000 on CIFAR-10",
        search=Range(1e3, 1e5, log=True),
        gt=0,
    )
    signal_epochs: Literal[200, 12] = hyperparameter(
        200, "length of the training whose validation accuracy is read", source="naszilla; NAS-Bench-201: 12"
    )


ConfigT = TypeVar("ConfigT", bound=TableSearchConfig)


class TableSearch(SearchMethod[ConfigT]):
    """Keeps every query and its value; subclasses propose the next cell."""

    def __init__(self, config: ConfigT, context: SearchContext) -> None:
        super().__init__(config, context)
        self.generator = context.streams("table")
        self.queried: list[int] = []
        self.incumbent = -1
        self.spent_s = 0.0

    @classmethod
    def needs(cls, config: Any) -> Literal["images", "table", "nothing"]:
        return "table"

    @classmethod
    def signal_epochs(cls, config: Any) -> int:
        return config.signal_epochs

    @classmethod
    def planned_epochs(cls, config: Any, scale: Scale | None) -> int | None:
        return config.queries if config.budget == "queries" else None

    @property
    def total_epochs(self) -> int | None:
        if self.config.budget == "queries":
            return self.config.queries
        over = self.spent_s >= self.config.time_budget_s or len(self.queried) == NUM_CELLS
        return len(self.queried) if over else None

    @abstractmethod
    def propose(self) -> Genotype:
        """The next cell to query."""

    def observe(self, cell: int, value: float) -> None:
        """Learn that the cell of this index has this validation accuracy (percent)."""

    def value(self, cell: int) -> float:
        """Validation accuracy of a cell in percent."""
        assert self.context.signal is not None
        return float(self.context.signal.accuracy[cell])

    def draw(self, upper: int) -> int:
        """A uniform draw from 0..upper-1."""
        return int(torch.randint(upper, (), generator=self.generator))

    def epoch(self) -> Metrics:
        cell = self.propose().index
        self.queried.append(cell)
        if self.incumbent < 0 or self.value(cell) > self.value(self.incumbent):
            self.incumbent = cell
        self.observe(cell, self.value(cell))
        if self.context.signal is None:
            return {}
        self.spent_s += float(self.context.signal.cost_s[cell])
        return {"simulated_s": self.spent_s}

    def current(self) -> Genotype:
        return Genotype.from_index(self.incumbent)

    def state_dict(self) -> dict[str, Any]:
        return {"queried": self.queried, "incumbent": self.incumbent, "spent_s": self.spent_s}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.queried, self.incumbent, self.spent_s = list(state["queried"]), state["incumbent"], state["spent_s"]
