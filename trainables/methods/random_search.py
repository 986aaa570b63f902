"""Random search: draw cells uniformly, keep the best. With one query it is plain random sampling.

Source: Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019,
arXiv:1902.07638, which made it the baseline to beat; Dong and Yang, ICLR 2020, table 5 on NAS-Bench-201.

    cell_t ~ Uniform(15,625 cells);  incumbent = the best validation accuracy so far.

One query (the default) uses no information at all: the honest baseline of a weight-sharing study anywhere.
More queries select on the table's validation accuracy and need a data set that the table knows. NAS-Bench-201's setting
is {budget: time, signal_epochs: 12}, 12,000 s.

Deviations:
1. By default a budget of queries and the 200-epoch validation accuracy (mean over training seeds).
2. The draw during which a time budget runs out still counts; the release discards it. Evaluation takes no time.
"""

from __future__ import annotations

from typing import Any

from trainables.hyperparameters import Range, hyperparameter
from trainables.methods.checked import Checked
from trainables.methods.search_method import Metrics, Needs, TableContext
from trainables.methods.table_search import TableSearch, TableSearchConfig
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype
from trainables.spaces.space import Architecture


class RandomSearchConfig(TableSearchConfig):
    queries: int = hyperparameter(
        1,
        "cells drawn; 1 is random sampling",
        source="the baseline without information",
        search=Range(1, 500),
        ge=1,
        le=NUM_CELLS,
    )


class RandomSearch(TableSearch[RandomSearchConfig]):
    """Uniform proposals."""

    Config = RandomSearchConfig
    checked = Checked("read", "D-X-Y/AutoDL-Projects", "2026-11")
    paper = (
        "Li, Talwalkar. Random Search and Reproducibility for Neural Architecture Search. UAI 2019. arXiv:1902.07638"
    )

    @classmethod
    def needs(cls, config: Any) -> Needs:
        return "nothing" if config.budget == "queries" and config.queries == 1 else "table"

    def __init__(self, config: RandomSearchConfig, context: TableContext) -> None:
        super().__init__(config, context)
        self.sampled: Architecture | None = None

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return None if cls.needs(config) == "nothing" else super().spaces(config)

    def propose(self) -> Genotype:
        cell: Genotype = self.space.random(self.generator)
        return cell

    def epoch(self) -> Metrics:
        if self.needs(self.config) == "table":
            return super().epoch()
        self.sampled = self.space.random(self.generator)
        return {"queries": 1}

    def current(self) -> Architecture:
        return super().current() if self.sampled is None else self.sampled

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"sampled": self.sampled and str(self.sampled)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.sampled = state["sampled"] and self.space.parse(state["sampled"])
