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

With partial channels (K > 1, see partial.py) a cell's candidates see the first C/K channels of a node only, and are
C/K channels wide; nothing else in the layout changes. Shuffling is linear, so a node is rejoined once, after its
incoming edges have been summed, and not once an edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.spaces.nas_bench_201.fused import RunningStatistics, fused_node, fusible
from trainables.spaces.nas_bench_201.genotype import (
    CONV_1X1,
    CONV_3X3,
    EDGES,
    NONE,
    SKIP,
)
from trainables.spaces.nas_bench_201.mixtures import OUTGOING, Mixture, NodeMixture
from trainables.spaces.nas_bench_201.operations import Skeleton, avg_pool_3x3
from trainables.spaces.partial import processed_channels, rejoin
from trainables.spaces.search_network import SearchNetwork
from trainables.spaces.single_path import SinglePath


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


class NodeCandidates(nn.Module):
    """All candidates on the E edges that leave one node: [B, C, H, W] -> E tensors of that shape, mixed.

    Parameters: ``conv_1x1.weight`` [E C, C, 1, 1] and ``conv_3x3.weight`` [E C, C, 3, 3]; output channels e C to
    (e + 1) C are those of the node's e-th edge (``edges``, ascending). ``norm_1x1`` and ``norm_3x3`` hold running
    statistics [E C] in the same order. Under partial channels C is what the candidates see, C/K of the node's.

    ``fused`` asks for the kernels of fused.py wherever they apply: CUDA, float32, training mode. These give the weights
    no gradient while ``resting``.
    """

    fused = False
    resting = False

    def __init__(self, channels: int, edges: list[int]) -> None:
        super().__init__()
        self.channels, self.edges = channels, edges
        width = channels * len(edges)
        self.conv_1x1 = nn.Conv2d(channels, width, 1, bias=False)
        self.conv_3x3 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.norm_1x1 = WeightedBatchNorm(width)
        self.norm_3x3 = WeightedBatchNorm(width)

    def forward(self, x: Tensor, mixing: NodeMixture) -> list[Tensor]:
        active = F.relu(x)
        convolved = self.norm_1x1(self.conv_1x1(active), mixing.conv_1x1.repeat_interleave(self.channels))
        convolved = convolved + self.norm_3x3(self.conv_3x3(active), mixing.conv_3x3.repeat_interleave(self.channels))
        pooled = avg_pool_3x3(x)
        mixed = []
        for edge, skip, pool in zip(convolved.split(self.channels, dim=1), mixing.skip, mixing.pool, strict=True):
            edge = torch.addcmul(edge, skip.expand(1, 1, 1, 1), x)
            mixed.append(torch.addcmul(edge, pool.expand(1, 1, 1, 1), pooled))
        return mixed

    def fuses(self, x: Tensor) -> bool:
        return self.fused and self.training and fusible(x)

    def fused_sums(self, x: Tensor, mixing: Tensor, previous: list[Tensor | None]) -> tuple[Tensor, ...]:
        """What ``forward`` gives, in fewer passes over memory, each added to the sum so far of where its edge leads."""
        running = RunningStatistics(
            *(cast(Tensor, s) for n in (self.norm_1x1, self.norm_3x3) for s in (n.running_mean, n.running_var))
        )
        momentum, eps = self.norm_1x1.momentum or 0.0, self.norm_1x1.eps
        w1, w3 = self.conv_1x1.weight, self.conv_3x3.weight
        if self.resting:
            w1, w3 = w1.detach(), w3.detach()
        return fused_node(x, w1, w3, mixing, previous, running, momentum, eps)

    def single_path(self, x: Tensor, path: SinglePath) -> list[Tensor]:
        """The chosen candidate on each of the E edges, x [B, C, H, W] -> E tensors of that shape."""
        active = F.relu(x)
        chosen = []
        for k, edge in enumerate(self.edges):
            operation, weight, constant = path.operations[edge], path.weights[edge], path.constants[edge]
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
    """One cell of the supernet: (x [B, C, H, W], mixing or a path, edges [6] or None) -> [B, C, H, W].

    ``mixing`` is a matrix [6, 5], or one taken apart where there are no ``edges``; these weight whole edges, what
    bypasses the candidates included, and None stands for ones.
    """

    def __init__(self, channels: int, partial: int = 1) -> None:
        super().__init__()
        self.partial, self.processed = partial, processed_channels(channels, partial)
        self.nodes = nn.ModuleList(NodeCandidates(self.processed, edges) for edges in OUTGOING)

    def forward(self, x: Tensor, mixing: Tensor | Mixture | SinglePath, edges: Tensor | None = None) -> Tensor:
        if edges is not None:
            assert not isinstance(mixing, Mixture)
            mixing = mixing.scaled(edges) if isinstance(mixing, SinglePath) else mixing * edges[:, None]
        if isinstance(mixing, Tensor):
            mixing = Mixture(mixing)
        processed: dict[int, Tensor] = {}
        bypassed: dict[int, Tensor] = {}
        for source, candidates in enumerate(self.nodes):
            node, outgoing = cast(NodeCandidates, candidates), OUTGOING[source]
            value = x if source == 0 else self._value(source, processed, bypassed)
            if self.partial > 1:
                value, bypass = value[:, : self.processed], value[:, self.processed :]
                for edge in outgoing:
                    add_to(bypassed, EDGES[edge][0], bypass if edges is None else edges[edge] * bypass)
            if isinstance(mixing, Mixture) and node.fuses(value):
                targets = [EDGES[edge][0] for edge in outgoing]
                sums = node.fused_sums(value, mixing.rows[source], [processed.get(target) for target in targets])
                processed.update(zip(targets, sums, strict=True))
                continue
            if isinstance(mixing, SinglePath):
                outputs = node.single_path(value, mixing)
            else:
                outputs = node(value, mixing.nodes[source])
            for edge, mixed in zip(outgoing, outputs, strict=True):
                add_to(processed, EDGES[edge][0], mixed)
        return self._value(3, processed, bypassed)

    def _value(self, node: int, processed: dict[int, Tensor], bypassed: dict[int, Tensor]) -> Tensor:
        return processed[node] if self.partial == 1 else rejoin(processed[node], bypassed[node])


