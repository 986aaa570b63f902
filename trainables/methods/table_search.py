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

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import torch
from trainables.methods.search_method import Metrics, TableContext
from trainables.methods.table_queries import TableQueries, TableQueriesConfig
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype
from trainables.spaces.space import Space
from trainables.spec import Scale


class TableSearchConfig(TableQueriesConfig):
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


ConfigT = TypeVar("ConfigT", bound=TableSearchConfig)


class TableSearch(TableQueries[ConfigT]):
    """One query an epoch; subclasses propose the next cell."""

    def __init__(self, config: ConfigT, context: TableContext) -> None:
        super().__init__(config, context)
        self.generator = context.streams("table")

    @classmethod
    def planned_epochs(cls, config: Any, scale: Scale | None, space: Space[Any]) -> int | None:
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

    def draw(self, upper: int) -> int:
        """A uniform draw from 0..upper-1."""
        return int(torch.randint(upper, (), generator=self.generator))

    def epoch(self) -> Metrics:
        cell = self.propose().index
        self.query(cell)
        self.observe(cell, self.value(cell))
        return self.spent()
