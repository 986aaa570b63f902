"""The loop of searchers that query the benchmark table instead of training: propose a cell, see its accuracy, repeat.

The signal is the 200-epoch validation accuracy on the study's data set, mean over the benchmark's training seeds. An
epoch is one query, so the recorded curve is the incumbent (best cell seen) against the number of queries.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, TypeVar

import torch

from trainables.hyperparameters import MethodConfig, Range, hyperparameter
from trainables.methods.search_method import Metrics, SearchContext, SearchMethod
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype


class TableSearchConfig(MethodConfig):
    queries: int = hyperparameter(
        150,
        "cells evaluated",
        source="naszilla's default budget on NAS-Bench-201",
        search=Range(20, 500),
        ge=1,
        le=NUM_CELLS,
    )


ConfigT = TypeVar("ConfigT", bound=TableSearchConfig)


class TableSearch(SearchMethod[ConfigT]):
    """Keeps every query and its value; subclasses propose the next cell."""

    def __init__(self, config: ConfigT, context: SearchContext) -> None:
        super().__init__(config, context)
        self.generator = context.streams("table")
        self.queried: list[int] = []
        self.incumbent = -1

    @classmethod
    def needs(cls, config: Any) -> Literal["images", "table", "nothing"]:
        return "table"

    @property
    def total_epochs(self) -> int:
        return self.config.queries

    @abstractmethod
    def propose(self) -> Genotype:
        """The next cell to query."""

    def observe(self, cell: int, value: float) -> None:
        """Learn that the cell of this index has this validation accuracy (percent)."""

    def value(self, cell: int) -> float:
        """Validation accuracy of a cell in percent."""
        assert self.context.signal is not None
        return float(self.context.signal[cell])

    def draw(self, upper: int) -> int:
        """A uniform draw from 0..upper-1."""
        return int(torch.randint(upper, (), generator=self.generator))

    def epoch(self) -> Metrics:
        cell = self.propose().index
        self.queried.append(cell)
        if self.incumbent < 0 or self.value(cell) > self.value(self.incumbent):
            self.incumbent = cell
        self.observe(cell, self.value(cell))
        return {}

    def current(self) -> Genotype:
        return Genotype.from_index(self.incumbent)

    def state_dict(self) -> dict[str, Any]:
        return {"queried": self.queried, "incumbent": self.incumbent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.queried, self.incumbent = list(state["queried"]), state["incumbent"]