def add_to(sums: dict[int, Tensor], node: int, term: Tensor) -> None:
    """Add one edge's term to the sum of a node's incoming edges."""
    sums[node] = sums[node] + term if node in sums else term


class Supernet(Skeleton, SearchNetwork):
    """The macro network of search cells: (images [B, c, H, W], mixing [6, 5] or a path) -> logits [B, classes].

    ``partial`` is K of the partial channels: 1 passes all channels through the candidates. A call may add edge weights
    [6] (see SearchCell), or give every cell its own mixing, [L, 6, 5]. Raises ConfigError unless K divides
    ``channels``.

    Convolutions run channels-last: on CPU that alone is worth about a third of a step (speed/README.md).
    """

    def __init__(self, channels: int, cells: int, in_channels: int, classes: int, *, partial: int = 1) -> None:
        super().__init__(lambda width: SearchCell(width, partial), channels, cells, in_channels, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def fuse(self, fused: bool = True) -> None:
        """Run nodes by the kernels of fused.py wherever these apply; what they compute differentiates once only."""
        for node in self._nodes():
            node.fused = fused

    @contextmanager
    def twice_differentiable(self) -> Iterator[None]:
        """Within this block no node runs by the fused kernels, which differentiate once only."""
        fused = [node for node in self._nodes() if node.fused]
        self.fuse(False)
        try:
            yield
        finally:
            for node in fused:
                node.fused = True

    @contextmanager
    def weights_rest(self) -> Iterator[None]:
        """Forward passes within this block will not be asked for the weights' gradients.

        The plain node computes what it is asked for and nothing else, and ignores this. The fused one must know.
        """
        nodes = [node for node in self._nodes() if not node.resting]
        for node in nodes:
            node.resting = True
        try:
            yield
        finally:
            for node in nodes:
                node.resting = False

    def _nodes(self) -> list[NodeCandidates]:
        return [module for module in self.modules() if isinstance(module, NodeCandidates)]

    def stage_outputs(self, images: Tensor, *context: Any) -> list[Tensor]:
        return super().stage_outputs(images.contiguous(memory_format=torch.channels_last), *context)

    def contexts(self, *context: Any) -> Iterable[tuple[Any, ...]]:
        mixing, edges = context[0], context[1] if len(context) > 1 else None
        if isinstance(mixing, Tensor) and mixing.dim() == 3:
            return [(own, edges) for own in mixing.unbind()]
        if isinstance(mixing, Tensor) and edges is None:
            mixing = Mixture(mixing)
        return repeat((mixing, edges))
