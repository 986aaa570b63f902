"""The supernet of the DARTS space: on every edge of every cell all eight candidates, mixed, or one of them alone.

Under partial channels (K > 1, PC-DARTS) the first C/K channels of a node pass through an edge's candidates; the others
pass it by, halved by a 2x2 maximum where the edge has stride 2. Both are joined and shuffled edge by edge.

Sources: Liu, Simonyan and Yang, ICLR 2019, arXiv:1806.09055; Xu et al., ICLR 2020, arXiv:1907.05737.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.spaces.darts.genotype import EDGES, INPUTS, NODES, OPERATIONS
from trainables.spaces.darts.operations import operation
from trainables.spaces.darts.skeleton import Preprocessing, Skeleton
from trainables.spaces.partial import processed_channels, rejoin
from trainables.spaces.search_network import SearchNetwork
from trainables.spaces.single_path import SinglePath


class MixedEdge(nn.Module):
    """x [B, C, H, W] -> sum_o w_o op_o(x), of half the size at stride 2."""

    def __init__(self, channels: int, stride: int, partial: int) -> None:
        super().__init__()
        self.stride, self.partial, self.processed = stride, partial, processed_channels(channels, partial)
        self.candidates = nn.ModuleList(
            operation(name, self.processed, stride, affine=False) for name in OPERATIONS[1:]
        )

    def forward(self, x: Tensor, weights: list[Tensor]) -> Tensor:
        """``weights``: a scalar for each of OPERATIONS; nothing is computed for ``none``."""
        inside = x[:, : self.processed]
        mixed = weights[1] * self.candidates[0](inside)
        for weight, candidate in zip(weights[2:], self.candidates[1:], strict=True):
            mixed = torch.addcmul(mixed, weight.expand(1, 1, 1, 1), candidate(inside))
        return self._joined(mixed, x)

    def single(self, x: Tensor, chosen: int, weight: Tensor, constant: Tensor) -> Tensor:
        """One candidate alone."""
        inside = x[:, : self.processed]
        if chosen == 0:
            alone = torch.zeros_like(inside[:, :, :: self.stride, :: self.stride]) + constant
        else:
            alone = weight * self.candidates[chosen - 1](inside) + constant
        return self._joined(alone, x)

    def _joined(self, mixed: Tensor, x: Tensor) -> Tensor:
        if self.partial == 1:
            return mixed
        around = x[:, self.processed :]
        return rejoin(mixed, around if self.stride == 1 else F.max_pool2d(around, 2, ceil_mode=True))


class SearchCell(nn.Module):
    """(s_0, s_1, mixing [28, 8] taken apart or a path, edge weights [28] or None) -> [B, 4 C, H, W], or half that."""

    def __init__(
        self, c_0: int, c_1: int, channels: int, reduces: bool, reduced_before: bool, partial: int = 1
    ) -> None:
        super().__init__()
        self.first_row = len(EDGES) if reduces else 0
        self.preprocessing = Preprocessing(c_0, c_1, channels, reduced_before, affine=False)
        self.edges = nn.ModuleList(
            MixedEdge(channels, 2 if reduces and source < INPUTS else 1, partial) for _, source in EDGES
        )

    def forward(
        self, s_0: Tensor, s_1: Tensor, mixing: list[list[Tensor]] | SinglePath, weights: list[Tensor] | None
    ) -> Tensor:
        nodes = self.preprocessing(s_0, s_1)
        for node in NODES:
            entering = [e for e, (target, _) in enumerate(EDGES) if target == node]
            terms = [self._edge(e, nodes[EDGES[e][1]], mixing, weights) for e in entering]
            nodes.append(_sum(terms))
        return torch.cat(nodes[INPUTS:], dim=1)

    def _edge(self, e: int, x: Tensor, mixing: list[list[Tensor]] | SinglePath, weights: list[Tensor] | None) -> Tensor:
        row, edge = self.first_row + e, cast(MixedEdge, self.edges[e])
        if isinstance(mixing, SinglePath):
            out = edge.single(x, mixing.operations[row], mixing.weights[row], mixing.constants[row])
        else:
            out = edge(x, mixing[row])
        return out if weights is None else weights[row] * out


def _sum(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


class Supernet(Skeleton, SearchNetwork):
    """(images [B, colours, H, W], mixing [28, 8] or a path, weights of edges [28] or None) -> logits [B, classes].

    Raises ConfigError unless K = ``partial`` divides ``channels``.
    """

    def __init__(self, channels: int, cells: int, colours: int, classes: int, *, partial: int = 1) -> None:
        def make_cell(c_0: int, c_1: int, width: int, reduces: bool, reduced_before: bool) -> SearchCell:
            return SearchCell(c_0, c_1, width, reduces, reduced_before, partial)

        super().__init__(make_cell, channels, cells, colours, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor, mixing: Tensor | SinglePath, edges: Tensor | None = None) -> Tensor:
        """The mixing weights are taken apart once a pass, so that their gradients meet once."""
        taken_apart = mixing if isinstance(mixing, SinglePath) else [list(row.unbind()) for row in mixing.unbind()]
        weights = None if edges is None else list(edges.unbind())
        return super().forward(images.contiguous(memory_format=torch.channels_last), taken_apart, weights)
