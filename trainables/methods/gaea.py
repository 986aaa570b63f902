"""GAEA: keep the architecture on the simplex and update it by exponentiated gradient.

Paper: Li, Khodak, Balcan and Talwalkar, "Geometry-Aware Gradient Algorithms for Neural Architecture Search", ICLR 2021,
arXiv:2004.07802.  Code: liamcli/gaea_release (architect_edarts).

    alpha[e, :] lies on the simplex, 1/|O| at the start, and is the mixing weight itself: no softmax.
    g     = dL/dalpha + entropy * d/dalpha sum alpha log(alpha |O|)
    alpha <- alpha * exp(-arch_lr * g);  alpha <- max(alpha, 1e-5);  alpha <- alpha / row sum      (algorithm 1)
    level bilevel: g from validation images (P2);  level single (ERM): both steps from all training images (P3).
    derive: bilevel keeps the cell of the epoch with the best supernet validation accuracy, as released; single-level
    runs never validate and export the final argmax.

``none`` is not a candidate on NAS-Bench-201 (``exclude_none``, as the released configuration). The cosine of the
weights' learning rate is laid over twice the epochs that run (50 against 25), so it ends at 0.01375.

Deviations: none known.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from trainables.hyperparameters import Range, hyperparameter
from trainables.methods.differentiable import Batch, DifferentiableSearch, WeightTraining
from trainables.methods.search_method import Metrics, SearchContext
from trainables.spaces.nas_bench_201 import EDGES, OPERATIONS, Genotype
from trainables.spec import Scale

_RELEASE = "liamcli/gaea_release, NAS-Bench-201 edarts"
SMALLEST = 1e-5


class GaeaConfig(WeightTraining):
    level: Literal["bilevel", "single"] = hyperparameter(
        "bilevel",
        "bilevel on validation images (P2), or single-level empirical risk minimisation (P3)",
        source=_RELEASE,
    )
    arch_lr: float = hyperparameter(
        0.1, "learning rate of the exponentiated gradient", source=_RELEASE, search=Range(0.01, 1, log=True), gt=0
    )
    entropy: float = hyperparameter(
        0.0, "weight of the entropic regulariser", source=_RELEASE, search=Range(0, 0.1), ge=0
    )
    exclude_none: bool = hyperparameter(True, "leave the operation none out of the search", source=_RELEASE)
    schedule_stretch: float = hyperparameter(
        2.0, "the cosine is laid over this many times the epochs run", source=_RELEASE, search=Range(1, 4), ge=1
    )


def normalise(alpha: Tensor) -> Tensor:
    """Clamp to at least 1e-5, then divide by the row sum; alpha [E, O]."""
    alpha = alpha.clamp_min(SMALLEST)
    return alpha / alpha.sum(dim=-1, keepdim=True)


def exponentiated_gradient(alpha: Tensor, gradient: Tensor, lr: float) -> Tensor:
    """One step on the simplex, rows of alpha [E, O] (algorithm 1)."""
    return normalise(alpha * torch.exp(-lr * gradient))


def entropic_regulariser(alpha: Tensor) -> Tensor:
    """sum alpha log(alpha |O|): 0 at the uniform point, largest at the corners."""
    return (alpha * (alpha * alpha.shape[-1]).log()).sum()


class Gaea(DifferentiableSearch[GaeaConfig]):
    """Simplex relaxation, exponentiated gradient, bilevel or ERM."""

    Config = GaeaConfig
    paper = (
        "Li, Khodak, Balcan, Talwalkar. Geometry-Aware Gradient Algorithms for Neural Architecture Search. ICLR 2021. "
        "arXiv:2004.07802"
    )
    paper_scale = Scale(channels=24, cells=5, epochs=25, batch_size=64)

    def __init__(self, config: GaeaConfig, context: SearchContext) -> None:
        super().__init__(config, context)
        self.best_accuracy, self.best_cell = -1.0, self.current()

    @classmethod
    def protocol(cls, config: Any) -> str:
        return "P2" if config.level == "bilevel" else "P3"

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 1.15 if config.level == "bilevel" else 2.0  # P3 steps through all images, not half of them

    def schedule_epochs(self) -> int:
        return round(self.total_epochs * self.config.schedule_stretch)

    def initial_architecture(self) -> Tensor:
        candidates = len(OPERATIONS) - self.config.exclude_none
        return torch.full((len(EDGES), candidates), 1 / candidates)

    def scores(self) -> Tensor:
        if not self.config.exclude_none:
            return self.alpha
        return torch.cat([self.alpha.new_zeros(len(EDGES), 1), self.alpha], dim=1)

    def regulariser(self) -> Tensor | float:
        return self.config.entropy * entropic_regulariser(self.alpha) if self.config.entropy else 0.0

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        gradient, loss, logits = self.architecture_gradient(train, valid)
        with torch.no_grad():
            self.alpha.copy_(exponentiated_gradient(self.alpha, gradient, self.config.arch_lr))
        return loss, logits

    def epoch(self) -> Metrics:
        metrics = super().epoch()
        if self.config.level == "bilevel" and (accuracy := self.validate()) > self.best_accuracy:
            self.best_accuracy, self.best_cell = accuracy, self.current()
        return metrics

    def derive(self) -> Genotype:
        return self.best_cell if self.config.level == "bilevel" else self.current()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"best_accuracy": self.best_accuracy, "best_cell": str(self.best_cell)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.best_accuracy, self.best_cell = state["best_accuracy"], Genotype.from_string(state["best_cell"])
