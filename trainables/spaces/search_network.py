"""What a search asks of a supernet, whatever its space."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


class SearchNetwork(nn.Module):
    """(images [B, c, H, W], mixing [R, O] or a SinglePath, weights of whole rows [R] or None) -> logits [B, classes].

    A space whose supernet has kernels of its own overrides the rest.
    """

    def fuse(self, fused: bool = True) -> None:
        """Run by such kernels wherever they apply; what they compute differentiates once only."""

    @contextmanager
    def twice_differentiable(self) -> Iterator[None]:
        """Within this block nothing runs by kernels that differentiate once only."""
        yield

    @contextmanager
    def weights_rest(self) -> Iterator[None]:
        """Forward passes within this block will not be asked for the weights' gradients."""
        yield

    def __call__(self, *inputs: Any) -> Any:
        return super().__call__(*inputs)
