"""Local search: climb from the best of a few random cells over one-operation neighbours, restart at every optimum.

Paper: White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021,
arXiv:2005.02960.  Code: naszilla.

    start: best of ``initial`` random cells
    climb: query the 24 neighbours in random order; move at once to the first better one (``full_neighbourhood``: query
           all and move to the best), until none is better: a local optimum; then start again.

Deviations:
1. A cell queried before costs nothing when it is met again: its value is known.
2. By default the signal is the 200-epoch validation accuracy, mean over training seeds.
"""

from __future__ import annotations

from typing import Any

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import torch
from trainables.methods.checked import Checked
from trainables.methods.search_method import TableContext
from trainables.methods.table_search import TableSearch, TableSearchConfig
from trainables.spaces.nas_bench_201 import Genotype

_NASZILLA = "naszilla, local search on NAS-Bench-201"


class LocalSearchConfig(TableSearchConfig):
    initial: int = hyperparameter(10, "random cells a climb starts from", source=_NASZILLA, search=Range(1, 50), ge=1)
    full_neighbourhood: bool = hyperparameter(False, "query all 24 neighbours before moving", source=_NASZILLA)


class LocalSearch(TableSearch[LocalSearchConfig]):
    """Hill climbing on the table."""

    Config = LocalSearchConfig
    checked = Checked("read", "naszilla/naszilla", "2026-11")
    paper = (
        "White, Nolen, Savani. Exploring the Loss Landscape in Neural Architecture Search. UAI 2021. arXiv:2005.02960"
    )

    def __init__(self, config: LocalSearchConfig, context: TableContext) -> None:
        super().__init__(config, context)
        self.position = self.best_neighbour = -1
        self.pool: list[int] = []
        self.seen: set[int] = set()
        self._restart()

    def propose(self) -> Genotype:
        while True:
            if not self.pool:
                self._after_pool()
            cell = self.pool.pop(0)
            if cell not in self.seen:
                return Genotype.from_index(cell)
            self.observe(cell, self.value(cell))

    def observe(self, cell: int, value: float) -> None:
        self.seen.add(cell)
        if self.best_neighbour < 0 or value > self.value(self.best_neighbour):
            self.best_neighbour = cell
        climbing = self.position >= 0
        if climbing and not self.config.full_neighbourhood and value > self.value(self.position):
            self._climb_from(cell)

    def _after_pool(self) -> None:
        """The starting cells or the whole neighbourhood are known: climb to the best of them, or start again."""
        better = self.best_neighbour >= 0 and (
            self.position < 0 or self.value(self.best_neighbour) > self.value(self.position)
        )
        if better:
            self._climb_from(self.best_neighbour)
        else:
            self._restart()

    def _climb_from(self, cell: int) -> None:
        neighbours = Genotype.from_index(cell).neighbours()
        order = torch.randperm(len(neighbours), generator=self.generator).tolist()
        self.position, self.best_neighbour, self.pool = cell, -1, [neighbours[k].index for k in order]

    def _restart(self) -> None:
        starts = [self.space.random(self.generator).index for _ in range(self.config.initial)]
        self.position, self.best_neighbour, self.pool = -1, -1, starts

    def state_dict(self) -> dict[str, Any]:
        climb = {"position": self.position, "best_neighbour": self.best_neighbour, "pool": self.pool}
        return super().state_dict() | climb

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.position, self.best_neighbour, self.pool = state["position"], state["best_neighbour"], list(state["pool"])
        self.seen = set(self.queried)
