"""Building blocks shared by the supernet and the discrete network of NAS-Bench-201.

Source: Dong and Yang, ICLR 2020, arXiv:2001.00326, section 2.1 (operations) and figure 1 (macro skeleton).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn


class ReluConvBn(nn.Sequential):
    """ReLU -> convolution without bias -> batch normalisation, in that (pre-activation) order."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, *, affine: bool = True) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(c_out, affine=affine),
        )


def avg_pool_3x3(x: Tensor) -> Tensor:
    """3x3 average pooling at stride 1 that does not count the padding; shape [B, C, H, W] is kept."""
    if x.is_cuda:
        x = x.contiguous()  # of channels-last images the backward pass of this pooling is wrong on CUDA (torch 2.11)
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class ResidualReduction(nn.Module):
    """The block between stages: [B, C_in, H, W] -> [B, C_out, H/2, W/2]. Always affine."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv_a = ReluConvBn(c_in, c_out, 3, stride=2)
        self.conv_b = ReluConvBn(c_out, c_out, 3)
        # ceil_mode keeps odd image sizes in step with the strided convolution; even sizes are unchanged by it
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True, count_include_pad=False),
            nn.Conv2d(c_in, c_out, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.conv_b(self.conv_a(x))
        return out


class Skeleton(nn.Module):
    """The macro network: stem, three stages of N cells at C, 2C, 4C, reductions between them, classifier.

    ``make_cell(channels)`` builds one cell; ``forward`` passes ``context`` on to the cells, which is how a supernet
    hands its mixing weights to them.
    """

    def __init__(
        self, make_cell: Callable[[int], nn.Module], channels: int, cells: int, in_channels: int, classes: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        stages = [[make_cell(channels * width) for _ in range(cells)] for width in (1, 2, 4)]
        self.stages = nn.ModuleList(nn.ModuleList(stage) for stage in stages)
        self.reductions = nn.ModuleList(ResidualReduction(channels * width, channels * width * 2) for width in (1, 2))
        self.norm = nn.BatchNorm2d(channels * 4)
        self.classifier = nn.Linear(channels * 4, classes)

    def forward(self, images: Tensor, *context: Any) -> Tensor:
        """images [B, in_channels, H, W] -> logits [B, classes]."""
        return self.classify(self.stage_outputs(images, *context)[-1])

    def stage_outputs(self, images: Tensor, *context: Any) -> list[Tensor]:
        """What each stage hands on, its reduction included: [B, 2C, H/2, W/2], [B, 4C, H/4, W/4] and once more that."""
        x, outputs = self.stem(images), []
        handed = iter(self.contexts(*context))
        for index, stage in enumerate(self.stages):
            for cell in cast(nn.ModuleList, stage):
                x = cell(x, *next(handed))
            if index < len(self.reductions):
                x = self.reductions[index](x)
            outputs.append(x)
        return outputs

    def contexts(self, *context: Any) -> Iterable[tuple[Any, ...]]:
        """What each cell in turn is handed: all of it, to every one."""
        return repeat(context)

    def classify(self, x: Tensor) -> Tensor:
        """The last stage's output [B, 4C, H/4, W/4] -> logits [B, classes]."""
        logits: Tensor = self.classifier(F.relu(self.norm(x)).mean((2, 3)))
        return logits
