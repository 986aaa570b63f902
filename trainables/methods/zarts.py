"""ZARTS: move the architecture by what losses say at a few perturbations of it, each with weights fine-tuned for it.

Paper: Wang, Guo, Su, Yang and Yan, "ZARTS: On Zero-order Optimization for Neural Architecture Search", NeurIPS 2022,
arXiv:2110.04743.  Code: vicFigure/ZARTS (MGS only).

    p = softmax(alpha);  first a warm-up of the weights alone, then, before every ``interval``-th weight step:
    d_i    perturbations of alpha, i = 1..samples
    L_i  = L_valid at alpha + d_i, after ``fine_tune_steps`` SGD steps of a copy of the weights on training batches
    alpha <- alpha + move(d, L)          no Adam, no decay
    optimizer: mgs   sampling around -dL_valid/dalpha, weighted by importance (the release; no learning rate)
               rs    descent along a gradient estimated from losses alone
               gld   the best of perturbations that shrink by halves, or none     (all three: zeroth_order.py)
    sigma falls by a cosine over the epochs after the warm-up, one epoch late as released
    derive: argmax_o p[e, o], none included.

rs and gld never differentiate by alpha; they also need L_0, of a copy fine-tuned at alpha itself.

Deviations:
1. The copies are really fine-tuned: each gets an optimiser of its own with the momentum buffers copied, on images of
   the weights' half. In the release the optimiser holds the original weights, so copies never move, and the batches
   come from the validation half (and before PyTorch 2 the original weights drift by momentum and decay meanwhile).
   ``fine_tune_steps: 0`` leaves the copies as they are, as the release does.
2. The density is exp(-|d|^2 / (2 sigma^2)) for both components; the release writes the second without brackets.
3. Perturbations are drawn from the mixture whose density is used; the release adds draws of both components.
4. All copies of one step are fine-tuned on the same batches, so that they differ by their architecture only.
5. The paper searches the DARTS space; the same update on NAS-Bench-201, with the images of P1, is an adaptation. The
   warm-up (10 of 50 epochs) is a share of the epochs, so that short searches have one as well.
6. Between architecture steps the held-out batch only feeds the recorded validation loss and accuracy.
7. rs and gld were not released; their form is that of the works the paper builds on. Unverified: the step size, chosen
   so that rs and the centre of mgs's draws agree to first order; that sigma, its decay and the number of samples are
   mgs's, sigma being the smoothing radius of rs and the largest radius of gld; Gaussian directions.
8. ``interval`` counts the weight steps of the whole search, so that how often alpha moves does not depend on where
   epochs end; the release counts from the start of each epoch. With 390 batches an epoch both move alpha 39 times in
   each, but with 25 the release does 3 times where 2.5 are due: 48 steps of alpha instead of 40 in 20 epochs.
9. Fine-tuning batches are as large as the others; the release's hold 48 images, a quarter less work at batches of 64.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch, DifferentiableSearch
from trainables.methods.search_method import ImageContext, scales
from trainables.methods.weight_training import WeightTraining, cosine
from trainables.methods.zeroth_order import best_move, coefficients, halved, perturbations, smoothed_gradient
from trainables.spec import Scale

_RELEASE = "vicFigure/ZARTS, search script"


class ZartsConfig(WeightTraining):
    optimizer: Literal["mgs", "rs", "gld"] = hyperparameter(
        "mgs", "how alpha moves: importance sampling, estimated gradient, best perturbation", source=_RELEASE
    )
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
        1e-3, "mgs: share of perturbations centred at 0, not at -g", source=_RELEASE, search=Range(0, 1), ge=0, le=1
    )
    temperature: float = hyperparameter(
        0.01, "mgs: how sharply lower losses are preferred", source=_RELEASE, search=Range(1e-3, 1, log=True), gt=0
    )
    step_size: float = hyperparameter(
        1.0, "rs: step along the estimated gradient", source="unverified", search=Range(0.01, 10, log=True), gt=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter(
        "P1", "which images drive which step", source="halves as in the release; NAS-Bench-201 is an adaptation"
    )


class Zarts(DifferentiableSearch[ZartsConfig]):
    """Softmax relaxation, zero-order architecture steps."""

    Config = ZartsConfig
    checked = Checked("lockstep", "vicFigure/ZARTS", "2026-11", 3e-15, "mgs; with deviations 1 and 2 mended in it")
    paper = (
        "Wang, Guo, Su, Yang, Yan. ZARTS: On Zero-order Optimization for Neural Architecture "
        "Search. NeurIPS 2022. arXiv:2110.04743"
    )
    published = scales(
        nas_bench_201=Scale(channels=16, cells=5, epochs=50, batch_size=64),
        darts=Scale(channels=16, cells=8, epochs=50, batch_size=64),
    )

    def __init__(self, config: ZartsConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        self.fine_tune_batches = self.weight_batches("order.fine_tuning")
        self.weight_steps = 0

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        return False  # an architecture step every few, on batches it draws itself

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        copies = config.samples + (config.optimizer != "mgs")
        steps = copies * (0.4 + 0.57 * config.fine_tune_steps) / config.interval
        return 0.7 + (1 - config.warm_up) * steps

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
            return self.architecture_rests(valid)
        if self.config.optimizer == "mgs":
            gradient, loss, logits = self.architecture_gradient(train, valid)
        else:
            with torch.no_grad():
                gradient, (loss, logits) = torch.zeros_like(self.alpha), self.loss(valid, self.mixing())
        move = self.move(gradient, valid)
        with torch.no_grad():
            self.alpha += move
        return loss, logits

    def move(self, gradient: Tensor, valid: Batch) -> Tensor:
        """What is added to alpha [R, O]; ``gradient`` [R, O] is that of mgs, else zeros."""
        settings, sigma, alpha = self.config, self.sigma(), self.alpha.detach()
        noise = self.context.streams("architecture.noise", alpha.device)
        draws = perturbations(gradient, settings.samples, sigma, settings.mixture, noise)
        if settings.optimizer == "gld":
            draws = halved(draws)
        batches = [
            self._batch(self.fine_tune_batches, "augmentation.fine_tuning") for _ in range(settings.fine_tune_steps)
        ]
        losses = torch.stack([self.fine_tuned_loss(alpha + d, batches, valid) for d in draws])
        if settings.optimizer == "mgs":
            c = coefficients(
                losses, draws, gradient, sigma=sigma, mixture=settings.mixture, temperature=settings.temperature
            )
            return torch.tensordot(c, draws, dims=1)
        base = self.fine_tuned_loss(alpha, batches, valid)
        if settings.optimizer == "rs":
            return -settings.step_size * smoothed_gradient(losses, base, draws, sigma)
        return best_move(losses, base, draws)

    def fine_tuned_loss(self, alpha: Tensor, batches: list[Batch], valid: Batch) -> Tensor:
        """Validation loss at ``alpha`` [R, O] of a copy of the supernet after one SGD step on each of ``batches``."""
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
