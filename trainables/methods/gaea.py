"""GAEA: keep the architecture on the simplex and update it by exponentiated gradient.

Paper: Li, Khodak, Balcan and Talwalkar, "Geometry-Aware Gradient Algorithms for Neural Architecture Search", ICLR 2021,
arXiv:2004.07802.  Code: liamcli/gaea_release (architect_edarts, architect_egdas).

    alpha[e, :] lies on the simplex, 1/|O| at the start, and is the mixing weight itself: no softmax.
    g     = dL/dalpha + entropy * d/dalpha sum alpha log(alpha |O|)
    alpha <- alpha * exp(-arch_lr * g);  alpha <- max(alpha, 1e-5);  alpha <- alpha / row sum      (algorithm 1)
    level bilevel: g from validation images (P2);  level single (ERM): both steps from all training images (P3).
    derive: bilevel keeps the cell of the epoch with the best supernet validation accuracy (variant gdas: that of the
    argmax cell alone), as released; single-level runs never validate and export the final argmax.

    variant darts     the above
    variant pc_darts  partial channels, and weights q of whole edges (see PC-DARTS), uniform over a node's edges at the
                      start:  q <- q * exp(-edge_lr * dL/dq);  q <- q / sum over the node's edges, without a clamp
    variant gdas      in every forward pass one operation an edge runs, as in GDAS, but drawn from alpha itself:
                      h = hard sample of (log alpha + Gumbel noise) / tau
                      tau = tau_start - (tau_start - tau_end) max(epoch - warm-up, 0) / (epochs - 1)
                      alpha rests for ``warm_up`` of the epochs; each step divides by the row sum before it clamps

``none`` is not a candidate on NAS-Bench-201 (``exclude_none``, as the released configuration). The cosine of the
weights' learning rate is laid over twice the epochs that run (50 against 25), so it ends at 0.01375.

Defaults are the release's NAS-Bench-201 setting of variant darts; the other variants were published with others:
    pc_darts (CIFAR-10, DARTS space): exclude_none false, schedule_stretch 1, 50 epochs, weight_lr 0.1 to 0, batch 256
    gdas: arch_lr 0.01, entropy 0.01, warm_up 0.2 (50 of 250 epochs), 250 epochs

Deviations, none known of variant darts:
1. Variant pc_darts was not released for NAS-Bench-201: K, edge_lr and the edges' update are those of CIFAR-10. The
   entropic regulariser acts on operations only.
2. The warm-up is a share of the epochs, so that short searches have one as well.
3. With a warm-up only later epochs are candidates for the best: before, alpha is uniform and stands for no cell.
4. Unverified of variant gdas: that weights train as in variant darts, with the cosine over the epochs that run
   (schedule_stretch 1).
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch, DifferentiableSearch
from trainables.methods.edge_weights import node_normalise
from trainables.methods.gdas import hard_sample
from trainables.methods.gumbel import gumbel_noise, temperature
from trainables.methods.search_method import ImageContext, Metrics, scales
from trainables.methods.simplex import (
    clamp_then_divide,
    divide_then_clamp,
    entropic_regulariser,
    exponentiated_gradient,
)
from trainables.methods.weight_training import WeightTraining
from trainables.spaces.partial import STEP_COST, processed_channels
from trainables.spaces.space import Architecture
from trainables.spec import Scale

_RELEASE = "liamcli/gaea_release, NAS-Bench-201 edarts"
_EGDAS = "liamcli/gaea_release, NAS-Bench-201 egdas"
_CIFAR = "liamcli/gaea_release, PC-DARTS on CIFAR-10"


class GaeaConfig(WeightTraining):
    variant: Literal["darts", "pc_darts", "gdas"] = hyperparameter(
        "darts", "all candidates; on partial channels with edge weights; or one sampled operation", source="paper"
    )
    level: Literal["bilevel", "single"] = hyperparameter(
        "bilevel",
        "bilevel on validation images (P2), or single-level empirical risk minimisation (P3)",
        source=_RELEASE,
    )
    arch_lr: float = hyperparameter(
        0.1, "learning rate of the exponentiated gradient (gdas as released: 0.01)", source=_RELEASE,
        search=Range(0.01, 1, log=True), gt=0,
    )  # fmt: skip
    entropy: float = hyperparameter(
        0.0, "weight of the entropic regulariser (gdas as released: 0.01)", source=_RELEASE,
        search=Range(0, 0.1), ge=0,
    )  # fmt: skip
    exclude_none: bool = hyperparameter(
        True, "leave the operation none out of the search (pc_darts as released: false)", source=_RELEASE
    )
    schedule_stretch: float = hyperparameter(
        2.0, "the cosine is laid over this many times the epochs run (pc_darts, gdas: 1)", source=_RELEASE,
        search=Range(1, 4), ge=1,
    )  # fmt: skip
    warm_up: float = hyperparameter(
        0.0, "share of the epochs that train the weights alone (gdas as released: 0.2)", source=_RELEASE,
        search=Range(0, 0.5), ge=0, lt=1,
    )  # fmt: skip
    partial_channels: Literal[1, 2, 4, 8] = hyperparameter(
        4, "pc_darts: K, the first 1/K of the channels pass through the candidates", source=_CIFAR
    )
    edge_lr: float = hyperparameter(
        0.1, "pc_darts: learning rate of the edge weights", source=_CIFAR, search=Range(0.01, 1, log=True), gt=0
    )
    tau_start: float = hyperparameter(
        10.0, "gdas: temperature until the warm-up ends", source=_EGDAS, search=Range(1, 20, log=True), gt=0
    )
    tau_end: float = hyperparameter(
        0.1, "gdas: temperature that the last epoch would reach without a warm-up", source=_EGDAS,
        search=Range(0.05, 10, log=True), gt=0,
    )  # fmt: skip


class Gaea(DifferentiableSearch[GaeaConfig]):
    """Simplex relaxation, exponentiated gradient, bilevel or ERM."""

    Config = GaeaConfig
    checked = Checked("lockstep", "liamcli/gaea_release", "2026-11", 1e-14, "variant darts")
    paper = (
        "Li, Khodak, Balcan, Talwalkar. Geometry-Aware Gradient Algorithms for Neural Architecture Search. ICLR 2021. "
        "arXiv:2004.07802"
    )
    published = scales(
        nas_bench_201=Scale(channels=24, cells=5, epochs=25, batch_size=64),
        darts=Scale(channels=16, cells=8, epochs=50, batch_size=256),
    )

    def __init__(self, config: GaeaConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        self.best_accuracy, self.best_cell = -1.0, self.current()

    @classmethod
    def protocol(cls, config: Any) -> str:
        return "P2" if config.level == "bilevel" else "P3"

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        return config.variant != "gdas"  # there the sampled path is run by the host

    @classmethod
    def check_scale(cls, config: Any, scale: Scale) -> None:
        if config.variant == "pc_darts":
            processed_channels(scale.channels, config.partial_channels)

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        step = {"darts": 1.0, "pc_darts": STEP_COST[config.partial_channels], "gdas": 0.4}[config.variant]
        return step + 0.15 if config.level == "bilevel" else 2 * step  # P3 steps through all images, not half of them

    def partial(self) -> int:
        return self.config.partial_channels if self.config.variant == "pc_darts" else 1

    def schedule_epochs(self) -> int:
        return round(self.total_epochs * self.config.schedule_stretch)

    @property
    def warm_up_epochs(self) -> int:
        return round(self.config.warm_up * self.total_epochs)

    # relaxation ------------------------------------------------------------------------------------------------

    @property
    def leaves_out_none(self) -> bool:
        """Whether the operation none, the first of each row, is not searched."""
        return self.config.exclude_none and self.space.may_leave_out

    def initial_architecture(self) -> Tensor:
        """Uniform [R, |O|]; in variant pc_darts with the edge weights as a last column."""
        rows, operations = self.space.shape
        candidates = operations - self.leaves_out_none
        alpha = torch.full((rows, candidates), 1 / candidates)
        if self.config.variant != "pc_darts":
            return alpha
        return torch.cat([alpha, node_normalise(torch.ones(rows), self.space.inputs)[:, None]], dim=1)

    def candidates(self) -> Tensor:
        """The mixing weights [R, |O|] of the operations that are searched."""
        return self.alpha[:, :-1] if self.config.variant == "pc_darts" else self.alpha

    def edge_weights(self) -> Tensor | None:
        return self.alpha[:, -1] if self.config.variant == "pc_darts" else None

    def scores(self) -> Tensor:
        return self._all_operations(self.candidates())

    def tau(self) -> float:
        """The present epoch's temperature (variant gdas)."""
        learning = max(self.epochs_done - self.warm_up_epochs, 0)
        return temperature(self.config.tau_start, self.config.tau_end, learning, self.total_epochs)

    def mixing(self) -> Tensor:
        if self.config.variant != "gdas":
            return self.scores()
        noise = gumbel_noise(self.alpha, self.context.streams("architecture.noise", self.alpha.device))
        return self._all_operations(hard_sample(self.alpha.log(), noise, self.tau()))

    def loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        if self.config.variant != "gdas":
            return super().loss(batch, mixing)
        return self.single_path_loss(batch, mixing)

    def _all_operations(self, weights: Tensor) -> Tensor:
        """[R, |O|] -> [R, O]: none gets 0 where it is not searched."""
        if not self.leaves_out_none:
            return weights
        return torch.cat([weights.new_zeros(len(weights), 1), weights], dim=1)

    # architecture step -----------------------------------------------------------------------------------------

    def regulariser(self) -> Tensor | float:
        return self.config.entropy * entropic_regulariser(self.candidates()) if self.config.entropy else 0.0

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        if self.epochs_done < self.warm_up_epochs:
            return self.architecture_rests(valid)
        gradient, loss, logits = self.architecture_gradient(train, valid)
        with torch.no_grad():
            self.alpha.copy_(self.stepped(gradient))
        return loss, logits

    def stepped(self, gradient: Tensor) -> Tensor:
        """alpha after a step along a gradient of its own shape."""
        rate = self.config.arch_lr
        if self.config.variant != "pc_darts":
            normalise = divide_then_clamp if self.config.variant == "gdas" else clamp_then_divide
            return exponentiated_gradient(self.alpha, gradient, rate, normalise)
        operations = exponentiated_gradient(self.alpha[:, :-1], gradient[:, :-1], rate)
        normalise = partial(node_normalise, inputs=self.space.inputs)
        edges = exponentiated_gradient(self.alpha[:, -1], gradient[:, -1], self.config.edge_lr, normalise)
        return torch.cat([operations, edges[:, None]], dim=1)

    # derivation and state --------------------------------------------------------------------------------------

    def validated(self) -> Tensor:
        if self.config.variant != "gdas":
            return self.scores()
        return F.one_hot(self.scores().argmax(dim=1), self.space.shape[1]).to(self.alpha.dtype)

    def epoch(self) -> Metrics:
        metrics = super().epoch()
        learning = self.epochs_done > self.warm_up_epochs
        if self.config.level == "bilevel" and learning and (accuracy := self.validate()) > self.best_accuracy:
            self.best_accuracy, self.best_cell = accuracy, self.current()
        return metrics

    def derive(self) -> Architecture:
        return self.best_cell if self.config.level == "bilevel" else self.current()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"best_accuracy": self.best_accuracy, "best_cell": str(self.best_cell)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.best_accuracy, self.best_cell = state["best_accuracy"], self.space.parse(state["best_cell"])
