"""SDARTS: train the weights at perturbed mixing weights, so that the loss is flat where derivation will move them.

Paper: Chen and Hsieh, "Stabilizing Differentiable Architecture Search via Perturbation-based Regularization", ICML
2020, arXiv:2002.05283.  Code: xiangning-chen/SmoothDARTS.

    p = softmax(alpha);  the architecture step is that of DARTS, first or second order
    weight step:  w <- SGD(dL_train(w, simplex(p + delta))/dw)
    variant random (RS):        delta ~ Uniform(-epsilon_t, epsilon_t), anew in every step
    variant adversarial (ADV):  delta maximises L_train(w, p + delta) within |delta| <= epsilon_t, entry by entry, by
                                ``attack_steps`` steps from a uniform start:  delta <- clamp(delta + 2 epsilon_t /
                                attack_steps * sign(dL_train/ddelta), -epsilon_t, epsilon_t)
    simplex(q) = clamp(q, 0, 1) divided by its row sum; one-hot at the largest entry of q where that sum is 0
    epsilon_t  = epsilon_start + (epsilon - epsilon_start) t / T:  t epochs done of T
    derive: argmax_o p[e, o], none included.

Deviations:
1. The attack's passes are those of train mode, as the step that follows, and leave running statistics as they were.
   Unverified: that the release attacks in eval mode.
2. There is no code of the authors for NAS-Bench-201. Supernet and weights train as xiangning-chen/DrNAS trains DARTS
   there (P1, 100 epochs, no Nesterov momentum, weight decay 3e-4), in first order; epsilon (0.03 to 0.3) and the seven
   steps are those of the paper's other spaces.
3. Unrolled (second order), the architecture step is taken at p without a perturbation.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.darts import Darts, DartsConfig
from trainables.methods.diagnostics import statistics_kept
from trainables.methods.differentiable import Batch
from trainables.methods.search_method import scales
from trainables.spec import Scale

_RELEASE = "xiangning-chen/SmoothDARTS"
_DRNAS = "xiangning-chen/DrNAS, NAS-Bench-201"


class SdartsConfig(DartsConfig):
    variant: Literal["random", "adversarial"] = hyperparameter(
        "random", "random smoothing (RS) or the worst perturbation found (ADV)", source="paper"
    )
    epsilon: float = hyperparameter(
        0.3, "largest perturbation of a mixing weight towards the end", source=_RELEASE, search=Range(0.03, 0.5),
        ge=0, lt=1,
    )  # fmt: skip
    epsilon_start: float = hyperparameter(
        0.03, "largest perturbation in the first epoch", source=_RELEASE, search=Range(0, 0.1), ge=0, lt=1
    )
    attack_steps: int = hyperparameter(
        7, "adversarial: steps of the attack", source=_RELEASE, search=Range(1, 10), ge=1
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P1", "which images drive which step", source=_DRNAS)
    nesterov: bool = DartsConfig.redeclare("nesterov", False, source=_DRNAS)
    weight_decay: float = DartsConfig.redeclare("weight_decay", 3e-4, source=_DRNAS)


def simplex(weights: Tensor) -> Tensor:
    """weights [E, O] clamped to [0, 1] and divided by their row sums; one-hot where all of a row would be 0."""
    clamped = weights.clamp(0, 1)
    largest = (weights == weights.amax(dim=1, keepdim=True)).to(weights.dtype)
    clamped = torch.where((clamped == 0).all(dim=1, keepdim=True), largest, clamped)
    return clamped / clamped.sum(dim=1, keepdim=True)


def ascend(delta: Tensor, gradient: Tensor, step: float, epsilon: float) -> Tensor:
    """One step of the attack: along the gradient's signs, and back into [-epsilon, epsilon]."""
    return (delta + step * gradient.sign()).clamp(-epsilon, epsilon)


class Sdarts(Darts):
    """DARTS whose weights train at perturbed mixing weights."""

    Config = SdartsConfig
    paper = (
        "Chen, Hsieh. Stabilizing Differentiable Architecture Search via Perturbation-based Regularization. ICML 2020. "
        "arXiv:2002.05283"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64))
    config: SdartsConfig

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        attack = 0.4 * config.attack_steps if config.variant == "adversarial" else 0.0
        return super().relative_cost(config) + attack

    def epsilon(self) -> float:
        """The present epoch's largest perturbation."""
        start, end = self.config.epsilon_start, self.config.epsilon
        return start + (end - start) * self.epochs_done / self.total_epochs

    def weight_step(self, train: Batch, mixing: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().weight_step(train, self.perturbed(train))

    def perturbed(self, train: Batch) -> Tensor:
        """The mixing weights [R, O] that the weights train at."""
        weights, epsilon = self.scores().detach(), self.epsilon()
        noise = torch.rand(weights.shape, generator=self.context.streams("perturbation", weights.device),
                           device=weights.device, dtype=weights.dtype)  # fmt: skip
        delta = epsilon * (2 * noise - 1)
        if self.config.variant == "adversarial":
            delta = self.attacked(train, weights, delta, epsilon)
        return simplex(weights + delta)

    def attacked(self, train: Batch, weights: Tensor, delta: Tensor, epsilon: float) -> Tensor:
        """The perturbation [R, O] that the attack arrives at from ``delta``."""
        step = 2 * epsilon / self.config.attack_steps
        with statistics_kept(self.supernet), self.supernet.weights_rest():
            for _ in range(self.config.attack_steps):
                delta.requires_grad_()
                (gradient,) = torch.autograd.grad(self.loss(train, weights + delta)[0], delta)
                delta = ascend(delta.detach(), gradient, step, epsilon)
        return delta
