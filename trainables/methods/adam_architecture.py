"""The architecture optimiser of the DARTS family: Adam with L2 weight decay added to the gradient."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from trainables.hyperparameters import Range, hyperparameter
from trainables.methods.differentiable import DifferentiableSearch, WeightTraining
from trainables.methods.search_method import SearchContext

_SOURCE = "DARTS search recipe (Liu et al. 2019, appendix A.1)"


class AdamArchitecture(WeightTraining):
    """Weight training plus Adam on alpha."""

    arch_lr: float = hyperparameter(
        3e-4, "Adam learning rate of alpha", source=_SOURCE, search=Range(3e-5, 3e-2, log=True), gt=0
    )
    arch_weight_decay: float = hyperparameter(
        1e-3,
        "L2 weight decay of alpha, added to its gradient",
        source=_SOURCE,
        search=Range(1e-5, 1e-1, log=True),
        ge=0,
    )


ConfigT = TypeVar("ConfigT", bound=AdamArchitecture)


class AdamArchitectureSearch(DifferentiableSearch[ConfigT]):
    """A search that updates alpha with Adam, betas (0.5, 0.999)."""

    def __init__(self, config: ConfigT, context: SearchContext) -> None:
        super().__init__(config, context)
        self.architecture_optimizer = architecture_adam(self.alpha, config.arch_lr, config.arch_weight_decay)


def architecture_adam(alpha: Tensor, lr: float, weight_decay: float) -> torch.optim.Adam:
    """Not AdamW: the decay passes through the moments, which is what every release in the family does."""
    on_gpu = alpha.is_cuda  # where steps are replayed, Adam must count them on the device
    return torch.optim.Adam([alpha], lr=lr, betas=(0.5, 0.999), eps=1e-8, weight_decay=weight_decay, capturable=on_gpu)
