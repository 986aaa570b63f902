"""The candidates of the DARTS space, [B, C, H, W] -> [B, C, H/s, W/s] at stride s, and what a cell does to its inputs.

``affine`` says whether batch normalisation has a scale and a shift: in evaluation it has, in a supernet it has none,
and there each pooling is followed by a normalisation, too.

Source: Liu, Simonyan and Yang, ICLR 2019, arXiv:1806.09055, section 3.1.1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ReluConvBn(nn.Sequential):
    """ReLU -> 1x1 convolution -> batch normalisation: [B, c_in, H, W] -> [B, c_out, H, W]."""

    def __init__(self, c_in: int, c_out: int, affine: bool) -> None:
        super().__init__(nn.ReLU(), nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out, affine=affine))


class FactorizedReduce(nn.Module):
    """[B, c_in, H, W] -> [B, c_out, H/2, W/2]: two strided 1x1 convolutions, the second of the pixels between."""

    def __init__(self, c_in: int, c_out: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(c_in, c_out - c_out // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        between = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]  # odd sizes keep in step with the first convolution
        out: Tensor = self.norm(torch.cat([self.conv_1(x), self.conv_2(between)], dim=1))
        return out


def separable(channels: int, kernel: int, stride: int, affine: bool) -> nn.Sequential:
    """Twice: ReLU -> depthwise kernel x kernel -> 1x1 -> batch normalisation; the first with the stride."""

    def block(step: int) -> list[nn.Module]:
        return [
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, step, kernel // 2, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels, affine=affine),
        ]

    return nn.Sequential(*block(stride), *block(1))


def dilated(channels: int, kernel: int, stride: int, affine: bool) -> nn.Sequential:
    """ReLU -> depthwise kernel x kernel at dilation 2 -> 1x1 -> batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, kernel - 1, dilation=2, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    )


class AveragePooling(nn.AvgPool2d):
    """3x3 average pooling that does not count the padding."""

    def __init__(self, stride: int) -> None:
        super().__init__(3, stride, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda:
            x = (
                x.contiguous()
            )  # of channels-last images the backward pass of this pooling is wrong on CUDA (torch 2.11)
        return super().forward(x)


class Zero(nn.Module):
    """Nothing, of the right shape."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


def operation(name: str, channels: int, stride: int, *, affine: bool) -> nn.Module:
    """A candidate by its name."""
    if name == "none":
        return Zero(stride)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
    kind, kernel = name.rsplit("_", 1)[0], int(name[-1])
    if kind in ("max_pool", "avg_pool"):
        pool = nn.MaxPool2d(kernel, stride, 1) if kind == "max_pool" else AveragePooling(stride)
        return pool if affine else nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False))
    return (separable if kind == "sep_conv" else dilated)(channels, kernel, stride, affine)
