"""DARTS: relax the choice of operations to a softmax and descend on validation loss by gradient.

Paper: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv:1806.09055.
Code: quark0/darts; on NAS-Bench-201 D-X-Y/AutoDL-Projects (Dong and Yang 2020).

    p[e, :]  = softmax(alpha[e, :])                                                     (equation 2)
    first order:   g = dL_valid(w, alpha) / dalpha                                      (section 2.3, xi = 0)
    second order:  w' = w - eta (momentum * buffer + dL_train/dw + wd * w)
                   v  = dL_valid(w', alpha) / dw',  R = 0.01 / |v|                      (equations 7, 8)
                   g  = dL_valid(w', alpha)/dalpha
                        - eta (dL_train(w + R v)/dalpha - dL_train(w - R v)/dalpha) / 2R
    alpha <- Adam(g);  derive: argmax_o p[e, o], none included.

On NAS-Bench-201 this collapses to skip connections. Nothing here prevents that: it is the phenomenon under study.

Deviations:
1. Architecture step before weight step also in first order, as in the paper's algorithm 1 and quark0/darts;
   AutoDL-Projects does it the other way round in first order.
2. In second order the recorded validation loss and accuracy are those at the unrolled weights w'.
3. Defaults are the AutoDL NAS-Bench-201 setting (P2, 50 epochs, Nesterov, weight decay 5e-4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from trainables.hyperparameters import hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.search_method import scales
from trainables.methods.weight_training import WeightTraining
from trainables.spec import Scale

_AUTODL = "AutoDL-Projects, DARTS on NAS-Bench-201"


class DartsConfig(AdamArchitecture):
    order: Literal["first", "second"] = hyperparameter(
        "first", "first-order or unrolled second-order architecture gradient", source="paper, section 2.3"
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P2", "which images drive which step", source=_AUTODL)
    nesterov: bool = WeightTraining.redeclare("nesterov", True, source=_AUTODL)
    weight_decay: float = WeightTraining.redeclare("weight_decay", 5e-4, source=_AUTODL)


Loss = Callable[[], Tensor]
"""Evaluates a loss at the present value of the weights and of alpha."""


def unrolled_weights(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    buffers: Sequence[Tensor],
    eta: float,
    momentum: float,
    weight_decay: float,
) -> list[Tensor]:
    """One SGD step ahead: w' = w - eta (momentum * buffer + gradient + weight_decay * w), shapes as ``weights``."""
    together = zip(weights, gradients, buffers, strict=True)
    with torch.no_grad():
        return [w - eta * (momentum * b + g + weight_decay * w) for w, g, b in together]


def second_order_gradient(
    train_loss: Loss,
    valid_loss: Loss,
    weights: Sequence[Tensor],
    buffers: Sequence[Tensor],
    alpha: Tensor,
    *,
    eta: float,
    momentum: float,
    weight_decay: float,
) -> Tensor:
    """The unrolled architecture gradient, of alpha's shape. ``weights`` move in between and are restored exactly."""
    original = [w.detach().clone() for w in weights]

    def place(values: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for w, value in zip(weights, values, strict=True):
                w.copy_(value)

    gradients = torch.autograd.grad(train_loss(), weights)
    place(unrolled_weights(original, gradients, buffers, eta, momentum, weight_decay))
    *v, direct = torch.autograd.grad(valid_loss(), [*weights, alpha])
    radius = 0.01 / torch.stack([x.norm() for x in v]).norm()
    place([w + radius * x for w, x in zip(original, v, strict=True)])
    (above,) = torch.autograd.grad(train_loss(), alpha)
    place([w - radius * x for w, x in zip(original, v, strict=True)])
    (below,) = torch.autograd.grad(train_loss(), alpha)
    place(original)
    return direct - eta * (above - below) / (2 * radius)


class Darts(AdamArchitectureSearch[DartsConfig]):
    """Softmax relaxation, Adam on alpha."""

    Config = DartsConfig
    checked = Checked("lockstep", "D-X-Y/AutoDL-Projects", "2026-11", 1e-14, "second order")
    paper = "Liu, Simonyan, Yang. DARTS: Differentiable Architecture Search. ICLR 2019. arXiv:1806.09055"
    published = scales(
        nas_bench_201=Scale(channels=16, cells=5, epochs=50, batch_size=64),
        darts=Scale(channels=16, cells=8, epochs=50, batch_size=64),
    )

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 1.0 if config.order == "first" else 2.5

    def architecture_gradient(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor, Tensor]:
        if self.config.order == "first":
            return super().architecture_gradient(train, valid)
        observed: list[Tensor] = []

        def valid_loss() -> Tensor:
            loss, logits = self.loss(valid, self.mixing())
            observed.extend((loss.detach(), logits.detach()))
            return loss

        state = self.weight_optimizer.state
        buffers = [state[w]["momentum_buffer"] if w in state else torch.zeros_like(w) for w in self.weights]
        gradient = second_order_gradient(
            lambda: self.loss(train, self.mixing())[0],
            valid_loss,
            self.weights,
            buffers,
            self.alpha,
            eta=self.weight_optimizer.param_groups[0]["lr"],
            momentum=self.config.momentum,
            weight_decay=self.weight_optimizer.param_groups[0]["weight_decay"],
        )
        return gradient, observed[0], observed[1]
