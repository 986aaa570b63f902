"""DARTS-PT: train a DARTS supernet, then choose each edge's operation by what its removal costs in accuracy.

Paper: Wang, Cheng, Chen, Tang and Hsieh, "Rethinking Architecture Selection in Differentiable NAS", ICLR 2021,
arXiv:2108.04392.  Code: ruocwang/darts-pt.

    phase 1   first-order DARTS for the scale's epochs; with ``blank`` alpha stays as it was drawn, about uniform
    phase 2   tune_epochs * (6 - 1) epochs of the same two steps at constant learning rate weight_lr / 10, fresh SGD.
              At the start of phase-2 epochs 0, tune_epochs, 2 tune_epochs, ... and of the last one, an edge that is
              still open, drawn at random, is projected:
                  a_o = accuracy on the held-out images with p[e, o] set to 0, the other weights as they are;
                  o*  = argmin_o a_o, the first of equals;  p[e, :] is one-hot at o* from now on   (algorithm 1)
    derive: the operations projected to, none included.

Accuracies are those of train mode (batch statistics), without gradients, as released. Tuning goes on as the release
does from a checkpoint of phase 1: weights, running statistics and Adam's moments are kept, the momentum of SGD is
dropped. Weight decay still acts on the rows of projected edges, which no longer enter the network.

Deviations:
1. They are measured on the held-out images in a fixed order and without augmentation, so that an edge's five operations
   meet the same batches; an incomplete last batch is dropped. The criterion is accuracy, the release's default.
2. In phase 1 the release draws every training batch, too, anew from all images; only its tuning passes over them.
3. Once all edges are projected, alpha rests; in the release decay and momentum still move it, to no effect.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.datasets import normalise
from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.search_method import ImageContext, Metrics, scales
from trainables.spaces.space import Space
from trainables.spec import Scale

_RELEASE = "ruocwang/darts-pt, NAS-Bench-201"
OPEN = -1
"""Marks an edge that is not projected yet."""


class DartsPtConfig(AdamArchitecture):
    blank: bool = hyperparameter(False, "leave alpha at its initial value (blank supernet)", source=_RELEASE)
    tune_epochs: int = hyperparameter(
        5, "epochs of tuning between projections", source=_RELEASE, search=Range(2, 10), ge=2
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P1", "which images drive which step", source=_RELEASE)


def tuning_epochs(edges: int, tune_epochs: int) -> int:
    """How many epochs follow the supernet's training: one interval for every edge but the last."""
    return tune_epochs * (edges - 1)


def projection_due(epoch: int, edges: int, tune_epochs: int) -> bool:
    """Whether an edge is projected at the start of this epoch of tuning (from 0); exactly ``edges`` of them are."""
    return epoch % tune_epochs == 0 or epoch == tuning_epochs(edges, tune_epochs) - 1


def without(weights: Tensor, edge: int, operation: int) -> Tensor:
    """Mixing weights [E, O] with one operation removed and nothing renormalised."""
    weights = weights.clone()
    weights[edge, operation] = 0.0
    return weights


def project(weights: Tensor, operations: Tensor) -> Tensor:
    """Mixing weights [E, O], one-hot on every edge whose entry of ``operations`` [E] is not OPEN."""
    one_hot = (operations[:, None] == torch.arange(weights.shape[1], device=weights.device)).to(weights.dtype)
    return torch.where((operations == OPEN)[:, None], weights, one_hot)


class DartsPt(AdamArchitectureSearch[DartsPtConfig]):
    """Softmax relaxation, Adam on alpha, selection by perturbation."""

    Config = DartsPtConfig
    checked = Checked(
        "lockstep", "ruocwang/darts-pt", "2026-11", 4e-16, "both phases, all six projections; without deviation 1"
    )
    paper = (
        "Wang, Cheng, Chen, Tang, Hsieh. Rethinking Architecture Selection in Differentiable NAS. ICLR 2021. "
        "arXiv:2108.04392"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64))

    def __init__(self, config: DartsPtConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        rows, self.operations = self.space.shape
        self.projected = torch.full((rows,), OPEN, device=context.device)
        self.some_open = True

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return ("nas_bench_201",)  # where cells lose edges, these are projected as well: not built

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return (0.75 if config.blank else 1.0) + 0.05  # projections, over the paper's 125 epochs

    @classmethod
    def planned_epochs(cls, config: Any, scale: Scale | None, space: Space[Any]) -> int:
        return super().planned_epochs(config, scale, space) + tuning_epochs(space.shape[0], config.tune_epochs)

    def schedule_epochs(self) -> int:
        return self.context.scale.epochs

    def learning_rate(self) -> float:
        return super().learning_rate() if self.epochs_done < self.schedule_epochs() else self.config.weight_lr / 10

    def scores(self) -> Tensor:
        return project(super().scores(), self.projected)

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        if not self.config.blank and self.some_open:
            return super().architecture_step(train, valid)
        return self.architecture_rests(valid)

    def epoch(self) -> Metrics:
        tuning = self.epochs_done - self.schedule_epochs()
        if tuning == 0:
            self.weight_optimizer.state.clear()
        if tuning >= 0 and projection_due(tuning, len(self.projected), self.config.tune_epochs):
            self.project_an_edge()
        self.some_open = bool((self.projected == OPEN).any())
        return super().epoch()

    def project_an_edge(self) -> None:
        """Fix a random open edge to the operation whose removal hurts most."""
        still_open = (self.projected == OPEN).nonzero().flatten().tolist()
        drawn = torch.randint(len(still_open), (), generator=self.context.streams("projection.edges"))
        edge = still_open[int(drawn)]
        accuracies = [self.accuracy(without(self.scores().detach(), edge, o)) for o in range(self.operations)]
        self.projected[edge] = accuracies.index(min(accuracies))

    def accuracy(self, mixing: Tensor) -> float:
        """Accuracy in percent on the held-out images with these mixing weights [R, O], in train mode."""
        size, images, labels = self.context.scale.batch_size, self.split.arch_images, self.split.arch_labels
        correct = torch.zeros((), device=labels.device)
        for start in range(0, len(labels) - size + 1, size):
            batch = normalise(images[start : start + size], self.context.images)
            with torch.no_grad():
                predicted = self.supernet(batch, mixing).argmax(1)
            correct += (predicted == labels[start : start + size]).sum()
        return 100.0 * float(correct) / (len(labels) // size * size)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"projected": self.projected}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.projected.copy_(state["projected"])
