"""Lambda-DARTS: train the weights so that all cells want the same operations.

Paper: Movahedi, Adabinejad, Imani, Keshavarz, Dehghani, Shakery and Araabi, "Λ-DARTS: Mitigating Performance Collapse
by Harmonizing Operation Selection among Cells", ICLR 2023, arXiv:2210.07998.  Code: dr-faustus/Lambda-DARTS.

    p = softmax(alpha), of which every cell l = 1..L is handed a copy p_l
    g_l    = dL_train/dp_l                                    what cell l would change in the cell that all share
    Lambda = mean over pairs of cells of cos(g_l, g_k)                                               (layer alignment)
    w     <- SGD(d(L_train - alignment * Lambda)/dw)
    alpha <- Adam(dL_valid/dalpha), as in DARTS;  derive: argmax_o p[e, o], none included.

Cells near the output have the larger gradients and so decide for all; what they choose suits them alone. At
``alignment: 0`` it is DARTS.

Deviations:
1. dLambda/dw = d<g, Delta>/dw with Delta_l = dLambda/dg_l, by differentiating twice; the release takes it by a central
   difference of dL_train/dw at p_l + epsilon Delta_l and p_l - epsilon Delta_l.
2. The abstract speaks of two terms. Unverified: that the other is the same of the gradients' signs, and that it is the
   weights' step that is regularised, at a constant strength of 0.125, over one vector of 30 entries a cell.
3. Unverified: the recipe of its NAS-Bench-201 search. Supernet and weights train as xiangning-chen/DrNAS trains DARTS
   there (P1, 100 epochs, no Nesterov momentum, weight decay 3e-4), alpha by the Adam of DARTS.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.differentiable import Batch
from trainables.methods.hessian import hessian_vector_product
from trainables.methods.search_method import scales
from trainables.spec import Scale


class LambdaDartsConfig(AdamArchitecture):
    alignment: float = hyperparameter(
        0.125, "weight of the layer alignment (lambda)", source="dr-faustus/Lambda-DARTS", search=Range(0, 1), ge=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter(
        "P1", "which images drive which step", source="xiangning-chen/DrNAS, NAS-Bench-201"
    )


def layer_alignment(gradients: Tensor) -> Tensor:
    """Lambda, a scalar in [-1, 1]: the mean cosine over all pairs of the cells' gradients [L, E, O], L > 1."""
    unit = F.normalize(gradients.flatten(1), dim=1)
    cells = len(unit)
    return (unit.sum(0).square().sum() - unit.square().sum()) / (cells * (cells - 1))


class LambdaDarts(AdamArchitectureSearch[LambdaDartsConfig]):
    """Softmax relaxation, Adam on alpha, weights that align the cells."""

    Config = LambdaDartsConfig
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
        return 2.4

    def weight_backward(self, train: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        own = mixing.repeat(3 * self.context.scale.cells, 1, 1).requires_grad_()
        with self.supernet.twice_differentiable():
            loss, logits = self.loss(train, own)
            *plain, gradients = torch.autograd.grad(loss, [*self.weights, own], create_graph=True)
        detached = gradients.detach().requires_grad_()
        (direction,) = torch.autograd.grad(layer_alignment(detached), detached)
        aligning = hessian_vector_product([gradients], self.weights, [direction])
        for weight, descent, ascent in zip(self.weights, plain, aligning, strict=True):
            weight.grad = descent.detach() - self.config.alignment * ascent
        return loss, logits
