"""NAS-Bench-201: one kind of cell of six edges and five operations, all 15,625 of them trained by its authors.

Paper: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020,
arXiv:2001.00326.  Code: D-X-Y/AutoDL-Projects.

    rows         the edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2; a node is the sum of its edges, node 3 the output
    supernet     C channels, N cells in each of three stages; candidates normalise without scale and shift
    derivation   the best operation of every edge, none included; a cell keeps all its edges
    network      C = 16 channels, N = 5 cells a stage; batch normalisation is affine
    collapse     counts the skip connections among the six edges
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.later import F, Tensor, torch
from trainables.spaces.nas_bench_201.genotype import AVG_POOL, CONV_3X3, EDGES, NONE, OPERATIONS, SKIP, Genotype
from trainables.spaces.space import Graph, Space

if TYPE_CHECKING:
    from trainables.spaces.nas_bench_201.network import DiscreteNetwork
    from trainables.spaces.nas_bench_201.supernet import Supernet


class NasBench201(Space[Genotype]):
    """The 15,625 cells."""

    name = "nas_bench_201"
    source = (
        "Dong, Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search. ICLR 2020. "
        "arXiv:2001.00326"
    )
    choices = (OPERATIONS,) * len(EDGES)
    cells = (len(EDGES),)
    edges, collapsed_skips, trained = len(EDGES), 4, (16, 5)
    inputs = tuple(sum(target == node for target, _ in EDGES) for node in (1, 2, 3))

    def supernet(self, channels: int, cells: int, colours: int, classes: int, *, partial: int = 1) -> Supernet:
        from trainables.spaces.nas_bench_201.supernet import Supernet

        return Supernet(channels, cells, colours, classes, partial=partial)

    def network(self, architecture: Genotype, channels: int, cells: int, colours: int, classes: int) -> DiscreteNetwork:
        from trainables.spaces.nas_bench_201.network import DiscreteNetwork

        return DiscreteNetwork(architecture, channels, cells, colours, classes)

    def derive(self, scores: Tensor, edges: Tensor | None = None) -> Genotype:
        """The best-scored operation on every edge, none included; a cell keeps all its edges, whatever their weight."""
        return Genotype(tuple(scores.argmax(dim=1).tolist()))

    def one_hot(self, architecture: Genotype) -> Tensor:
        return F.one_hot(torch.tensor(architecture.operations), len(OPERATIONS)).float()

    def random(self, generator: torch.Generator) -> Genotype:
        return Genotype(tuple(torch.randint(len(OPERATIONS), (len(EDGES),), generator=generator).tolist()))

    def parse(self, text: str) -> Genotype:
        return Genotype.from_string(text)

    def dearest(self) -> Genotype:
        return Genotype((CONV_3X3,) * len(EDGES))

    def chosen(self, architecture: Genotype) -> tuple[int, ...]:
        return architecture.operations

    def shares(self, architecture: Genotype) -> dict[str, float]:
        of = {"skip": SKIP, "none": NONE, "pool": AVG_POOL}
        return {name: 100.0 * architecture.operations.count(o) / len(EDGES) for name, o in of.items()}

    def key(self, architecture: Genotype) -> str:
        """The benchmark's own isomorphism classes."""
        return architecture.isomorphism_key()

    def is_connected(self, architecture: Genotype) -> bool:
        return architecture.output_is_connected()

    def graphs(self, architecture: Genotype) -> list[Graph]:
        edges = tuple(
            (source, target, OPERATIONS[o]) for (target, source), o in zip(EDGES, architecture.operations, strict=True)
        )
        return [Graph("", ("in", "1", "2", "out"), edges)]
