"""The DARTS space: a normal and a reduction cell of 14 edges and eight operations each, two edges a node of which stay.

Paper: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv:1806.09055.
Code: quark0/darts; with partial channels yuhuixu1993/PC-DARTS.

    rows         0 ... 13 the edges of the normal cell, 14 ... 27 those of the reduction cell, by target, then source
    supernet     C = 16 channels, 8 cells; candidates normalise without scale and shift, pooling is normalised, too
    derivation   of each edge the best operation but none; of each node the two edges with the best
    network      C = 36 channels, 20 cells; batch normalisation is affine, pooling is not followed by one
    collapse     counts the skip connections among the eight edges of the normal cell (RobustDARTS)

Deviations:
1. Derived cells are trained from scratch by the recipe of ``evaluate.retrain``, without auxiliary head, drop path and
   cutout, so printed accuracies are not comparable.
2. Methods keep their NAS-Bench-201 defaults of everything but the scale; where a paper's search of this space has
   others, a study states them.
3. A random cell has two different sources a node and no operation none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.later import F, Tensor, torch
from trainables.spaces.darts.genotype import EDGES, KEPT, NODES, OPERATIONS, Cell, Genotype
from trainables.spaces.space import Graph, Space

if TYPE_CHECKING:
    from trainables.spaces.darts.network import DiscreteNetwork
    from trainables.spaces.darts.supernet import Supernet


class DartsSpace(Space[Genotype]):
    """Normal cells in the first 14 rows, reduction cells in the other 14."""

    name = "darts"
    source = "Liu, Simonyan, Yang. DARTS: Differentiable Architecture Search. ICLR 2019. arXiv:1806.09055"
    choices = (OPERATIONS,) * (2 * len(EDGES))
    cells = (len(EDGES), len(EDGES))
    inputs = NODES * 2
    edges, collapsed_skips, trained = KEPT * len(NODES), 5, (36, 20)
    fewest_cells = 3

    def supernet(self, channels: int, cells: int, colours: int, classes: int, *, partial: int = 1) -> Supernet:
        from trainables.spaces.darts.supernet import Supernet

        return Supernet(channels, cells, colours, classes, partial=partial)

    def network(self, architecture: Genotype, channels: int, cells: int, colours: int, classes: int) -> DiscreteNetwork:
        from trainables.spaces.darts.network import DiscreteNetwork

        return DiscreteNetwork(architecture, channels, cells, colours, classes)

    def derive(self, scores: Tensor, edges: Tensor | None = None) -> Genotype:
        """Of each edge the best operation but none; of each node the two edges whose best are best (section 2.4).

        Where edges have weights, an operation's score is multiplied by its edge's (PC-DARTS). First of equals.
        """
        weighted = scores if edges is None else scores * edges[:, None]
        return Genotype(*(_derived(part) for part in weighted.split(len(EDGES))))

    def one_hot(self, architecture: Genotype) -> Tensor:
        """Rows of edges that are not kept are zero."""
        weights = F.one_hot(torch.tensor(self.chosen(architecture)), len(OPERATIONS)).float()
        weights[:, 0] = 0.0
        return weights

    def random(self, generator: torch.Generator) -> Genotype:
        """In each node two different sources and any operations but none, uniformly."""
        return Genotype(*(_random(generator) for _ in self.cells))

    def parse(self, text: str) -> Genotype:
        return Genotype.from_string(text)

    def dearest(self) -> Genotype:
        cell: Cell = tuple(("sep_conv_5x5", source) for _ in NODES for source in range(KEPT))
        return Genotype(cell, cell)

    def chosen(self, architecture: Genotype) -> tuple[int, ...]:
        rows = [0] * len(self.choices)
        for cell, first in ((architecture.normal, 0), (architecture.reduce, len(EDGES))):
            for place, (operation, source) in enumerate(cell):
                rows[first + EDGES.index((NODES[place // KEPT], source))] = OPERATIONS.index(operation)
        return tuple(rows)

    def shares(self, architecture: Genotype) -> dict[str, float]:
        """Of the eight edges of the normal cell, whose skip connections the field counts (RobustDARTS)."""
        names = [operation for operation, _ in architecture.normal]
        counts = {"skip": names.count("skip_connect"), "none": 0, "pool": sum("pool" in name for name in names)}
        return {name: 100.0 * count / len(names) for name, count in counts.items()}

    def graphs(self, architecture: Genotype) -> list[Graph]:
        return [_graph("normal", architecture.normal), _graph("reduction", architecture.reduce)]


def _graph(title: str, cell: Cell) -> Graph:
    edges = [(source, NODES[place // KEPT], operation) for place, (operation, source) in enumerate(cell)]
    return Graph(title, ("-2", "-1", "0", "1", "2", "3"), tuple(edges))


def _derived(scores: Tensor) -> Cell:
    best, operations = scores[:, 1:].max(dim=1)
    cell: list[tuple[str, int]] = []
    for node in NODES:
        entering = [e for e, (target, _) in enumerate(EDGES) if target == node]
        for e in sorted(entering, key=lambda e: -float(best[e]))[:KEPT]:
            cell.append((OPERATIONS[1 + int(operations[e])], EDGES[e][1]))
    return tuple(cell)


def _random(generator: torch.Generator) -> Cell:
    cell: list[tuple[str, int]] = []
    for node in NODES:
        for source in torch.randperm(node, generator=generator)[:KEPT].tolist():
            operation = 1 + int(torch.randint(len(OPERATIONS) - 1, (), generator=generator))
            cell.append((OPERATIONS[operation], source))
    return tuple(cell)
