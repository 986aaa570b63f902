"""How large a network is: its parameters, and the multiply-adds (MACs) that one image costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn


class Size(NamedTuple):
    """MACs are those of convolutions and linear layers, as the field counts them."""

    parameters: int
    macs: int


def size_of(build: Callable[[], nn.Module], colours: int, side: int) -> Size:
    """Of the network that ``build`` makes, on images [1, colours, side, side]. Nothing is computed or drawn."""
    with torch.device("meta"):
        network = build().eval()
        images = torch.empty(1, colours, side, side)
    macs = 0

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal macs
        if isinstance(layer, nn.Conv2d):
            macs += output.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            macs += output.numel() * layer.in_features

    for layer in network.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        network(images)
    return Size(sum(parameter.numel() for parameter in network.parameters()), macs)
