"""ZARTS: move the architecture without its gradient, by Monte-Carlo sampling among fine-tuned perturbations.

Paper: Wang, Guo, Su, Yang and Yan, "ZARTS: On Zero-order Optimization for Neural Architecture Search", NeurIPS 2022,
arXiv:2110.04743.  Code: vicFigure/ZARTS (its only variant, MGS).

    p = softmax(alpha);  first a warm-up of the weights alone, then, before every ``interval``-th weight step:
    g   = dL_valid/dalpha
    d_i ~ q = (1 - mixture) N(-g, sigma^2 I) + mixture N(0, sigma^2 I),   i = 1..samples
    L_i = L_valid at alpha + d_i, after ``fine_tune_steps`` SGD steps of a copy of the weights on training batches
    c_i ~ exp(-L_i / temperature) / (q(d_i) + 1e-4),  sum c_i = 1
    alpha <- alpha + sum_i c_i d_i          no learning rate, no Adam, no decay
    sigma falls by a cosine over the epochs after the warm-up, one epoch late as released
    derive: argmax_o p[e, o], none included.

q(d) leaves out the Gaussians' normalising constant, as released; L_0, which the release subtracts from every L_i,
cancels in the normalisation and is not computed. The paper's other two estimators, random search (RS) and guided
evolution (GES), were not released with their settings and are left out.

Deviations:
1. The copies are really fine-tuned: each gets an optimiser of its own with the momentum buffers copied, on images of
   the weights' half. In the release the optimiser holds the original weights, so copies never move, and the batches
   come from the validation half.
2. The density is exp(-|d|^2 / (2 sigma^2)) for both components; the release writes the second without brackets.
3. Perturbations are drawn from the mixture whose density is used; the release adds draws of both components.
4. All copies of one step are fine-tuned on the same batches, so that they differ by their architecture only.
5. The paper searches the DARTS space; the same update on NAS-Bench-201, with the images of P1, is an adaptation. The
   warm-up (10 of 50 epochs) is a share of the epochs, so that short searches have one as well.
6. Between architecture steps the held-out batch only feeds the recorded validation loss and accuracy.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.datasets import BatchStream
from trainables.hyperparameters import Range, hyperparameter
from trainables.methods.differentiable import Batch, DifferentiableSearch, WeightTraining, cosine
from trainables.methods.search_method import SearchContext
from trainables.spec import Scale

_RELEASE = "vicFigure/ZARTS, search script"


class ZartsConfig(WeightTraining):
    samples: int = hyperparameter(
        4, "perturbations in an architecture step", source=_RELEASE, search=Range(2, 16), ge=1
    )
    fine_tune_steps: int = hyperparameter(
        10, "weight steps of every perturbed copy", source=_RELEASE, search=Range(1, 20), ge=0
    )
    interval: int = hyperparameter(
        10, "weight steps between architecture steps", source=_RELEASE, search=Range(1, 50), ge=1
    )
    warm_up: float = hyperparameter(
        0.2, "share of the epochs that train the weights alone", source=_RELEASE, search=Range(0, 0.5), ge=0, lt=1
    )
    sigma: float = hyperparameter(
        0.025,
        "standard deviation of the perturbations at the start",
        source=_RELEASE,
        search=Range(0.01, 0.2, log=True),
        gt=0,
    )
    mixture: float = hyperparameter(
        1e-3, "share of perturbations centred at 0, not at -g", source=_RELEASE, search=Range(0, 1), ge=0, le=1
    )
    temperature: float = hyperparameter(
        0.01, "how sharply lower losses are preferred", source=_RELEASE, search=Range(1e-3, 1, log=True), gt=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter(
        "P1", "which images drive which step", source="halves as in the release; NAS-Bench-201 is an adaptation"
    )


def perturbations(gradient: Tensor, samples: int, sigma: float, mixture: float, generator: torch.Generator) -> Tensor:
    """Draws from q, [samples, E, O], at a gradient [E, O]."""
    device = gradient.device
    centred = torch.rand(samples, 1, 1, generator=generator, device=device) < mixture
    noise = torch.randn(samples, *gradient.shape, generator=generator, device=device, dtype=gradient.dtype)
    return torch.where(centred, torch.zeros_like(gradient), -gradient) + sigma * noise


def coefficients(
    losses: Tensor, draws: Tensor, gradient: Tensor, *, sigma: float, mixture: float, temperature: float
) -> Tensor:
    """c [n], summing to 1, for losses [n] at perturbations [n, ...] drawn at a gradient of shape [...]."""
    draws, gradient = draws.flatten(1), gradient.flatten()

    def kernel(distance: Tensor) -> Tensor:
        return torch.exp(-distance.square().sum(1) / (2 * sigma**2))

    density = (1 - mixture) * kernel(draws + gradient) + mixture * kernel(draws)
    return torch.softmax(-losses / temperature - torch.log(density + 1e-4), dim=0)


class Zarts(DifferentiableSearch[ZartsConfig]):
    """Softmax relaxation, zero-order architecture steps."""

    Config = ZartsConfig
    paper = (
        "Wang, Guo, Su, Yang, Yan. ZARTS: On Zero-order Optimization for Neural Architecture "
        "Search. NeurIPS 2022. arXiv:2110.04743"
    )
    paper_scale = Scale(channels=16, cells=5, epochs=50, batch_size=64)

    def __init__(self, config: ZartsConfig, context: SearchContext) -> None:
        super().__init__(config, context)
        assert context.scale is not None
        self.fine_tune_batches = BatchStream(
            self.split.weight_images,
            self.split.weight_labels,
            context.scale.batch_size,
            context.streams("order.fine_tuning"),
        )
        self.weight_steps = 0

    @classmethod
    def protocol(cls, config: Any) -> str:
        return config.protocol

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        steps = config.samples * (0.4 + 0.57 * config.fine_tune_steps) / config.interval
        return 0.7 + (1 - config.warm_up) * steps

    def scores(self) -> Tensor:
        return self.alpha.softmax(dim=1)

    @property
    def warm_up_epochs(self) -> int:
        return round(self.config.warm_up * self.total_epochs)

    def sigma(self) -> float:
        """The perturbations' standard deviation in the present epoch."""
        warm_up = self.warm_up_epochs
        behind = max(self.epochs_done - warm_up - 1, 0)  # as released: stepped after an epoch with that epoch's number
        return cosine(self.config.sigma, 0.0, behind, self.total_epochs - warm_up)

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        if self.epochs_done < self.warm_up_epochs or self.weight_steps % self.config.interval:
            with torch.no_grad():
                return self.loss(valid, self.mixing())
        settings, sigma = self.config, self.sigma()
        gradient, loss, logits = self.architecture_gradient(train, valid)
        noise = self.context.streams("architecture.noise", self.alpha.device)
        draws = perturbations(gradient, settings.samples, sigma, settings.mixture, noise)
        batches = [
            self._batch(self.fine_tune_batches, "augmentation.fine_tuning") for _ in range(settings.fine_tune_steps)
        ]
        losses = torch.stack([self.fine_tuned_loss(self.alpha.detach() + d, batches, valid) for d in draws])
        c = coefficients(
            losses, draws, gradient, sigma=sigma, mixture=settings.mixture, temperature=settings.temperature
        )
        with torch.no_grad():
            self.alpha += torch.tensordot(c, draws, dims=1)
        return loss, logits

    def fine_tuned_loss(self, alpha: Tensor, batches: list[Batch], valid: Batch) -> Tensor:
        """Validation loss at ``alpha`` [6, 5] of a copy of the supernet after one SGD step on each of ``batches``."""
        supernet, mixing = deepcopy(self.supernet), alpha.softmax(dim=1)
        weights = list(supernet.parameters())
        optimizer = torch.optim.SGD(weights, lr=self.weight_optimizer.param_groups[0]["lr"])
        optimizer.load_state_dict(deepcopy(self.weight_optimizer.state_dict()))
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(supernet(images, mixing), labels).backward()
            torch.nn.utils.clip_grad_norm_(weights, self.config.grad_clip)
            optimizer.step()
        with torch.no_grad():
            return F.cross_entropy(supernet(valid[0], mixing), valid[1])

    def weight_step(self, train: Batch, mixing: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.weight_steps += 1
        return super().weight_step(train, mixing)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "weight_steps": self.weight_steps,
            "fine_tune_batches": self.fine_tune_batches.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.weight_steps = state["weight_steps"]
        self.fine_tune_batches.load_state_dict(state["fine_tune_batches"])
