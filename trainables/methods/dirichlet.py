"""Drawing from Dirichlet distributions by a given generator, with the pathwise gradient of the draw (DrNAS).

Paper: Chen et al., "DrNAS: Dirichlet Neural Architecture Search", ICLR 2021, arXiv:2006.10355, equation 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class SampleDirichlet(torch.autograd.Function):
    """c [E, O], generator -> p [E, O] ~ Dirichlet(c), with the pathwise gradient; draws from the given generator."""

    @staticmethod
    def forward(ctx: Any, c: Tensor, generator: torch.Generator) -> Tensor:
        p = torch._sample_dirichlet(c, generator)
        ctx.save_for_backward(p, c)
        return p

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        p, c = ctx.saved_tensors
        return pathwise_gradient(p, c, g), None


def pathwise_gradient(p: Tensor, c: Tensor, g: Tensor) -> Tensor:
    """dL/dc [E, O] of a draw p [E, O] with upstream gradient g = dL/dp [E, O] (equation 5)."""
    total = c.sum(-1, keepdim=True).expand_as(c)
    return torch._dirichlet_grad(p, c, total) * (g - (p * g).sum(-1, keepdim=True))
