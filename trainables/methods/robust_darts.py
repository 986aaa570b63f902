"""RobustDARTS: DARTS that returns the cell from before the validation loss grew sharp in the architecture.

Paper: Zela, Elsken, Saikia, Marrakchi, Brox and Hutter, "Understanding and Robustifying Differentiable Architecture
Search", ICLR 2020, arXiv:1909.09656.  Code: automl/RobustDARTS (DARTS-ES).

    search as DARTS (softmax, Adam on alpha, second order);
    after epochs 0, 2, 4, ... and the last:  lambda = largest eigenvalue of d2 L_valid/dalpha2 on one held-out batch,
        plus arch_weight_decay, which the release differentiates along
    mean_i = average of lambda over the measurements i - 2 .. i + 2 (fewer at the beginning)        (section 4.3)
    stop at the first i with  mean_i / mean_{i-4} > stop_factor  and measurement i - 4 not before stop_start;
    derive: argmax_o p[e, o], none included, as it stood at the epoch of measurement i - 4.

R-DARTS (L2), stronger regularisation of the weights, is the hyperparameter ``weight_decay``.

Deviations:
1. The search goes on after the rule has fired, so that its course can be compared with that of DARTS; the cell is the
   one the rule returns. Fewer than 24 epochs are too few for it to fire at the default stop_start.
2. Full Hessian by exact Hessian-vector products; the eigenvalue is the largest, not the largest in magnitude.
3. DARTS-ADA (restart with more weight decay) and R-DARTS (DP) (drop path) are left out; cutout during the search, part
   of the release's recipe, belongs to the data set here.
4. The paper searches the DARTS space. On NAS-Bench-201 the defaults are those of DARTS there, but in second order;
   thresholds counted in epochs are the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from trainables.datasets import BatchStream
from trainables.hyperparameters import Range, hyperparameter
from trainables.methods.darts import Darts, DartsConfig
from trainables.methods.hessian import dominant_eigenvalue
from trainables.methods.search_method import Metrics, SearchContext, require_finite
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spec import Scale

_RELEASE = "automl/RobustDARTS"
EVERY, HALF_WINDOW, LAG = 2, 2, 4
"""Epochs between measurements; measurements on either side of an average; measurements between compared averages."""


class RobustDartsConfig(DartsConfig):
    order: Literal["first", "second"] = hyperparameter(
        "second", "first-order or unrolled second-order architecture gradient", source=_RELEASE
    )
    stop_factor: float = hyperparameter(
        1.3, "rise of the eigenvalue that ends the search", source=_RELEASE, search=Range(1.05, 2), gt=1
    )
    stop_start: int = hyperparameter(
        10, "the earliest epoch whose cell may be returned", source=_RELEASE, search=Range(0, 20), ge=0
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


class RobustDarts(Darts):
    """DARTS with early stopping by the dominant eigenvalue."""

    Config = RobustDartsConfig
    paper = (
        "Zela, Elsken, Saikia, Marrakchi, Brox, Hutter. Understanding and Robustifying Differentiable Architecture "
        "Search. ICLR 2020. arXiv:1909.09656"
    )
    paper_scale = Scale(channels=16, cells=5, epochs=50, batch_size=64)
    config: RobustDartsConfig

    def __init__(self, config: RobustDartsConfig, context: SearchContext) -> None:
        super().__init__(config, context)
        assert context.scale is not None
        self.curvature_batches = BatchStream(
            self.split.arch_images, self.split.arch_labels, context.scale.batch_size, context.streams("order.curvature")
        )
        self.eigenvalues: list[float] = []
        self.cells: list[str] = []
        self.stopped_at: int | None = None

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return super().relative_cost(config) + 0.1  # an eigenvalue takes about 40 steps; an epoch has some hundreds

    def eigenvalue(self) -> float:
        """Largest eigenvalue of the Hessian [30, 30] of the held-out loss, with the weight decay of alpha."""
        batch = self._batch(self.curvature_batches, "augmentation.curvature")
        return dominant_eigenvalue(self.loss(batch, self.mixing())[0], self.alpha) + self.config.arch_weight_decay

    def epoch(self) -> Metrics:
        metrics = super().epoch()
        epoch = self.epochs_done - 1
        self.cells.append(str(self.current()))
        if epoch % EVERY == 0 or self.epochs_done == self.total_epochs:
            self.eigenvalues.append(self.eigenvalue())
            require_finite(dominant_eigenvalue=self.eigenvalues[-1])
            if self.stopped_at is None and self.epochs_done < self.total_epochs:
                self.stopped_at = stopping_epoch(self.eigenvalues, self.config.stop_factor, self.config.stop_start)
        return metrics

    def derive(self) -> Genotype:
        return self.current() if self.stopped_at is None else Genotype.from_string(self.cells[self.stopped_at])

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "curvature_batches": self.curvature_batches.state_dict(),
            "eigenvalues": self.eigenvalues,
            "cells": self.cells,
            "stopped_at": self.stopped_at,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.curvature_batches.load_state_dict(state["curvature_batches"])
        self.eigenvalues, self.cells = list(state["eigenvalues"]), list(state["cells"])
        self.stopped_at = state["stopped_at"]
