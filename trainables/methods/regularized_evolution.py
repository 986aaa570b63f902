"""Regularised evolution (REA): a queue of cells; the best of a random sample has a mutated child, the oldest dies.

Paper: Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019,
arXiv:1802.01548.  On NAS-Bench-201: D-X-Y/AutoDL-Projects, regularized_ea.

    population <- ``population`` random cells;  then repeat:
        parent = best of ``sample`` cells drawn with replacement;  child = parent with one operation changed
        population <- population without its oldest + child

The mutated edge is drawn node first, then edge of that node, so edges are NOT equally likely: 1/3, 1/6, 1/6, 1/9, 1/9,
1/9 (``mutation: node``, AutoDL); ``mutation: edge`` draws edges uniformly. The new operation is uniform over the
other four. NAS-Bench-201's setting is {budget: time, signal_epochs: 12}, 12,000 s.

Deviations:
1. By default a budget of queries and the 200-epoch validation accuracy (mean over training seeds).
2. A child seen before costs a query and its time, as in the release; evaluation takes no time.
"""

from __future__ import annotations

from typing import Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.methods.checked import Checked
from trainables.methods.table_search import TableSearch, TableSearchConfig
from trainables.spaces.nas_bench_201 import EDGES, OPERATIONS, Genotype

_RELEASE = "AutoDL-Projects, REA on NAS-Bench-201"


class RegularizedEvolutionConfig(TableSearchConfig):
    population: int = hyperparameter(10, "cells alive", source=_RELEASE, search=Range(5, 50), ge=2)
    sample: int = hyperparameter(3, "cells a parent is chosen from", source=_RELEASE, search=Range(2, 20), ge=1)
    mutation: Literal["node", "edge"] = hyperparameter(
        "node", "draw node then edge, or edges uniformly", source=_RELEASE
    )


def edge_probabilities(mutation: str) -> list[float]:
    """The probability of each of the six edges to be the mutated one."""
    if mutation == "edge":
        return [1 / len(EDGES)] * len(EDGES)
    return [1 / 3 / sum(t == target for t, _ in EDGES) for target, _ in EDGES]


class RegularizedEvolution(TableSearch[RegularizedEvolutionConfig]):
    """Ageing evolution on the table."""

    Config = RegularizedEvolutionConfig
    checked = Checked("read", "D-X-Y/AutoDL-Projects", "2026-11")
    paper = (
        "Real, Aggarwal, Huang, Le. Regularized Evolution for Image Classifier Architecture Search. AAAI 2019. "
        "arXiv:1802.01548"
    )

    def propose(self) -> Genotype:
        alive = self.queried[-self.config.population :]
        if len(alive) < self.config.population:
            return self.space.random(self.generator)
        sample = [alive[self.draw(len(alive))] for _ in range(self.config.sample)]
        return self.mutate(Genotype.from_index(max(sample, key=self.value)))

    def mutate(self, parent: Genotype) -> Genotype:
        """A copy of ``parent`` with one operation changed."""
        edge = self._edge()
        operation = (parent.operations[edge] + 1 + self.draw(len(OPERATIONS) - 1)) % len(OPERATIONS)
        return Genotype((*parent.operations[:edge], operation, *parent.operations[edge + 1 :]))

    def _edge(self) -> int:
        if self.config.mutation == "edge":
            return self.draw(len(EDGES))
        target = 1 + self.draw(3)
        edges = [e for e, (t, _) in enumerate(EDGES) if t == target]
        return edges[self.draw(len(edges))]
