"""RobustDARTS: DARTS that goes back to before the validation loss grew sharp in the architecture.

Paper: Zela, Elsken, Saikia, Marrakchi, Brox and Hutter, "Understanding and Robustifying Differentiable Architecture
Search", ICLR 2020, arXiv:1909.09656.  Code: automl/RobustDARTS (DARTS-ES and DARTS-ADA).

    search as DARTS (softmax, Adam on alpha, second order);
    after epochs 0, 2, 4, ... and the last:  lambda = largest eigenvalue of d2 L_valid/dalpha2 on one held-out batch,
        plus arch_weight_decay, which the release differentiates along
    mean_i = average of lambda over the measurements i - 2 .. i + 2 (fewer at the beginning)        (section 4.3)
    the rule fires at the first i with  mean_i / mean_{i-4} > stop_factor  and measurement i - 4 not before stop_start
    remedy: early_stopping   derive: argmax_o p[e, o], none included, as it stood at the epoch of measurement i - 4
            adaptive         go back to how weights, alpha, their optimisers and the measurements stood at that epoch,
                             multiply the weights' decay by decay_factor (up to decay_max) and go on to the last epoch;
                             the rule may fire again until the decay is decay_max;  derive: argmax_o p[e, o] at the end

R-DARTS (L2), stronger regularisation of the weights, is the hyperparameter ``weight_decay``.

Deviations:
1. With early stopping the search goes on after the rule has fired, so that its course can be compared with that of
   DARTS. Fewer than 24 epochs are too few for the rule to fire at the default stop_start.
2. Full Hessian by exact Hessian-vector products; the eigenvalue is the largest, not the largest in magnitude.
3. Adaptive: the measurements really are those of the epoch gone back to (in the release the rule goes on with all of
   them), the unrolled step decays the weights as the weight step does (there by the old value), and no return is to
   before an earlier one. The release's script multiplies by 10, up to 0.03. Batches go on; the 12 epochs that a return
   takes back are recorded and counted again.
4. R-DARTS (DP) (drop path) is left out; cutout during the search, part of the release's recipe, belongs to the data set
   here.
5. The paper searches the DARTS space. On NAS-Bench-201 the defaults are those of DARTS there, but in second order;
   thresholds counted in epochs are the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import torch
from trainables.methods.checked import Checked
from trainables.methods.darts import Darts, DartsConfig
from trainables.methods.hessian import dominant_eigenvalue, largest_eigenvalue
from trainables.methods.search_method import ImageContext, Metrics, require_finite, scales
from trainables.spaces.space import Architecture
from trainables.spec import Scale

_RELEASE = "automl/RobustDARTS"
EVERY, HALF_WINDOW, LAG = 2, 2, 4
"""Epochs between measurements; measurements on either side of an average; measurements between compared averages."""
WAY_BACK = EVERY * (HALF_WINDOW + LAG)
"""Epochs between the one whose cell the rule returns and the one after which it fires."""
LARGEST_HESSIAN = 100
"""Entries of alpha up to which a matrix of that many products is computed."""
KEPT = ("epochs_done", "alpha", "supernet", "weight_optimizer", "architecture_optimizer")
"""What of a search's state is needed to go back to it."""


class RobustDartsConfig(DartsConfig):
    order: Literal["first", "second"] = DartsConfig.redeclare("order", "second", source=_RELEASE)
    stop_factor: float = hyperparameter(
        1.3, "rise of the eigenvalue that ends the search", source=_RELEASE, search=Range(1.05, 2), gt=1
    )
    stop_start: int = hyperparameter(
        10, "the earliest epoch whose cell may be returned", source=_RELEASE, search=Range(0, 20), ge=0
    )
    remedy: Literal["early_stopping", "adaptive"] = hyperparameter(
        "early_stopping", "what follows when the rule fires: DARTS-ES or DARTS-ADA", source=_RELEASE
    )
    decay_factor: float = hyperparameter(
        3.0, "adaptive: what the weights' decay is multiplied by", source=_RELEASE, search=Range(1.5, 10), gt=1
    )
    decay_max: float = hyperparameter(
        0.0243, "adaptive: the largest decay of the weights", source=_RELEASE, search=Range(3e-3, 0.1, log=True), gt=0
    )


def local_averages(eigenvalues: Sequence[float]) -> list[float]:
    """Averages centred on every measurement that has two later ones; the first two lack earlier ones."""
    windows = [
        eigenvalues[max(i - HALF_WINDOW, 0) : i + HALF_WINDOW + 1] for i in range(len(eigenvalues) - HALF_WINDOW)
    ]
    return [sum(window) / len(window) for window in windows]


def stopping_epoch(eigenvalues: Sequence[float], factor: float, start: int) -> int | None:
    """The epoch (from 0) whose cell to return if the rule fires at the last of these measurements, else None.

    ``eigenvalues[i]`` was measured after epoch 2 i.
    """
    averages = local_averages(eigenvalues)
    earlier = len(averages) - 1 - LAG
    if earlier < 0 or earlier * EVERY < start or not averages[-1] / averages[earlier] > factor:
        return None
    return earlier * EVERY


def raised_decay(decay: float, factor: float, largest: float) -> float | None:
    """The next weight decay; None if that is no more than the present one."""
    raised = min(factor * decay, largest)
    return raised if raised > decay * (1 + 1e-9) else None


