"""The NAS-Bench-201 supernet: every edge holds all five candidates, weighted by a mixing matrix.

Node value = sum over incoming edges (i<-j) of  sum_o p[e, o] * op_o(node_j);  the cell's output is node 3.

The arithmetic is that of five separate candidates on each of six edges (speed/reference_supernet.py), but candidates
that read the same node share their work: one ReLU, one average pooling, one 1x1 and one 3x3 convolution whose output
channels are the node's outgoing edges side by side. The mixing weight of a convolution is the scale of its (otherwise
not affine) batch normalisation, so weighting costs nothing and the weights' gradient is the scale's gradient.

Normalising the 1x1 and the 3x3 outputs in two calls and adding them measured faster than one call over their
concatenation: its copies, forward and backward, cost more than the call they save (speed/supernet.py).

Methods that sample one operation per edge run that cell alone ("single path"): the candidates it leaves out are neither
computed nor do they see their running statistics move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.spaces.nas_bench_201.genotype import (
    AVG_POOL,
    CONV_1X1,
    CONV_3X3,
    EDGES,
    NONE,
    OPERATIONS,
    SKIP,
    Genotype,
)
from trainables.spaces.nas_bench_201.operations import Skeleton, avg_pool_3x3

OUTGOING = tuple([e for e, (_, source) in enumerate(EDGES) if source == node] for node in range(3))
"""Edges that read node 0, 1 and 2: ([0, 1, 3], [2, 4], [5])."""


class WeightedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation without parameters of its own, scaled per channel by a given weight."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:  # type: ignore[override]
        """x [B, C, H, W], scale [C] -> [B, C, H, W]."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, scale, None, self.training, self.momentum or 0.0, self.eps
        )

    def part(self, x: Tensor, own: slice, weight: Tensor, constant: Tensor) -> Tensor:
        """The channels ``own`` alone: x [B, len(own), H, W], normalised, times a scalar weight plus a scalar."""
        assert self.running_mean is not None and self.running_var is not None
        mean, var = self.running_mean[own], self.running_var[own]
        # copies, not expanded views: with strides of zero the CPU's backward pass reads past them
        scale, shift = weight.repeat(len(mean)), constant.repeat(len(mean))
        return F.batch_norm(x, mean, var, scale, shift, self.training, self.momentum or 0.0, self.eps)


@dataclass(frozen=True, eq=False)
class SinglePath:
    """A cell that runs alone: edge e is ``weights[e]`` * operation(x) + ``constants[e]``; both are [6]."""

    cell: Genotype
    weights: Tensor
    constants: Tensor

    @classmethod
    def of(cls, mixing: Tensor) -> SinglePath:
        """The largest entry of each row of mixing [6, 5] is the operation's weight, the others' sum the constant.

        For one-hot rows that is the mixture itself; entries that are zero by value may still carry gradient.
        """
        operations = mixing.argmax(dim=1)
        chosen = F.one_hot(operations, len(OPERATIONS)).to(mixing.dtype)
        cell = Genotype(tuple(operations.tolist()))
        return cls(cell, (mixing * chosen).sum(1), (mixing * (1 - chosen)).sum(1))


class NodeCandidates(nn.Module):
    """All candidates on the K edges that leave one node: [B, C, H, W] -> K tensors of that shape, mixed."""

    def __init__(self, channels: int, edges: list[int]) -> None:
        super().__init__()
        self.channels, self.edges = channels, edges
        width = channels * len(edges)
        self.conv_1x1 = nn.Conv2d(channels, width, 1, bias=False)
        self.conv_3x3 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.norm_1x1 = WeightedBatchNorm(width)
        self.norm_3x3 = WeightedBatchNorm(width)

    def forward(self, x: Tensor, mixing: Tensor) -> list[Tensor]:
        """mixing [K, 5]: the rows of this node's edges."""
        active = F.relu(x)
        convolved = self.norm_1x1(self.conv_1x1(active), mixing[:, CONV_1X1].repeat_interleave(self.channels))
        convolved = convolved + self.norm_3x3(
            self.conv_3x3(active), mixing[:, CONV_3X3].repeat_interleave(self.channels)
        )
        pooled = avg_pool_3x3(x)
        mixed = []
        for k, edge in enumerate(convolved.split(self.channels, dim=1)):
            edge = torch.addcmul(edge, mixing[k, SKIP].expand(1, 1, 1, 1), x)
            mixed.append(torch.addcmul(edge, mixing[k, AVG_POOL].expand(1, 1, 1, 1), pooled))
        return mixed

    def single_path(self, x: Tensor, path: SinglePath) -> list[Tensor]:
        """The chosen candidate on each of the K edges, x [B, C, H, W] -> K tensors of that shape."""
        active = F.relu(x)
        chosen = []
        for k, edge in enumerate(self.edges):
            operation, weight, constant = path.cell.operations[edge], path.weights[edge], path.constants[edge]
            if operation in (CONV_1X1, CONV_3X3):
                own = slice(k * self.channels, (k + 1) * self.channels)
                convolution = self.conv_1x1 if operation == CONV_1X1 else self.conv_3x3
                norm = self.norm_1x1 if operation == CONV_1X1 else self.norm_3x3
                convolved = F.conv2d(active, convolution.weight[own], padding=convolution.padding)
                chosen.append(norm.part(convolved, own, weight, constant))
            elif operation == NONE:
                chosen.append(torch.zeros_like(x) + constant)
            else:
                chosen.append(weight * (x if operation == SKIP else avg_pool_3x3(x)) + constant)
        return chosen


class SearchCell(nn.Module):
    """One cell of the supernet: (x [B, C, H, W], mixing [6, 5] or a path) -> [B, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(NodeCandidates(channels, edges) for edges in OUTGOING)

    def forward(self, x: Tensor, mixing: Tensor | SinglePath) -> Tensor:
        values: list[Tensor | None] = [x, None, None, None]
        for source, candidates in enumerate(self.nodes):
            node, edges, value = cast(NodeCandidates, candidates), OUTGOING[source], cast(Tensor, values[source])
            outputs = node.single_path(value, mixing) if isinstance(mixing, SinglePath) else node(value, mixing[edges])
            for edge, mixed in zip(edges, outputs, strict=True):
                target = EDGES[edge][0]
                earlier = values[target]
                values[target] = mixed if earlier is None else earlier + mixed
        output = values[3]
        assert output is not None
        return output


class Supernet(Skeleton):
    """The macro network of search cells: (images [B, c, H, W], mixing [6, 5] or a path) -> logits [B, classes].

    Convolutions run channels-last: on CPU that alone is worth about a third of a step (speed/README.md).
    """

    def __init__(self, channels: int, cells: int, in_channels: int, classes: int) -> None:
        super().__init__(SearchCell, channels, cells, in_channels, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor, mixing: Tensor | SinglePath) -> Tensor:
        return super().forward(images.contiguous(memory_format=torch.channels_last), mixing)
