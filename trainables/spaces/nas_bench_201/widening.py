"""Widening a supernet of partial channels: every new channel of a convolution is a copy of one it already had.

Where K shrinks, a candidate convolution grows from C/K1 to C/K2 channels on either side. Its old channels keep their
places; each new one repeats an old channel that is drawn at random, edge by edge. Nothing is rescaled, so the function
changes. The momentum of a weight is widened by the same map as the weight.

Source: Chen et al., "DrNAS: Dirichlet Neural Architecture Search", ICLR 2021, arXiv:2006.10355, and its code; after
Chen, Goodfellow and Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016, arXiv:1511.05641.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.spaces.nas_bench_201.supernet import NodeCandidates, Supernet


@dataclass(frozen=True, eq=False)
class ChannelMap:
    """Which old channel each of the m channels of a convolution is, on each of the E edges side by side: both [E, m].

    Entry [e, c] counts within edge e. Outputs serve the convolution's normalisation as well.
    """

    outputs: Tensor
    inputs: Tensor


def draw_channels(edges: int, narrow: int, wide: int, generator: torch.Generator) -> Tensor:
    """[edges, wide]: 0 ... narrow - 1, then wide - narrow of them drawn uniformly, with replacement, for every edge."""
    copies = torch.randint(narrow, (edges, wide - narrow), generator=generator)
    return torch.cat([torch.arange(narrow).expand(edges, -1), copies], dim=1)


def draw_widening(narrow: Supernet, wide: Supernet, generator: torch.Generator) -> dict[str, ChannelMap]:
    """The maps from one supernet to another of smaller K, by the name of the convolution; inputs are drawn first."""
    maps, grown = {}, dict(wide.named_modules())
    for name, node in narrow.named_modules():
        if isinstance(node, NodeCandidates):
            channels = len(node.edges), node.channels, grown[name].channels
            for convolution in ("conv_1x1", "conv_3x3"):
                inputs, outputs = (draw_channels(*channels, generator) for _ in range(2))
                maps[f"{name}.{convolution}"] = ChannelMap(outputs, inputs)
    return maps


def widen_features(values: Tensor, outputs: Tensor) -> Tensor:
    """values [E n] of the edges' channels, outputs [E, m] -> [E m]."""
    edges = torch.arange(len(outputs))[:, None]
    return values.view(len(outputs), -1)[edges, outputs].flatten()


def widen_convolution(weight: Tensor, channels: ChannelMap) -> Tensor:
    """weight [E n_out, n_in, k, k] -> [E m_out, m_in, k, k]."""
    outputs, inputs = channels.outputs, channels.inputs
    edges = torch.arange(len(outputs))[:, None, None]
    return weight.unflatten(0, (len(outputs), -1))[edges, outputs[:, :, None], inputs[:, None, :]].flatten(0, 1)


def widened(values: Mapping[str, Tensor], maps: Mapping[str, ChannelMap]) -> dict[str, Tensor]:
    """Tensors of a narrow supernet, by the names of its state dict, as tensors of the wide one.

    They may be its weights and statistics or anything kept per weight. What belongs to no mapped convolution is
    returned as it is.
    """
    return {name: _widen(value, maps.get(_convolution_of(name))) for name, value in values.items()}


def _convolution_of(name: str) -> str:
    """The convolution that a tensor belongs to, or whose normalisation it belongs to."""
    return name.rpartition(".")[0].replace("norm_", "conv_")


def _widen(value: Tensor, channels: ChannelMap | None) -> Tensor:
    if channels is None or value.dim() == 0:  # a normalisation also counts its batches
        return value
    return widen_features(value, channels.outputs) if value.dim() == 1 else widen_convolution(value, channels)
