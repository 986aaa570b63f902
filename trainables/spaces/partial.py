"""Partial channels: on every edge the first C/K channels pass through the candidates, the others bypass them.

Source: Xu et al., "PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search", ICLR 2020,
arXiv:1907.05737, section 3.2. The shuffle that follows lets all channels take their turn in the next node.
"""

from __future__ import annotations

from trainables.errors import ConfigError
from trainables.later import F, Tensor, torch

STEP_COST = {1: 1.0, 2: 1.0, 4: 0.93, 8: 0.84}
"""Measured CPU time of an epoch by K, relative to K = 1, at 8 channels of the first stage and 16 x 16 pixels, where the
small operations dominate. At 16 channels K saves more: 0.80, 0.67, 0.62."""


def processed_channels(channels: int, partial: int) -> int:
    """C/K, the channels that pass through the candidates. Raises ConfigError unless K = ``partial`` divides C."""
    if partial < 1 or channels % partial:
        raise ConfigError(
            f"partial channels need a number of channels that 1/K of is whole, but got channels {channels} and "
            f"K = {partial}; set scale.channels to a multiple of {partial}, or a K that divides {channels}"
        )
    return channels // partial


def rejoin(processed: Tensor, bypassed: Tensor) -> Tensor:
    """processed [B, C/K, H, W] and bypassed [B, C - C/K, H, W] -> [B, C, H, W], shuffled in K groups.

    Channel j K + g of the result is channel g C/K + j of the two side by side. Memory format is kept.
    """
    joined = torch.cat([processed, bypassed], dim=1)
    return F.channel_shuffle(joined, joined.shape[1] // processed.shape[1])
