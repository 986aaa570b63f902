"""iDARTS: differentiate through the weights' training by the implicit function theorem.

Paper: Zhang, Su, Pan, Chang, Abbasnejad and Haffari, "iDARTS: Differentiable Architecture Search with Stochastic
Implicit Gradients", ICML 2021, arXiv:2106.10784.  Code: MiaoZhang0525/iDARTS.

    p = softmax(alpha);  the weights take T = inner_steps SGD steps on training batches between architecture steps
    v   = dL_valid/dw,   H = d2 L_train/dw2 on one training batch, eta = the weights' present learning rate
    p_0 = v,  p_k = p_{k-1} - eta H p_{k-1},  s = p_0 + ... + p_K           (Neumann series: H^-1 v ~ eta s)
    g   = dL_valid/dalpha - eta d<dL_train/dw, s>/dalpha
    alpha <- Adam(g);  derive: argmax_o p[e, o], none included.

K = terms; at K = 0 it is DARTS of second order, linearised at the present weights.

Deviations:
1. Both kinds of second derivative are exact, by differentiating twice; the release takes the mixed one by a central
   difference that moves the weights and does not quite put them back. Here they are never moved. The difference is no
   matter of rounding: its step (0.01 of a weight norm of 1) crosses kinks of the ReLUs. On small networks the implicit
   term is then 1.5 to 4.5 times as long and its cosine with the exact one between -0.15 and 0.83, where that term is a
   third of the hypergradient; with a step of 1e-6 both agree to 4e-12.
2. The inner steps really train the weights. The released NAS-Bench-201 notebook steps an optimiser of copies, and its
   weights learn only from the displacement of deviation 1.
3. The loop begins with an architecture step, as DARTS does, and its T-th weight steps come after; the training batch of
   H is the one that the next weight step uses.
4. Between architecture steps the held-out batch only feeds the recorded validation loss and accuracy.
5. Defaults are the notebook's (learning rate 0.01, T = 4; its stored log has T = 1). H leaves weight decay and momentum
   out, as there.
6. An epoch is one pass over the images, here as everywhere, so that at one scale all methods train their weights
   equally long. The release makes T inner steps for every batch that it counts: its epoch is T of ours, its 30 epochs
   are the 120 of the paper's scale, with as many steps of both kinds. At equal epochs ours makes 1 / T of the steps, in
   1 / T of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.hessian import hessian_vector_product
from trainables.methods.search_method import ImageContext, scales
from trainables.methods.weight_training import WeightTraining
from trainables.spec import Scale

_NOTEBOOK = "MiaoZhang0525/iDARTS, NAS-Bench-201 notebook"


class IdartsConfig(AdamArchitecture):
    inner_steps: int = hyperparameter(
        4, "weight steps between architecture steps (T)", source=_NOTEBOOK, search=Range(1, 10), ge=1
    )
    terms: int = hyperparameter(
        2, "Hessian-vector products in the Neumann series (K)", source=_NOTEBOOK, search=Range(0, 5), ge=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P2", "which images drive which step", source=_NOTEBOOK)
    weight_lr: float = WeightTraining.redeclare("weight_lr", 0.01, source=_NOTEBOOK)
    nesterov: bool = WeightTraining.redeclare("nesterov", True, source=_NOTEBOOK)
    weight_decay: float = WeightTraining.redeclare("weight_decay", 5e-4, source=_NOTEBOOK)


def neumann_series(
    train_gradients: Sequence[Tensor], weights: Sequence[Tensor], v: Sequence[Tensor], eta: float, terms: int
) -> list[Tensor]:
    """s = sum_{k=0..terms} (I - eta H)^k v, shapes as ``weights``.

    ``train_gradients`` = dL_train/dw with their graph, as ``torch.autograd.grad(..., create_graph=True)`` gives them.
    """
    power, total = list(v), list(v)
    for _ in range(terms):
        product = hessian_vector_product(train_gradients, weights, power)
        power = [p - eta * h for p, h in zip(power, product, strict=True)]
        total = [t + p for t, p in zip(total, power, strict=True)]
    return total


def implicit_term(train_gradients: Sequence[Tensor], alpha: Tensor, s: Sequence[Tensor]) -> Tensor:
    """d<dL_train/dw, s>/dalpha, of alpha's shape."""
    return hessian_vector_product(train_gradients, [alpha], s)[0]


class Idarts(AdamArchitectureSearch[IdartsConfig]):
    """Softmax relaxation, Adam on the implicit hypergradient."""

    Config = IdartsConfig
    checked = Checked(
        "lockstep",
        "MiaoZhang0525/iDARTS",
        "2026-11",
        4e-12,
        "hypergradient, with the central difference of 1e-6; see deviation 1",
    )
    paper = (
        "Zhang, Su, Pan, Chang, Abbasnejad, Haffari. iDARTS: Differentiable Architecture Search with Stochastic "
        "Implicit Gradients. ICML 2021. arXiv:2106.10784"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=120, batch_size=64))

    def __init__(self, config: IdartsConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        self.weight_steps = 0

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        return config.inner_steps == 1

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 0.7 + (1.9 + 1.7 * config.terms) / config.inner_steps

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        if self.weight_steps % self.config.inner_steps == 0:
            return super().architecture_step(train, valid)
        return self.architecture_rests(valid)

    def architecture_gradient(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor, Tensor]:
        eta = self.weight_optimizer.param_groups[0]["lr"]
        loss, logits = self.loss(valid, self.mixing())
        *v, direct = torch.autograd.grad(loss, [*self.weights, self.alpha])
        with self.supernet.twice_differentiable():
            train_loss, _ = self.loss(train, self.mixing())
            train_gradients = torch.autograd.grad(train_loss, self.weights, create_graph=True)
        s = neumann_series(train_gradients, self.weights, v, eta, self.config.terms)
        return direct - eta * implicit_term(train_gradients, self.alpha, s), loss.detach(), logits.detach()

    def weight_step(self, train: Batch, mixing: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.weight_steps += 1
        return super().weight_step(train, mixing)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"weight_steps": self.weight_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.weight_steps = state["weight_steps"]
