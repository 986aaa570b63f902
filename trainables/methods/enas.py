"""ENAS: a controller writes cells, is rewarded with their accuracy at shared weights, and shared weights train on them.

Paper: Pham, Guan, Zoph, Le and Dean, "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018,
arXiv:1802.03268.  Code: D-X-Y/AutoDL-Projects, on NAS-Bench-201 (Dong and Yang 2020).

    pi: an LSTM that draws the six operations one after another, each given those before it (enas_controller.py)
    one epoch of weight steps:  cell ~ pi;  w <- SGD(dL_train(w, cell)/dw), of that cell alone
    then ``controller_steps`` steps of pi, each on the mean gradient, clipped to norm 5, of ``samples`` cells:
        R = accuracy (0 to 1) on one held-out batch + entropy_weight * H,   H the entropy of the cell's six draws
        b = B - (1 - baseline_decay) (B - R),   B: b of the last cell of the epoch before; in the first, b = accuracy
        pi <- Adam(d/dpi  -log pi(cell) (R - b)), through R and b as well, betas (0, 0.999), eps 1e-3
    learning rate of w: a cosine of ``half_cycle`` epochs from weight_lr to weight_lr_min, and back in as many
    after training: ``candidates`` cells ~ pi, each on one random held-out batch;  derive: the most accurate

alpha stands for what pi would draw: the logarithm of the mean of its conditional probabilities over the cells that it
was rewarded for in the epoch (at the start, uniform). Nothing reads it but the record and the curve over epochs.

Cells are judged with batch statistics inside them, running ones around them (stem, reductions, head), as released.

Deviations:
1. Held-out batches are as large as training batches, 128 in the release; the last selection sees them unaugmented.
2. The release derives a cell of its own after every epoch, the best of ten, for its record.
3. Rewards come from batches of a stream of its own; the held-out batch of a weight step is for the record alone.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.judged_cells import JudgedCells
from trainables.methods.search_method import ImageContext, Metrics, scales
from trainables.methods.weight_training import WeightTraining
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spaces.single_path import SinglePath
from trainables.spaces.space import Architecture
from trainables.spec import Scale

_AUTODL = "AutoDL-Projects, ENAS on NAS-Bench-201"
CONTROLLER_CLIP = 5.0


class EnasConfig(WeightTraining):
    controller_steps: int = hyperparameter(
        50,
        "steps of the controller after an epoch of the weights",
        source=_AUTODL,
        search=Range(5, 200, log=True),
        ge=1,
    )
    samples: int = hyperparameter(20, "cells in a step of the controller", source=_AUTODL, search=Range(1, 50), ge=1)
    controller_lr: float = hyperparameter(
        1e-3, "Adam learning rate of the controller", source=_AUTODL, search=Range(1e-4, 1e-1, log=True), gt=0
    )
    entropy_weight: float = hyperparameter(
        1e-4, "weight of the entropy in the reward", source=_AUTODL, search=Range(0, 0.1), ge=0
    )
    baseline_decay: float = hyperparameter(
        0.99, "how slowly the baseline follows rewards", source=_AUTODL, search=Range(0.5, 0.999), ge=0, lt=1
    )
    candidates: int = hyperparameter(
        100, "cells drawn and judged at the end", source=_AUTODL, search=Range(10, 1000), ge=1
    )
    half_cycle: int = hyperparameter(
        10, "epochs in which the weights' learning rate falls, and rises", source=_AUTODL, search=Range(5, 250), ge=1
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P2", "which images drive which step", source=_AUTODL)
    weight_lr: float = WeightTraining.redeclare("weight_lr", 0.05, source=_AUTODL)
    weight_lr_min: float = WeightTraining.redeclare("weight_lr_min", 5e-4, source=_AUTODL)
    nesterov: bool = WeightTraining.redeclare("nesterov", True, source=_AUTODL)
    weight_decay: float = WeightTraining.redeclare("weight_decay", 2.5e-4, source=_AUTODL)


def baseline(reward: Tensor, accuracy: Tensor, last: float | None, decay: float) -> Tensor:
    """b of one cell, a scalar; ``last`` is B, None in the first epoch."""
    return accuracy if last is None else last - (1 - decay) * (last - reward)


class Enas(JudgedCells[EnasConfig]):
    """Cells drawn by an LSTM, which policy gradients train."""

    Config = EnasConfig
    checked = Checked("lockstep", "D-X-Y/AutoDL-Projects", "2026-11", 2e-16, "weights and controller")
    paper = (
        "Pham, Guan, Zoph, Le, Dean. Efficient Neural Architecture Search via Parameter Sharing. ICML 2018. "
        "arXiv:1802.03268"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=250, batch_size=128))

    def __init__(self, config: EnasConfig, context: ImageContext) -> None:
        from trainables.methods.enas_controller import Controller

        super().__init__(config, context)
        with context.streams.initialising("controller.weights"):
            self.controller = Controller(*self.space.shape)
        self.controller.to(context.device)
        self.controller_optimizer = torch.optim.Adam(
            self.controller.parameters(), lr=config.controller_lr, betas=(0.0, 0.999), eps=1e-3
        )
        self.reward_batches = self.architecture_batches("order.rewards")
        self.baseline: float | None = None
        self.selected: Architecture | None = None

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return ("nas_bench_201",)  # the controller writes one cell, edge by edge

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        return False  # the drawn cell is run by the host

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        evaluations = config.controller_steps * config.samples  # of cells, after the paper's 195 steps of weights
        return 0.35 + 0.6 * evaluations / 1000

    def initial_architecture(self) -> Tensor:
        return torch.zeros(self.space.shape)

    def schedule_epochs(self) -> int:
        return self.config.half_cycle

    def draw(self) -> Genotype:
        """A cell from the present policy."""
        with torch.no_grad():
            return Genotype(self.controller.draw(self.context.streams("cells")).operations)

    def mixing(self) -> Tensor:
        return self.one_hot(self.draw())

    def loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        return self.single_path_loss(batch, mixing)

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        with self.judging():
            return self.loss(valid, self.one_hot(self.draw()))

    def epoch(self) -> Metrics:
        metrics = super().epoch()
        with self.judging(), torch.enable_grad():
            self.train_controller()
        with self.judging():
            if self.epochs_done == self.total_epochs:
                cells = [self.draw() for _ in range(self.config.candidates)]
                self.selected = self.best_of(cells, self.context.scale.batch_size)
        return metrics

    def reward(self, cell: Genotype) -> Tensor:
        """Accuracy (0 to 1), a scalar, of a cell with the shared weights on the next batch of rewards."""
        images, labels = self._batch(self.reward_batches, "augmentation.rewards")
        logits = self.supernet(images, SinglePath.of(self.one_hot(cell)))
        return (logits.argmax(1) == labels).to(logits.dtype).mean()

    def train_controller(self) -> None:
        """The controller's steps of one epoch; the last baseline and the mean policy are kept."""
        settings, drawn = self.config, torch.zeros_like(self.alpha)
        last = self.baseline
        for _ in range(settings.controller_steps):
            self.controller_optimizer.zero_grad()
            for _ in range(settings.samples):
                draw = self.controller.draw(self.context.streams("cells"))
                with torch.no_grad():
                    accuracy = self.reward(Genotype(draw.operations))
                reward = accuracy + settings.entropy_weight * draw.entropy
                against = baseline(reward, accuracy, last, settings.baseline_decay)
                (-draw.log_probability * (reward - against) / settings.samples).backward()
                drawn += draw.probabilities.detach()
                self.baseline = float(against.detach())
            torch.nn.utils.clip_grad_norm_(self.controller.parameters(), CONTROLLER_CLIP)
            self.controller_optimizer.step()
        with torch.no_grad():
            self.alpha.copy_((drawn / (settings.controller_steps * settings.samples)).log())

    def current(self) -> Architecture:
        return self.selected or super().current()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "controller": self.controller.state_dict(),
            "controller_optimizer": self.controller_optimizer.state_dict(),
            "reward_batches": self.reward_batches.state_dict(),
            "baseline": self.baseline,
            "selected": self.selected and str(self.selected),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.controller.load_state_dict(state["controller"])
        self.controller_optimizer.load_state_dict(state["controller_optimizer"])
        self.reward_batches.load_state_dict(state["reward_batches"])
        self.baseline = state["baseline"]
        self.selected = self.space.parse(state["selected"]) if state["selected"] else None
