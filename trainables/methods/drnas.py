"""DrNAS: sample the mixing weights from a Dirichlet distribution and learn its concentration.

Paper: Chen, Wang, Cheng, Tang and Hsieh, "DrNAS: Dirichlet Neural Architecture Search", ICLR 2021, arXiv:2006.10355.
Code: xiangning-chen/DrNAS.

    c = elu(alpha) + 1                     concentration, about 1 (uniform) at the start      (section 2.2)
    p[e, :] ~ Dirichlet(c[e, :])           one draw per edge and forward pass, shared by all cells
    dL/dc   = D(p, c) * (g - sum_o p_o g_o)    pathwise derivative, g = dL/dp                 (equation 5)
    alpha <- Adam(dL_valid/dalpha), with the regulariser either
        l2: weight decay ``reg_scale`` in Adam (pulls c to the uniform Dirichlet), or
        kl: L_valid + reg_scale * sum_e KL(Dir(c[e]) || Dir(1))                               (equation 7)
    derive: argmax_o softmax(alpha)[e, o].

Both the architecture step and the weight step draw; no warm-up.

Deviations:
1. Concentrations are kept >= 1e-6, where float32 sampling would otherwise fail.
2. The validation accuracy recorded is that of the sampled architecture batches (the release also samples in its
   validation pass).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from trainables.hyperparameters import Range, hyperparameter
from trainables.methods.adam_architecture import architecture_adam
from trainables.methods.differentiable import DifferentiableSearch, WeightTraining
from trainables.methods.search_method import SearchContext
from trainables.spec import Scale

_RELEASE = "xiangning-chen/DrNAS, NAS-Bench-201"


class DrnasConfig(WeightTraining):
    arch_lr: float = hyperparameter(
        3e-4, "Adam learning rate of alpha", source=_RELEASE, search=Range(3e-5, 3e-2, log=True), gt=0
    )
    regulariser: Literal["l2", "kl"] = hyperparameter(
        "l2", "how the concentration is kept near the uniform Dirichlet", source=_RELEASE
    )
    reg_scale: float = hyperparameter(
        1e-3, "strength of the regulariser", source=_RELEASE, search=Range(1e-5, 1e-1, log=True), ge=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P1", "which images drive which step", source=_RELEASE)


def concentration(alpha: Tensor) -> Tensor:
    """elu(alpha) + 1, of alpha's shape, at least 1e-6."""
    return (F.elu(alpha) + 1).clamp_min(1e-6)


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


def kl_to_uniform(alpha: Tensor) -> Tensor:
    """sum_e KL(Dir(elu(alpha[e]) + 1) || Dir(1, ..., 1)), a scalar (equation 7)."""
    c = concentration(alpha)
    return kl_divergence(Dirichlet(c, validate_args=False), Dirichlet(torch.ones_like(c), validate_args=False)).sum()


class Drnas(DifferentiableSearch[DrnasConfig]):
    """Dirichlet relaxation, Adam on alpha."""

    Config = DrnasConfig
    paper = "Chen, Wang, Cheng, Tang, Hsieh. DrNAS: Dirichlet Neural Architecture Search. ICLR 2021. arXiv:2006.10355"
    paper_scale = Scale(channels=16, cells=5, epochs=100, batch_size=64)

    def __init__(self, config: DrnasConfig, context: SearchContext) -> None:
        super().__init__(config, context)
        decay = config.reg_scale if config.regulariser == "l2" else 0.0
        self.architecture_optimizer = architecture_adam(self.alpha, config.arch_lr, decay)

    @classmethod
    def protocol(cls, config: Any) -> str:
        return config.protocol

    def scores(self) -> Tensor:
        return self.alpha.softmax(dim=1)

    def mixing(self) -> Tensor:
        noise = self.context.streams("architecture.noise", self.alpha.device)
        p: Tensor = SampleDirichlet.apply(concentration(self.alpha), noise)
        return p

    def regulariser(self) -> Tensor | float:
        return self.config.reg_scale * kl_to_uniform(self.alpha) if self.config.regulariser == "kl" else 0.0
