"""Gumbel noise and its temperature, shared by the methods that sample operations by it.

Sources: Jang, Gu and Poole, ICLR 2017, arXiv:1611.01144; Maddison, Mnih and Teh, ICLR 2017, arXiv:1611.00712.
"""

from __future__ import annotations

from trainables.later import Tensor, torch


def temperature(start: float, end: float, epoch: int, epochs: int) -> float:
    """Linear: ``start`` in epoch 0, ``end`` in the last of ``epochs``; a single epoch runs at ``start``."""
    return start - (start - end) * epoch / max(epochs - 1, 1)


def gumbel_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard Gumbel draws of the shape, type and device of ``like``: -log of exponential draws."""
    return -torch.empty_like(like, requires_grad=False).exponential_(generator=generator).log()


def relaxed_sample(logits: Tensor, noise: Tensor, tau: float) -> Tensor:
    """softmax((logits + noise) / tau) over the last dimension; any constant added to a row's logits cancels."""
    return ((logits + noise) / tau).softmax(dim=-1)
