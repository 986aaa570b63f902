"""Lambda-DARTS: train the weights so that all cells want the same operations.

Paper: Movahedi, Adabinejad, Imani, Keshavarz, Dehghani, Shakery and Araabi, "Λ-DARTS: Mitigating Performance Collapse
by Harmonizing Operation Selection among Cells", ICLR 2023, arXiv:2210.07998.  Code: dr-faustus/Lambda-DARTS.

    p = softmax(alpha), of which every cell l = 1..L is handed a copy p_l
    g_l    = dL_train/dp_l                                    what cell l would change in the cell that all share
    Lambda = mean over pairs of cells of  cosine: <g_l, g_k> / (|g_l| |g_k|),  or  sign: <g_l, g_k> / <|g_l|, |g_k|>
    Delta  = dLambda/dg;   e = epsilon / |Delta|, the norm of all cells together
    w     <- SGD(dL_train/dw - lambda_t (dL_train/dw at p + e Delta  -  dL_train/dw at p - e Delta) / 2 e)
    lambda_t = alignment * t / (T - 1):  t epochs done of T
    alpha <- Adam(dL_valid/dalpha), as in DARTS;  derive: argmax_o p[e, o], none included.

Cells near the output have the larger gradients and so decide for all; what they choose suits them alone. At
``alignment: 0`` it is DARTS.

The difference stands for d Lambda/dw = d<g, Delta>/dw, but kinks of the ReLUs lie within its step: on small networks
it is 10 to 80 times as long as that derivative and nearly orthogonal to it. ``epsilon: 0`` takes the derivative itself,
by differentiating twice; at 1e-6, in float64, both agree to 3e-10 where no kink is crossed.

Deviations:
1. Architecture step before weight step, as all methods here; the release does it the other way round.
2. The first epoch, whose lambda_t is 0, takes the plain step; the release passes its images forward twice more, which
   moves running statistics alone. The only epoch of a search of one has lambda_t 0.
3. The release compares the cosine on NAS-Bench-201; the sign, its other term, it has for the DARTS space alone.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.hessian import hessian_vector_product
from trainables.methods.search_method import scales
from trainables.spec import Scale

_RELEASE = "dr-faustus/Lambda-DARTS, NAS-Bench-201 script"
Measure = Literal["cosine", "sign"]


class LambdaDartsConfig(AdamArchitecture):
    alignment: float = hyperparameter(
        0.25, "weight of the layer alignment in the last epoch (lambda)", source=_RELEASE, search=Range(0, 1), ge=0
    )
    measure: Measure = hyperparameter("cosine", "how two cells' gradients are compared", source=_RELEASE)
    epsilon: float = hyperparameter(
        1e-4, "norm of the central difference's step; 0: the exact derivative", source=_RELEASE,
        search=Range(1e-5, 1e-2, log=True), ge=0,
    )  # fmt: skip
    arch_lr: float = AdamArchitecture.redeclare("arch_lr", 1e-4, source=_RELEASE)
    protocol: Literal["P1", "P2"] = hyperparameter("P1", "which images drive which step", source=_RELEASE)


def layer_alignment(gradients: Tensor, measure: Measure = "cosine") -> Tensor:
    """Lambda, a scalar in [-1, 1]: the mean likeness over all pairs of the cells' gradients [L, E, O], L > 1."""
    flat, cells = gradients.flatten(1), len(gradients)
    if measure == "cosine":
        unit = F.normalize(flat, dim=1)
        likeness = unit @ unit.T
    else:
        likeness = (flat @ flat.T) / (flat.abs() @ flat.abs().T)
    return (likeness.sum() - likeness.diagonal().sum()) / (cells * (cells - 1))


class LambdaDarts(AdamArchitectureSearch[LambdaDartsConfig]):
    """Softmax relaxation, Adam on alpha, weights that align the cells."""

    Config = LambdaDartsConfig
    version = 2
    checked = Checked("lockstep", "dr-faustus/Lambda-DARTS", "2026-11", 1e-12, "both measures")
    paper = (
        "Movahedi, Adabinejad, Imani, Keshavarz, Dehghani, Shakery, Araabi. Λ-DARTS: Mitigating Performance Collapse "
        "by Harmonizing Operation Selection among Cells. ICLR 2023. arXiv:2210.07998"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64))

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return ("nas_bench_201",)  # all cells are of one kind and read the same rows

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 2.4 if config.epsilon == 0 else 1.8

    def strength(self) -> float:
        """lambda_t of the present epoch."""
        return self.config.alignment * self.epochs_done / max(self.total_epochs - 1, 1)

    def weight_backward(self, train: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        strength = self.strength()
        if strength == 0:
            return super().weight_backward(train, mixing)
        own = mixing.repeat(3 * self.context.scale.cells, 1, 1).requires_grad_()
        if self.config.epsilon == 0:
            plain, aligning, result = self.exactly_aligning(train, own)
        else:
            plain, aligning, result = self.aligning(train, own)
        for weight, descent, ascent in zip(self.weights, plain, aligning, strict=True):
            weight.grad = descent - strength * ascent
        return result

    def direction(self, gradients: Tensor) -> Tensor:
        """Delta, [L, 6, 5], of the cells' gradients [L, 6, 5]."""
        gradients = gradients.detach().requires_grad_()
        return torch.autograd.grad(layer_alignment(gradients, self.config.measure), gradients)[0]

    def aligning(self, train: Batch, own: Tensor) -> tuple[list[Tensor], list[Tensor], tuple[Tensor, Tensor]]:
        """The weights' gradient of the loss, its central difference along Delta, and the loss with its logits."""
        loss, logits = self.loss(train, own)
        *plain, gradients = torch.autograd.grad(loss, [*self.weights, own])
        direction = self.direction(gradients)
        step = self.config.epsilon / direction.norm()
        above, below = (
            torch.autograd.grad(self.loss(train, own.detach() + sign * step * direction)[0], self.weights)
            for sign in (1, -1)
        )
        return plain, [(a - b) / (2 * step) for a, b in zip(above, below, strict=True)], (loss, logits)

    def exactly_aligning(self, train: Batch, own: Tensor) -> tuple[list[Tensor], list[Tensor], tuple[Tensor, Tensor]]:
        """As ``aligning``, by differentiating twice."""
        with self.supernet.twice_differentiable():
            loss, logits = self.loss(train, own)
            *plain, gradients = torch.autograd.grad(loss, [*self.weights, own], create_graph=True)
        ascent = hessian_vector_product([gradients], self.weights, [self.direction(gradients)])
        return [descent.detach() for descent in plain], ascent, (loss, logits)
