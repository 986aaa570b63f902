"""The architecture optimiser of the DARTS family: Adam with L2 weight decay added to the gradient."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.differentiable import Batch, DifferentiableSearch
from trainables.methods.search_method import ImageContext
from trainables.methods.weight_training import WeightTraining

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


WeightsT = TypeVar("WeightsT", bound=WeightTraining)
ConfigT = TypeVar("ConfigT", bound=AdamArchitecture)


class AdamSearch(DifferentiableSearch[WeightsT]):
    """A search that updates alpha with Adam, at the rate and decay it is constructed with."""

    first_moment: ClassVar[float] = 0.5
    """Adam's first beta."""

    def __init__(self, config: WeightsT, context: ImageContext, lr: float, weight_decay: float) -> None:
        super().__init__(config, context)
        self.architecture_optimizer = architecture_adam(self.alpha, lr, weight_decay, self.first_moment)

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        self.alpha.grad, loss, logits = self.architecture_gradient(train, valid)
        self.architecture_optimizer.step()
        return loss, logits

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"architecture_optimizer": self.architecture_optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.architecture_optimizer.load_state_dict(state["architecture_optimizer"])


class AdamArchitectureSearch(AdamSearch[ConfigT]):
    """A search whose config says at what rate Adam updates alpha, and how it decays."""

    def __init__(self, config: ConfigT, context: ImageContext) -> None:
        super().__init__(config, context, config.arch_lr, config.arch_weight_decay)


def architecture_adam(alpha: Tensor, lr: float, weight_decay: float, first_moment: float = 0.5) -> torch.optim.Adam:
    """The second beta is 0.999. Not AdamW: the decay passes through the moments, as in every release of the family."""
    on_gpu = alpha.is_cuda  # where steps are replayed, Adam must count them on the device
    return torch.optim.Adam(
        [alpha], lr=lr, betas=(first_moment, 0.999), eps=1e-8, weight_decay=weight_decay, capturable=on_gpu
    )
