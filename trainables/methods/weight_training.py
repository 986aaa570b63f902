"""How shared weights are trained: the settings of SGD, its learning rate, and what an epoch records of it."""

from __future__ import annotations

import math

from trainables.hyperparameters import MethodConfig, Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.search_method import Metrics

_SHARED = "DARTS search recipe (Liu et al. 2019, appendix A.1)"


class WeightTraining(MethodConfig):
    """How the supernet's weights are trained; methods inherit these and change defaults where their paper does."""

    weight_lr: float = hyperparameter(
        0.025, "initial learning rate of the weights", source=_SHARED, search=Range(0.0025, 0.25, log=True), gt=0
    )
    weight_lr_min: float = hyperparameter(
        0.001, "learning rate at the end of the cosine", source=_SHARED, search=Range(1e-5, 2e-3, log=True), ge=0
    )
    momentum: float = hyperparameter(0.9, "SGD momentum", source=_SHARED, search=Range(0.5, 0.99), ge=0, lt=1)
    nesterov: bool = hyperparameter(False, "Nesterov momentum", source=_SHARED)
    weight_decay: float = hyperparameter(
        3e-4, "L2 weight decay of the weights", source=_SHARED, search=Range(1e-5, 1e-2, log=True), ge=0
    )
    grad_clip: float = hyperparameter(
        5.0, "largest L2 norm of the weights' gradient", source=_SHARED, search=Range(0.5, 10, log=True), gt=0
    )


def cosine(start: float, end: float, epoch: int, epochs: int) -> float:
    """The learning rate during ``epoch`` (from 0): end + (start - end)(1 + cos(pi * epoch / epochs)) / 2."""
    return end + (start - end) * (1 + math.cos(math.pi * epoch / epochs)) / 2


class Average:
    """Mean loss and accuracy (percent) over batches; stays on the device until it is read, and in one place there."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.correct, self.images = (torch.zeros((), dtype=torch.int64, device=device) for _ in range(2))

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.loss += loss * len(labels)
        self.correct += (logits.argmax(1) == labels).sum()
        self.images += len(labels)

    def metrics(self, prefix: str) -> Metrics:
        return {
            f"{prefix}_loss": float(self.loss) / int(self.images),
            f"{prefix}_accuracy": 100.0 * float(self.correct) / int(self.images),
        }
