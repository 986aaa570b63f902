"""The networks of CDARTS beside the supernet: distillation heads, their ensemble, and the evaluation network's weights.

Sources: Yu et al., arXiv:2006.10724; microsoft/Cream, CDARTS/benchmark201. Deviations are listed in cdarts.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.spaces.nas_bench_201 import EDGES, Genotype
from trainables.spaces.nas_bench_201.genotype import CONV_1X1, CONV_3X3
from trainables.spaces.nas_bench_201.network import DiscreteCell, DiscreteNetwork
from trainables.spaces.nas_bench_201.operations import Skeleton
from trainables.spaces.nas_bench_201.supernet import NodeCandidates, SearchCell, Supernet
from trainables.streams import seeded


def pool(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, h, w], h and w at least 2: 6 x 6 windows at stride 2, or 2 x 2 equal parts below 8 x 8.

    Features of 32 x 32 images are 16 x 16 and 8 x 8, and come out 6 x 6 and 2 x 2.
    """
    return F.avg_pool2d(x, 6, stride=2) if min(x.shape[2:]) >= 8 else F.adaptive_avg_pool2d(x, 2)


class DistillationHead(nn.Module):
    """Features within a network [B, c_in, H, W] -> class scores [B, classes]."""

    def __init__(self, c_in: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Conv2d(c_in, 128, 1, bias=False),
            nn.BatchNorm2d(128, affine=False),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768, affine=False),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.project(pool(F.relu(x))).mean((2, 3)))
        return scores


def ensemble(outputs: Sequence[Tensor], weights: Tensor, *, summed: bool) -> Tensor:
    """Outputs [B, classes] times softmax(weights) [n]: one below the other [n B, classes], or summed [B, classes]."""
    weighted = [share * output for share, output in zip(weights.softmax(0), outputs, strict=True)]
    return torch.stack(weighted).sum(0) if summed else torch.cat(weighted)


class Introspection(nn.Module):
    """The heads after the first two stages and the ensemble's weights; search and evaluation network share them."""

    def __init__(self, channels: int, classes: int, *, fixed_heads: bool, summed: bool) -> None:
        super().__init__()
        self.heads = nn.ModuleList(DistillationHead(width * channels, classes) for width in (2, 4))
        self.heads.requires_grad_(not fixed_heads)
        self.weights = nn.Parameter(0.333 * torch.rand(3))
        self.summed = summed
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, network: Skeleton, images: Tensor, *context: Tensor) -> tuple[Tensor, Tensor]:
        """A network's logits [B, classes] on images [B, c, H, W], and its ensemble [3 B or B, classes]."""
        *early, last = network.stage_outputs(images.contiguous(memory_format=torch.channels_last), *context)
        logits = network.classify(last)
        outputs = [head(x) for head, x in zip(self.heads, early, strict=True)]
        return logits, ensemble([*outputs, logits], self.weights, summed=self.summed)


class WeightStore(Supernet):
    """The weights an evaluation network may have, all candidates of all edges; it is never run.

    An evaluation network gets its weights from here when it is built and leaves them here when it is given up, so that
    an operation that returns to an edge goes on where it was. The stem is the search network's and not stored, nor are
    scale, shift and running statistics of the batch normalisations in cells: they start afresh.
    """

    def __init__(self, channels: int, cells: int, in_channels: int, classes: int) -> None:
        super().__init__(channels, cells, in_channels, classes)
        self.sizes = channels, cells, in_channels, classes
        self.stem = nn.Sequential()
        self.requires_grad_(False)

    def build(self, cell: Genotype, stem: nn.Sequential) -> DiscreteNetwork:
        """The network of a cell with the stored weights and the given stem, which it shares."""
        with seeded(0):  # its initial weights are drawn and overwritten
            network = DiscreteNetwork(cell, *self.sizes)
        network.stem = stem
        network.to(self.classifier.weight.device)
        with torch.no_grad():
            for stored, weight in self.matching(network):
                weight.copy_(stored)
        return network

    @torch.no_grad()
    def keep(self, network: DiscreteNetwork) -> None:
        """Store the weights of a network."""
        for stored, weight in self.matching(network):
            stored.copy_(weight)

    def matching(self, network: DiscreteNetwork) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs (stored, the network's) of the weights at the same place: cell, edge and operation, or other part."""
        for stage, discrete_stage in zip(self.stages, network.stages, strict=True):
            cells, discrete_cells = cast(nn.ModuleList, stage), cast(nn.ModuleList, discrete_stage)
            for candidates, discrete in zip(cells, discrete_cells, strict=True):
                yield from _matching_convolutions(cast(SearchCell, candidates), cast(DiscreteCell, discrete))
        for part in ("reductions", "norm", "classifier"):
            stored, own = self.get_submodule(part), network.get_submodule(part)
            yield from zip(stored.parameters(), own.parameters(), strict=True)


def _matching_convolutions(candidates: SearchCell, discrete: DiscreteCell) -> Iterator[tuple[Tensor, Tensor]]:
    for edge, operation in enumerate(discrete.genotype.operations):
        if operation in (CONV_1X1, CONV_3X3):
            node = cast(NodeCandidates, candidates.nodes[EDGES[edge][1]])
            stored = node.conv_1x1.weight if operation == CONV_1X1 else node.conv_3x3.weight
            own = cast(nn.Sequential, discrete.convolutions[str(edge)])
            yield stored.detach().split(node.channels)[node.edges.index(edge)], cast(Tensor, own[1].weight)
