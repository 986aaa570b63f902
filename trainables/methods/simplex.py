"""Steps that stay on the simplex: exponentiated gradient, its normalisations and the entropic regulariser (GAEA).

Paper: Li, Khodak, Balcan and Talwalkar, ICLR 2021, arXiv:2004.07802, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable

from trainables.later import Tensor, torch

SMALLEST = 1e-5


def clamp_then_divide(alpha: Tensor) -> Tensor:
    """Clamp to at least 1e-5, then divide by the row sum; alpha [E, O]."""
    alpha = alpha.clamp_min(SMALLEST)
    return alpha / alpha.sum(dim=-1, keepdim=True)


def divide_then_clamp(alpha: Tensor) -> Tensor:
    """Divide by the row sum, then clamp to at least 1e-5; rows of the result may sum to a little more than 1."""
    return (alpha / alpha.sum(dim=-1, keepdim=True)).clamp_min(SMALLEST)


def exponentiated_gradient(
    point: Tensor, gradient: Tensor, lr: float, normalise: Callable[[Tensor], Tensor] = clamp_then_divide
) -> Tensor:
    """One step on the simplex (algorithm 1): point * exp(-lr * gradient), normalised, of the point's shape."""
    return normalise(point * torch.exp(-lr * gradient))


def entropic_regulariser(alpha: Tensor) -> Tensor:
    """sum alpha log(alpha |O|): 0 at the uniform point, largest at the corners."""
    return (alpha * (alpha * alpha.shape[-1]).log()).sum()
