"""The discrete network of one NAS-Bench-201 cell, as the benchmark trained it.

Source: Dong and Yang, ICLR 2020, arXiv:2001.00326, section 2.1; C=16, N=5 there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.spaces.nas_bench_201.genotype import AVG_POOL, CONV_1X1, CONV_3X3, EDGES, NONE, Genotype
from trainables.spaces.nas_bench_201.operations import ReluConvBn, Skeleton, avg_pool_3x3


class DiscreteCell(nn.Module):
    """One cell: [B, C, H, W] -> the same shape; node 3 is the sum of its incoming edges."""

    def __init__(self, channels: int, genotype: Genotype) -> None:
        super().__init__()
        self.genotype = genotype
        kernels = {CONV_1X1: 1, CONV_3X3: 3}
        self.convolutions = nn.ModuleDict(
            {
                str(e): ReluConvBn(channels, channels, kernels[o])
                for e, o in enumerate(genotype.operations)
                if o in kernels
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        zero = torch.zeros_like(x)
        values = [x, zero, zero, zero]
        for edge, (operation, (target, source)) in enumerate(zip(self.genotype.operations, EDGES, strict=True)):
            if operation == NONE:
                continue
            value = values[source]
            if str(edge) in self.convolutions:
                value = self.convolutions[str(edge)](value)
            elif operation == AVG_POOL:
                value = avg_pool_3x3(value)
            values[target] = values[target] + value
        return values[3]


class DiscreteNetwork(Skeleton):
    """images [B, c, H, W] -> logits [B, classes]; batch normalisation is affine everywhere."""

    def __init__(self, genotype: Genotype, channels: int, cells: int, in_channels: int, classes: int) -> None:
        super().__init__(lambda c: DiscreteCell(c, genotype), channels, cells, in_channels, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.contiguous(memory_format=torch.channels_last))
