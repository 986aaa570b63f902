"""How the candidates of a cell's edges are weighed where all of them are mixed.

A mixing matrix [6, 5] has a row an edge and a column an operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from trainables.later import Tensor, torch
from trainables.spaces.nas_bench_201.genotype import AVG_POOL, CONV_1X1, CONV_3X3, EDGES, SKIP

OUTGOING = tuple([e for e, (_, source) in enumerate(EDGES) if source == node] for node in range(3))
"""Edges that read node 0, 1 and 2: ([0, 1, 3], [2, 4], [5])."""


@dataclass(frozen=True, eq=False)
class NodeMixture:
    """The mixing weights of the E edges that leave a node: of the convolutions [E], of the others E scalars."""

    conv_1x1: Tensor
    conv_3x3: Tensor
    skip: list[Tensor]
    pool: list[Tensor]


class Mixture:
    """Mixing weights [6, 5] taken apart by node, once a pass: their gradients then meet once, not in every cell."""

    def __init__(self, mixing: Tensor) -> None:
        self.mixing = mixing

    @cached_property
    def rows(self) -> list[Tensor]:
        """[E, 5] of each node. An index would be copied to the device, so rows are picked one by one."""
        rows = self.mixing.unbind()
        return [torch.stack([rows[e] for e in edges]) for edges in OUTGOING]

    @cached_property
    def nodes(self) -> list[NodeMixture]:
        """Of each node, operation by operation."""
        columns = self.mixing.unbind(1)
        conv_1x1, conv_3x3, skip, pool = (columns[o].unbind() for o in (CONV_1X1, CONV_3X3, SKIP, AVG_POOL))
        return [
            NodeMixture(
                torch.stack([conv_1x1[e] for e in edges]),
                torch.stack([conv_3x3[e] for e in edges]),
                [skip[e] for e in edges],
                [pool[e] for e in edges],
            )
            for edges in OUTGOING
        ]
