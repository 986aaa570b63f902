"""The network of one genotype of the DARTS space, as its papers evaluate it (without auxiliary head and drop path).

Source: Liu, Simonyan and Yang, ICLR 2019, arXiv:1806.09055, appendix A.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.spaces.darts.genotype import INPUTS, KEPT, Cell, Genotype
from trainables.spaces.darts.operations import operation
from trainables.spaces.darts.skeleton import Preprocessing, Skeleton


class DiscreteCell(nn.Module):
    """(s_0, s_1) -> the cell's nodes side by side, [B, 4 C, H, W], or half that size where it reduces."""

    def __init__(self, cell: Cell, c_0: int, c_1: int, channels: int, reduces: bool, reduced_before: bool) -> None:
        super().__init__()
        self.sources = [source for _, source in cell]
        self.preprocessing = Preprocessing(c_0, c_1, channels, reduced_before, affine=True)
        self.operations = nn.ModuleList(
            operation(name, channels, 2 if reduces and source < INPUTS else 1, affine=True) for name, source in cell
        )

    def forward(self, s_0: Tensor, s_1: Tensor) -> Tensor:
        nodes = self.preprocessing(s_0, s_1)
        for start in range(0, len(self.sources), KEPT):
            first, second = (self.operations[edge](nodes[self.sources[edge]]) for edge in range(start, start + KEPT))
            nodes.append(first + second)
        return torch.cat(nodes[INPUTS:], dim=1)


class DiscreteNetwork(Skeleton):
    """images [B, colours, H, W] -> logits [B, classes]."""

    def __init__(self, genotype: Genotype, channels: int, cells: int, colours: int, classes: int) -> None:
        def make_cell(c_0: int, c_1: int, width: int, reduces: bool, reduced_before: bool) -> DiscreteCell:
            cell = genotype.reduce if reduces else genotype.normal
            return DiscreteCell(cell, c_0, c_1, width, reduces, reduced_before)

        super().__init__(make_cell, channels, cells, colours, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.contiguous(memory_format=torch.channels_last))
