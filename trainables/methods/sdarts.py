"""SDARTS: train the weights at perturbed mixing weights, so that the loss is flat where derivation will move them.

Paper: Chen and Hsieh, "Stabilizing Differentiable Architecture Search via Perturbation-based Regularization", ICML
2020, arXiv:2002.05283.  Code: xiangning-chen/SmoothDARTS.

    p = softmax(alpha);  the architecture step is that of DARTS, first or second order
    weight step:  w <- SGD(dL_train(w, simplex(p + delta))/dw)
    variant random (RS):        delta ~ Uniform(-epsilon_t, epsilon_t), anew in every step
    variant adversarial (ADV):  q maximises L_train(w, q) near p, by ``attack_steps`` steps from q = simplex(p + delta):
                                q <- simplex(p + clamp(q + 2 epsilon_t / attack_steps * sign(dL_train/dq) - p,
                                                       -epsilon_t, epsilon_t))
                                in eval mode (running statistics); where the loss at q is below that at p, q is p
    simplex(q) = clamp(q, 0, 1) divided by its row sum; one-hot at the largest entry of q where that sum is 0
    epsilon_t  = epsilon_start + (epsilon - epsilon_start) t / T:  t epochs done of T
    derive: argmax_o p[e, o], none included.

All settings are those of the authors' search of NAS-Bench-201, in first order; the architecture step, unrolled or not,
is taken at p without a perturbation.

Deviations: none known beyond those that all methods share (differentiable.py).
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.checked import Checked
from trainables.methods.darts import Darts, DartsConfig
from trainables.methods.differentiable import Batch
from trainables.methods.search_method import scales
from trainables.spec import Scale

_RELEASE = "xiangning-chen/SmoothDARTS, NAS-Bench-201"


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
    protocol: Literal["P1", "P2"] = hyperparameter("P1", "which images drive which step", source=_RELEASE)
    nesterov: bool = DartsConfig.redeclare("nesterov", False, source=_RELEASE)
    weight_decay: float = DartsConfig.redeclare("weight_decay", 3e-4, source=_RELEASE)


def simplex(weights: Tensor) -> Tensor:
    """weights [E, O] clamped to [0, 1] and divided by their row sums; one-hot where all of a row would be 0."""
    clamped = weights.clamp(0, 1)
    largest = (weights == weights.amax(dim=1, keepdim=True)).to(weights.dtype)
    clamped = torch.where((clamped == 0).all(dim=1, keepdim=True), largest, clamped)
    return clamped / clamped.sum(dim=1, keepdim=True)


def ascend(weights: Tensor, gradient: Tensor, centre: Tensor, step: float, epsilon: float) -> Tensor:
    """One step of the attack, all [E, O]: along the gradient's signs, no entry further from ``centre`` than epsilon."""
    return simplex(centre + (weights + step * gradient.sign() - centre).clamp(-epsilon, epsilon))


class Sdarts(Darts):
    """DARTS whose weights train at perturbed mixing weights."""

    Config = SdartsConfig
    version = 2
    checked = Checked("lockstep", "xiangning-chen/SmoothDARTS", "2026-11", 2e-16, "both variants")
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
        start = simplex(weights + epsilon * (2 * noise - 1))
        return start if self.config.variant == "random" else self.attacked(train, weights, start, epsilon)

    def attacked(self, train: Batch, weights: Tensor, start: Tensor, epsilon: float) -> Tensor:
        """Where an attack on mixing weights [R, O] arrives from ``start``; these themselves if their loss is higher."""
        step, found = 2 * epsilon / self.config.attack_steps, start
        self.supernet.eval()
        with self.supernet.weights_rest():
            for _ in range(self.config.attack_steps):
                found.requires_grad_()
                (gradient,) = torch.autograd.grad(self.loss(train, found)[0], found)
                found = ascend(found.detach(), gradient, weights, step, epsilon)
        with torch.no_grad():
            failed = self.loss(train, weights)[0] > self.loss(train, found)[0]
        self.supernet.train()
        return torch.where(failed, weights, found)
