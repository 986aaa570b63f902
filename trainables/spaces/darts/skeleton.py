"""The macro network of the DARTS space: stem, L cells of which two reduce, classifier.

    stem: 3x3 convolution to 3 C channels, batch normalisation; both inputs of the first cell
    cells L // 3 and 2 L // 3 halve the image and double C; every cell's output is its four nodes side by side, 4 C
    a cell's inputs are brought to its C channels first, and to its size where the cell before reduced
    global average pooling, linear classifier

Source: Liu, Simonyan and Yang, ICLR 2019, arXiv:1806.09055, section 3: C = 16, L = 8 in search, 36, 20 in evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from trainables.spaces.darts.genotype import NODES
from trainables.spaces.darts.operations import FactorizedReduce, ReluConvBn

STEM = 3
"""Channels of the stem, in C."""
FEWEST_CELLS = 3
"""With fewer there is no normal cell beside the two that reduce."""


def reductions(cells: int) -> tuple[int, int]:
    """The places of the cells that reduce."""
    return cells // 3, 2 * cells // 3


class Preprocessing(nn.Module):
    """A cell's two inputs [B, c_0, ...] and [B, c_1, H, W] -> both [B, C, H, W]."""

    def __init__(self, c_0: int, c_1: int, channels: int, halved: bool, affine: bool) -> None:
        super().__init__()
        self.of_0 = FactorizedReduce(c_0, channels, affine) if halved else ReluConvBn(c_0, channels, affine)
        self.of_1 = ReluConvBn(c_1, channels, affine)

    def forward(self, s_0: Tensor, s_1: Tensor) -> list[Tensor]:
        return [self.of_0(s_0), self.of_1(s_1)]


MakeCell = Callable[[int, int, int, bool, bool], nn.Module]
"""c_0, c_1, C, whether it reduces, whether the cell before it did -> (s_0, s_1, *context) -> [B, 4 C, ...]"""


class Skeleton(nn.Module):
    """images [B, colours, H, W] -> logits [B, classes]. ``context`` is handed on to the cells."""

    def __init__(self, make_cell: MakeCell, channels: int, cells: int, colours: int, classes: int) -> None:
        super().__init__()
        width = STEM * channels
        self.stem = nn.Sequential(nn.Conv2d(colours, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.cells = nn.ModuleList(make_cell(*sizes) for sizes in _sizes(channels, cells))
        self.classifier = nn.Linear(4 * len(NODES) * channels, classes)

    def forward(self, images: Tensor, *context: Any) -> Tensor:
        before = last = self.stem(images)
        for cell in self.cells:
            before, last = last, cell(before, last, *context)
        logits: Tensor = self.classifier(last.mean((2, 3)))
        return logits


def _sizes(channels: int, cells: int) -> Iterator[tuple[int, int, int, bool, bool]]:
    c_0 = c_1 = STEM * channels
    reduced_before = False
    for place in range(cells):
        reduces = place in reductions(cells)
        channels *= 2 if reduces else 1
        yield c_0, c_1, channels, reduces, reduced_before
        c_0, c_1, reduced_before = c_1, len(NODES) * channels, reduces
