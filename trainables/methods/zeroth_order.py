"""Moves without a gradient: from losses at a few perturbations of a point to the point's next move.

The three optimisers of ZARTS (Wang et al., NeurIPS 2022, section 3), as pure functions. Points and draws have the shape
[E, O] of alpha; n draws d are stacked as [n, E, O], their losses L are [n], and L_0 is the loss at the point itself.

    MGS   d_i ~ q = (1 - mixture) N(-g, sigma^2 I) + mixture N(0, sigma^2 I)
          move = sum_i c_i d_i,   c_i ~ exp(-L_i / temperature) / (q(d_i) + 1e-4),  sum c_i = 1
    RS    d_i ~ N(0, sigma^2 I);  move = -step_size * mean_i (L_i - L_0) d_i / sigma^2
          The mean estimates the gradient of the loss smoothed by a Gaussian (Nesterov and Spokoiny, 2017).
    GLD   d_k ~ 2^-k N(0, sigma^2 I), k = 0..n-1;  move = the draw of the lowest loss if that is below L_0, else 0
          (Golovin et al., ICLR 2020, arXiv:1911.06317: radii from the largest down by halves.)

q(d) leaves out the Gaussians' normalising constant, as released; L_0 would cancel in c and is not needed.
"""

from __future__ import annotations

from trainables.later import Tensor, torch


def perturbations(gradient: Tensor, samples: int, sigma: float, mixture: float, generator: torch.Generator) -> Tensor:
    """Draws from q, [samples, E, O], at a gradient [E, O]; with a gradient of zeros, from N(0, sigma^2 I)."""
    device = gradient.device
    centred = torch.rand(samples, 1, 1, generator=generator, device=device) < mixture
    noise = torch.randn(samples, *gradient.shape, generator=generator, device=device, dtype=gradient.dtype)
    return torch.where(centred, torch.zeros_like(gradient), -gradient) + sigma * noise


def coefficients(
    losses: Tensor, draws: Tensor, gradient: Tensor, *, sigma: float, mixture: float, temperature: float
) -> Tensor:
    """MGS: c [n], summing to 1, for losses [n] at perturbations [n, ...] drawn at a gradient of shape [...]."""
    draws, gradient = draws.flatten(1), gradient.flatten()

    def kernel(distance: Tensor) -> Tensor:
        return torch.exp(-distance.square().sum(1) / (2 * sigma**2))

    density = (1 - mixture) * kernel(draws + gradient) + mixture * kernel(draws)
    return torch.softmax(-losses / temperature - torch.log(density + 1e-4), dim=0)


def smoothed_gradient(losses: Tensor, base: Tensor, draws: Tensor, sigma: float) -> Tensor:
    """RS: the mean over draws [n, E, O] of (L_i - L_0) d_i / sigma^2, [E, O]."""
    return torch.tensordot((losses - base) / (len(draws) * sigma**2), draws, dims=1)


def halved(draws: Tensor) -> Tensor:
    """GLD: the draws [n, E, O] shrunk by 1, 1/2, 1/4, ..."""
    return draws * (0.5 ** torch.arange(len(draws), device=draws.device, dtype=draws.dtype)).view(-1, 1, 1)


def best_move(losses: Tensor, base: Tensor, draws: Tensor) -> Tensor:
    """GLD: the draw [E, O] of the lowest loss, the first of equals; zeros if no loss is below ``base``."""
    lowest = losses.argmin()
    return torch.where(losses[lowest] < base, draws[lowest], torch.zeros_like(draws[lowest]))
