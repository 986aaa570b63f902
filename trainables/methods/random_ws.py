"""Random search with weight sharing: train the supernet on random cells, then keep the best of other random cells.

Paper: Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019, arXiv:1902.07638.
Code: liamcli/randomNAS_release; on NAS-Bench-201 D-X-Y/AutoDL-Projects, RSPS (Dong and Yang 2020).

    each weight step:  cell ~ Uniform(15,625 cells);  w <- SGD(dL_train(w, cell)/dw);  only that cell runs.
    there is no architecture step.  After training, with the shared weights:
    selection rsps:      ``candidates`` random cells, each on one random batch of 512 held-out images; the best.
    selection randomnas: max(1, weight steps // 10,000) rounds, each of ``screened`` random cells on 10 random batches,
                         whose best 10 are evaluated on all held-out images; the best of all rounds.
    statistics batch:    a cell is normalised by the statistics of the batch it is judged on (released flag of RSPS)
    statistics running:  by those that training left, to which every cell that was drawn has contributed

All weights decay at every step, those of operations that were not sampled too, as in both releases.

Version 2 normalises by batch statistics unless told otherwise; version 1 had running statistics only.

Deviations:
1. Selection sees held-out images without augmentation, and draws each batch at random rather than by a shuffled loader.
2. Until the selection there is no preferred cell: the curve over epochs shows the cell trained last, a random one.
3. The validation loss and accuracy recorded are those of a fresh random cell per held-out batch; they change nothing.
4. Weight training is that of RSPS for both selections. RandomNAS was published on the DARTS space (clip 0.25, no
   Nesterov), and its round count in units of its own training budget, taken here as the number of weight steps.
5. Batch statistics are those of the whole network. In the release they are those of the cells alone: stem, reductions
   and head keep running ones whatever the flag says.
6. Unverified: which statistics RandomNAS judges by. Its screening is here by batches of the training's size, its final
   by batches of 256.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.judged_cells import JudgedCells
from trainables.methods.search_method import ImageContext, Metrics, scales
from trainables.methods.weight_training import WeightTraining
from trainables.spaces.space import Architecture
from trainables.spec import Scale

_AUTODL = "AutoDL-Projects, RSPS on NAS-Bench-201"
_RANDOMNAS = "liamcli/randomNAS_release"
RSPS_BATCH = 512
SCREENING_BATCHES, FINALISTS, STEPS_PER_ROUND = 10, 10, 10_000
EVALUATION_BATCH = 256


class RandomWsConfig(WeightTraining):
    selection: Literal["rsps", "randomnas"] = hyperparameter(
        "rsps", "which published evaluation picks the cell", source=_AUTODL
    )
    candidates: int = hyperparameter(100, "rsps: cells evaluated", source=_AUTODL, search=Range(10, 1000), ge=1)
    screened: int = hyperparameter(
        1000, "randomnas: cells screened in a round", source=_RANDOMNAS, search=Range(10, 2000), ge=1
    )
    statistics: Literal["batch", "running"] = hyperparameter(
        "batch", "what batch normalisation uses where cells are judged", source=_AUTODL
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P2", "which images are held out", source=_AUTODL)
    nesterov: bool = WeightTraining.redeclare("nesterov", True, source=_AUTODL)
    weight_decay: float = WeightTraining.redeclare("weight_decay", 5e-4, source=_AUTODL)


class RandomWs(JudgedCells[RandomWsConfig]):
    """Uniform cells, no architecture step, selection by shared weights."""

    Config = RandomWsConfig
    version = 2
    learns_architecture: ClassVar[bool] = False
    checked = Checked("lockstep", "D-X-Y/AutoDL-Projects", "2026-11", 4e-16, "training of rsps; selections were read")
    paper = (
        "Li, Talwalkar. Random Search and Reproducibility for Neural Architecture Search. UAI 2019. arXiv:1902.07638"
    )
    published = scales(
        nas_bench_201=Scale(channels=16, cells=5, epochs=250, batch_size=64),
        darts=Scale(channels=16, cells=8, epochs=100, batch_size=64),
    )

    def __init__(self, config: RandomWsConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        self.trained_last = self.draw()
        self.selected: Architecture | None = None

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        return False  # the random cell is run by the host

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 0.3  # a sampled cell alone is computed, and only the weight step differentiates

    def initial_architecture(self) -> Tensor:
        return torch.zeros(self.space.shape)

    def draw(self) -> Architecture:
        """A uniformly random cell."""
        return self.space.random(self.context.streams("cells"))

    def mixing(self) -> Tensor:
        self.trained_last = self.draw()
        return self.one_hot(self.trained_last)

    def loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        return self.single_path_loss(batch, mixing)

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        with self.judging():
            return self.loss(valid, self.one_hot(self.draw()))

    def judge_mode(self) -> None:
        self.supernet.train(self.config.statistics == "batch")

    def epoch(self) -> Metrics:
        metrics = super().epoch()
        if self.epochs_done == self.total_epochs:
            with self.judging():
                self.selected = self.rsps() if self.config.selection == "rsps" else self.randomnas()
        return metrics

    def rsps(self) -> Architecture:
        """The best of many random cells, each on a batch of its own."""
        return self.best_of([self.draw() for _ in range(self.config.candidates)], RSPS_BATCH)

    def randomnas(self) -> Architecture:
        """The best finalist of all rounds on all held-out images."""
        everything = torch.arange(len(self.split.arch_labels), device=self.alpha.device)
        size = self.train_batches.batch_size
        finalists: list[Architecture] = []
        for _ in range(self.rounds()):
            cells = {self.draw(): 0.0 for _ in range(self.config.screened)}
            for cell in cells:
                cells[cell] = self.accuracy(cell, self.some_images(SCREENING_BATCHES * size), size)
            finalists += sorted(cells, key=cells.__getitem__, reverse=True)[:FINALISTS]
        return max(dict.fromkeys(finalists), key=lambda cell: self.accuracy(cell, everything, EVALUATION_BATCH))

    def rounds(self) -> int:
        """How often RandomNAS screens."""
        return max(1, self.total_epochs * self.train_batches.batches_per_epoch // STEPS_PER_ROUND)

    def current(self) -> Architecture:
        return self.selected or self.trained_last

    def state_dict(self) -> dict[str, Any]:
        cells = {"trained_last": str(self.trained_last), "selected": self.selected and str(self.selected)}
        return super().state_dict() | cells

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.trained_last = self.space.parse(state["trained_last"])
        self.selected = self.space.parse(state["selected"]) if state["selected"] else None