class RobustDarts(Darts):
    """DARTS with early stopping, or more regularisation, by the dominant eigenvalue."""

    Config = RobustDartsConfig
    checked = Checked(
        "functions",
        "automl/RobustDARTS",
        "2026-11",
        2e-15,
        "eigenvalues; its rule fired alike in 2,000 of 2,000 sequences",
    )
    paper = (
        "Zela, Elsken, Saikia, Marrakchi, Brox, Hutter. Understanding and Robustifying Differentiable Architecture "
        "Search. ICLR 2020. arXiv:1909.09656"
    )
    published = scales(
        nas_bench_201=Scale(channels=16, cells=5, epochs=50, batch_size=64),
        darts=Scale(channels=16, cells=8, epochs=50, batch_size=64),
    )
    config: RobustDartsConfig

    def __init__(self, config: RobustDartsConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        self.curvature_batches = self.architecture_batches("order.curvature")
        self.eigenvalues: list[float] = []
        self.cells: list[str] = []
        self.stopped_at: int | None = None
        self.kept: dict[int, dict[str, Any]] = {}
        self.returned_to: list[int] = []

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return super().relative_cost(config) + 0.1  # an eigenvalue takes about 40 steps; an epoch has some hundreds

    def schedule_epochs(self) -> int:
        return self.context.scale.epochs

    @property
    def total_epochs(self) -> int:
        return self.schedule_epochs() + WAY_BACK * len(self.returned_to)

    @property
    def weight_decay(self) -> float:
        """The present L2 weight decay of the weights."""
        return float(self.weight_optimizer.param_groups[0]["weight_decay"])

    def eigenvalue(self) -> float:
        """Largest eigenvalue of the Hessian [n, n] of the held-out loss, with the weight decay of alpha's n entries.

        Exact up to LARGEST_HESSIAN of them (30 on NAS-Bench-201), else by power iteration.
        """
        batch = self._batch(self.curvature_batches, "augmentation.curvature")
        with self.supernet.twice_differentiable():
            loss = self.loss(batch, self.mixing())[0]
            if self.alpha.numel() <= LARGEST_HESSIAN:
                return dominant_eigenvalue(loss, self.alpha) + self.config.arch_weight_decay
            stream = self.context.streams("curvature.start", self.alpha.device)
            start = torch.randn(self.alpha.shape, generator=stream, device=self.alpha.device)
            return largest_eigenvalue(loss, self.alpha, start) + self.config.arch_weight_decay

    def epoch(self) -> Metrics:
        if self.config.remedy == "adaptive":
            self.adapt()
        metrics = super().epoch()
        epoch = self.epochs_done - 1
        self.cells.append(str(self.current()))
        if epoch % EVERY == 0 or self.epochs_done == self.schedule_epochs():
            self.eigenvalues.append(self.eigenvalue())
            require_finite(dominant_eigenvalue=self.eigenvalues[-1])
            if self.config.remedy == "adaptive":
                self.keep(epoch)
            elif self.stopped_at is None and self.epochs_done < self.schedule_epochs():
                self.stopped_at = stopping_epoch(self.eigenvalues, self.config.stop_factor, self.config.stop_start)
        return metrics

    def keep(self, epoch: int) -> None:
        """Keep how the search stands after ``epoch`` (from 0), and drop what no return can be to any more."""
        state = super().state_dict()
        self.kept[epoch] = deepcopy({name: state[name] for name in KEPT})
        earliest = max(self.config.stop_start, epoch - WAY_BACK, *self.returned_to)
        final = raised_decay(self.weight_decay, self.config.decay_factor, self.config.decay_max) is None
        self.kept = {e: kept for e, kept in self.kept.items() if e >= earliest and not final}

    def adapt(self) -> None:
        """Where the rule fires at the last measurement: go back to the epoch it returns, with more weight decay."""
        settings = self.config
        raised = raised_decay(self.weight_decay, settings.decay_factor, settings.decay_max)
        start = max([settings.stop_start, *self.returned_to])
        epoch = stopping_epoch(self.eigenvalues, settings.stop_factor, start)
        if raised is None or epoch is None:
            return
        super().load_state_dict(super().state_dict() | deepcopy(self.kept[epoch]))
        for group in self.weight_optimizer.param_groups:
            group["weight_decay"] = raised
        self.eigenvalues, self.cells = self.eigenvalues[: epoch // EVERY + 1], self.cells[: epoch + 1]
        self.kept = {e: kept for e, kept in self.kept.items() if e <= epoch}
        self.returned_to.append(epoch)

    def derive(self) -> Architecture:
        return self.current() if self.stopped_at is None else self.space.parse(self.cells[self.stopped_at])

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "curvature_batches": self.curvature_batches.state_dict(),
            "eigenvalues": self.eigenvalues,
            "cells": self.cells,
            "stopped_at": self.stopped_at,
            "kept": self.kept,
            "returned_to": self.returned_to,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.curvature_batches.load_state_dict(state["curvature_batches"])
        self.eigenvalues, self.cells = list(state["eigenvalues"]), list(state["cells"])
        self.stopped_at = state["stopped_at"]
        self.kept, self.returned_to = dict(state["kept"]), list(state["returned_to"])
