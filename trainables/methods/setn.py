"""SETN: train shared weights on random cells and a distribution over cells beside them, then judge its likeliest cells.

Paper: Dong and Yang, "One-Shot Neural Architecture Search via Self-Evaluated Template Network", ICCV 2019,
arXiv:1910.05733.  Code: D-X-Y/AutoDL-Projects, on NAS-Bench-201 (Dong and Yang 2020).

    weight step:        cell ~ Uniform(15,625 cells);  w <- SGD(dL_train(w, cell)/dw), of that cell alone, not clipped
    architecture step:  p = softmax(alpha);  alpha <- Adam(dL_valid(w, p)/dalpha), of the mixture as in DARTS
    after training:     the ``candidates`` cells of largest prod_e p[e, o_e], each on one random batch of 512 held-out
                        images;  derive: the most accurate of them, the likelier of equals

So skip connections do not profit from being trained in a mixture, and the evaluation has the last word. Cells are
judged with batch statistics inside them, running ones around them (stem, reductions, head), as released.

Deviations:
1. Architecture step before weight step, as all methods here; the release does it the other way round.
2. Selection sees held-out images without augmentation, and draws each batch at random rather than by a shuffled loader.
3. The release selects after every epoch, for its record. Here the curve shows the argmax of alpha until the end.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.judged_cells import JudgedCells
from trainables.methods.search_method import ImageContext, Metrics, scales
from trainables.methods.weight_training import WeightTraining
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype
from trainables.spaces.space import Architecture
from trainables.spec import Scale

_AUTODL = "AutoDL-Projects, SETN on NAS-Bench-201"
JUDGED_BATCH = 512


class SetnConfig(AdamArchitecture):
    candidates: int = hyperparameter(
        100, "likeliest cells judged", source=_AUTODL, search=Range(10, 1000), ge=1, le=NUM_CELLS
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P2", "which images drive which step", source=_AUTODL)
    nesterov: bool = WeightTraining.redeclare("nesterov", True, source=_AUTODL)
    weight_decay: float = WeightTraining.redeclare("weight_decay", 5e-4, source=_AUTODL)
    grad_clip: float = hyperparameter(
        1000.0, "largest L2 norm of the weights' gradient; the release clips none", source=_AUTODL,
        search=Range(0.5, 1000, log=True), gt=0,
    )  # fmt: skip


def likeliest(log_probabilities: Tensor, count: int) -> list[Genotype]:
    """The ``count`` cells of largest joint probability, likeliest first, from logs [6, O]; the first of equals."""
    joint = torch.zeros(1, dtype=log_probabilities.dtype, device=log_probabilities.device)
    for row in log_probabilities:
        joint = (joint[:, None] + row).flatten()  # in the order of Genotype.index
    order = joint.argsort(descending=True, stable=True)
    return [Genotype.from_index(index) for index in order[:count].tolist()]


class Setn(JudgedCells[SetnConfig], AdamArchitectureSearch[SetnConfig]):
    """Uniform cells train the weights, a softmax mixture trains alpha, shared weights choose among likely cells."""

    Config = SetnConfig
    checked = Checked("lockstep", "D-X-Y/AutoDL-Projects", "2026-11", 2e-16, "training, ranking and judging of cells")
    paper = (
        "Dong, Yang. One-Shot Neural Architecture Search via Self-Evaluated Template Network. ICCV 2019. "
        "arXiv:1910.05733"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=250, batch_size=64))

    def __init__(self, config: SetnConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        self.selected: Architecture | None = None

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return ("nas_bench_201",)  # all cells are ranked, so they must be few enough to list

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        return False  # the random cell is run by the host

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 0.8  # a sampled cell alone is computed in the weight step

    def weight_step(self, train: Batch, mixing: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().weight_step(train, self.one_hot(self.space.random(self.context.streams("cells"))))

    def weight_backward(self, train: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        loss, logits = self.single_path_loss(train, mixing)
        loss.backward()
        return loss, logits

    def epoch(self) -> Metrics:
        metrics = super().epoch()
        if self.epochs_done == self.total_epochs:
            with self.judging():
                cells = likeliest(self.alpha.log_softmax(dim=1), self.config.candidates)
                self.selected = self.best_of(cells, JUDGED_BATCH)
        return metrics

    def current(self) -> Architecture:
        return self.selected or super().current()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"selected": self.selected and str(self.selected)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.selected = self.space.parse(state["selected"]) if state["selected"] else None
