"""Random search: draw cells uniformly, keep the best. With one query it is plain random sampling.

Source: Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019,
arXiv:1902.07638, which made it the baseline to beat; Dong and Yang, ICLR 2020, table 5 on NAS-Bench-201.

    cell_t ~ Uniform(15,625 cells);  incumbent = the best validation accuracy so far.

One query (the default) uses no information at all: the honest baseline of a weight-sharing study on any data set.
More queries select on the table's validation accuracy and need a data set that the table knows.

Deviations:
1. A budget of queries instead of the paper's simulated seconds.
2. The 200-epoch validation accuracy (mean over training seeds) is the signal, not a single 12-epoch run.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.methods.table_search import TableSearch, TableSearchConfig
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype, random_genotype


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
    paper = (
        "Li, Talwalkar. Random Search and Reproducibility for Neural Architecture Search. UAI 2019. arXiv:1902.07638"
    )

    @classmethod
    def needs(cls, config: Any) -> Literal["images", "table", "nothing"]:
        return "nothing" if config.queries == 1 else "table"

    def propose(self) -> Genotype:
        return random_genotype(self.generator)

    def value(self, cell: int) -> float:
        return super().value(cell) if self.config.queries > 1 else 0.0
