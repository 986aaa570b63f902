"""BaLeNAS: learn a Gaussian over the architecture parameters by variational online Newton, in the form of Vadam.

Paper: Zhang, Pan, Chang, Su, Hu, Haffari and Yang, "BaLeNAS: Differentiable Architecture Search via the Bayesian
Learning Rule", CVPR 2022, arXiv:2111.13204.  Code: MiaoZhang0525/iDARTS, which imports emtiyaz/vadam (Khan et al.,
"Fast and Scalable Bayesian Deep Learning by Weight-Perturbation in Adam", ICML 2018, arXiv:1806.04854).

    q = N(alpha, sigma^2),  alpha the mean,  sigma = 1 / sqrt(N s + 1),  s = 0 and so sigma = 1 at the start
    theta = alpha + sigma * noise;  g = dL_valid/dtheta at p = softmax(theta)
    m <- b1 m + (1 - b1) (g + alpha / N);   s <- b2 s + (1 - b2) g^2;   b1, b2 = 0.5, 0.999
    alpha <- alpha - arch_lr (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + 1 / N)
    derivation mean (BaLeNAS): argmax_o softmax(alpha)[e, o], none included
    derivation training_free (BaLeNAS-TF): draw ``candidates`` cells argmax_o theta[e, o] from q; of the different ones
        the best by the sum of two ranks, of the NTK condition number (low) and of the linear regions (high).

Only the architecture step samples; the weight step and derivation by the mean use softmax(alpha).

Deviations:
1. The NAS-Bench-201 recipe was not released: supernet and weights train as in DARTS there (P2, 50 epochs).
2. N is the release's 25,000 on every data set (``data_points``).
3. Neither the number of candidates nor the proxies nor their combination were released. 100 candidates; proxies and
   their settings follow TE-NAS (arXiv:2102.11535; trainables/training_free.py). Ties share the lower rank; at equal
   sums the first drawn wins.
4. Every candidate meets the same images, crops and draws of initial weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch, DifferentiableSearch
from trainables.methods.search_method import ImageContext, Metrics, scales
from trainables.methods.weight_training import WeightTraining
from trainables.spaces.space import Architecture
from trainables.spec import Scale

_RELEASE = "emtiyaz/vadam, as MiaoZhang0525/iDARTS calls it"
_AUTODL = "AutoDL-Projects, DARTS on NAS-Bench-201 (BaLeNAS released none)"
BETAS = (0.5, 0.999)


class BalenasConfig(WeightTraining):
    arch_lr: float = hyperparameter(
        3e-4, "learning rate of the mean", source=_RELEASE, search=Range(3e-5, 3e-2, log=True), gt=0
    )
    data_points: int = hyperparameter(
        25_000, "N, the data points the likelihood counts", source=_RELEASE, search=Range(250, 250_000, log=True), ge=1
    )
    derivation: Literal["mean", "training_free"] = hyperparameter(
        "mean", "argmax of the mean (BaLeNAS) or training-free choice among samples (BaLeNAS-TF)", source="paper"
    )
    candidates: int = hyperparameter(
        100, "cells drawn by training_free", source="this project; not released", search=Range(10, 500), ge=1
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P2", "which images drive which step", source=_AUTODL)
    nesterov: bool = WeightTraining.redeclare("nesterov", True, source=_AUTODL)
    weight_decay: float = WeightTraining.redeclare("weight_decay", 5e-4, source=_AUTODL)


def deviation(s: Tensor, data_points: int) -> Tensor:
    """sigma = 1 / sqrt(N s + 1), of the shape of s."""
    return (data_points * s + 1).rsqrt()


def vadam_step(
    mean: Tensor, m: Tensor, s: Tensor, gradient: Tensor, *, step: int | Tensor, lr: float, data_points: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The next (mean, m, s), all of one shape; ``step``, a number or a float64 scalar, counts from 1."""
    first, second = BETAS
    with torch.no_grad():
        m = first * m + (1 - first) * (gradient + mean / data_points)
        s = second * s + (1 - second) * gradient.square()
        scale = (s / (1 - second**step)).sqrt() + 1 / data_points
        return mean - lr * m / (1 - first**step) / scale, m, s


def best_by_rank_sum(*scores: Sequence[float]) -> int:
    """The index whose ranks sum to the least; lower scores rank better, ties share the lower rank."""
    ranks = [[sorted(column).index(value) for value in column] for column in scores]
    sums = [sum(rank) for rank in zip(*ranks, strict=True)]
    return sums.index(min(sums))


class Balenas(DifferentiableSearch[BalenasConfig]):
    """Gaussian relaxation, Vadam on its mean and precision."""

    Config = BalenasConfig
    checked = Checked(
        "functions", "emtiyaz/vadam", "2026-11", 3e-17, "Vadam alone; the NAS-Bench-201 recipe was not released"
    )
    paper = (
        "Zhang, Pan, Chang, Su, Hu, Haffari, Yang. BaLeNAS: Differentiable Architecture Search via the Bayesian "
        "Learning Rule. CVPR 2022. arXiv:2111.13204"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=50, batch_size=64))

    def __init__(self, config: BalenasConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        self.m, self.s = torch.zeros_like(self.alpha), torch.zeros_like(self.alpha)
        self.architecture_steps = torch.zeros((), dtype=torch.float64, device=context.device)
        self.chosen: Architecture | None = None

    def draw(self, stream: str) -> Tensor:
        """theta [R, O] ~ q, with the gradient of alpha."""
        noise = self.context.streams(stream, self.alpha.device)
        eps = torch.randn(self.alpha.shape, generator=noise, device=self.alpha.device)
        return self.alpha + deviation(self.s, self.config.data_points) * eps

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        with self.supernet.weights_rest():
            loss, logits = self.loss(valid, self.draw("architecture.noise").softmax(dim=1))
        (gradient,) = torch.autograd.grad(loss, self.alpha)
        self.architecture_steps += 1
        mean, m, s = vadam_step(
            self.alpha,
            self.m,
            self.s,
            gradient,
            step=self.architecture_steps,
            lr=self.config.arch_lr,
            data_points=self.config.data_points,
        )
        with torch.no_grad():
            for state, moved in ((self.alpha, mean), (self.m, m), (self.s, s)):
                state.copy_(moved)
        return loss.detach(), logits.detach()

    def epoch(self) -> Metrics:
        metrics = super().epoch()
        if self.config.derivation == "training_free" and self.epochs_done == self.total_epochs:
            self.chosen = self.choose()
        return metrics

    def derive(self) -> Architecture:
        return self.chosen or self.current()

    def choose(self) -> Architecture:
        """The best of the cells drawn from q, by its training-free scores."""
        thetas = [self.draw("derivation.cells").detach() for _ in range(self.config.candidates)]
        cells = list(dict.fromkeys(self.space.derive(theta) for theta in thetas))
        scorer = self.training_free("derivation")
        conditions = [scorer.score(cell, "ntk_condition") for cell in cells]
        regions = [scorer.score(cell, "linear_regions") for cell in cells]
        return cells[best_by_rank_sum(conditions, [-count for count in regions])]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "m": self.m,
            "s": self.s,
            "architecture_steps": int(self.architecture_steps),
            "chosen": self.chosen and str(self.chosen),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.m.copy_(state["m"])
        self.s.copy_(state["s"])
        self.architecture_steps.fill_(state["architecture_steps"])
        self.chosen = state["chosen"] and self.space.parse(state["chosen"])
