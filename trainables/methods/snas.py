"""SNAS: sample relaxed operations from a Gumbel-softmax whose temperature falls, and descend through the sample.

Paper: Xie, Zheng, Liu and Lin, "SNAS: Stochastic Neural Architecture Search", ICLR 2019, arXiv:1812.09926.
Code: SNAS-Series/SNAS; on NAS-Bench-201 the re-implementation in xiangning-chen/DrNAS.

    g[e, o] ~ Gumbel(0, 1), one draw per forward pass, shared by all cells
    p[e, :] = softmax((alpha[e, :] + g[e, :]) / tau), not rounded
    variant bilevel (DrNAS): alpha_0 = 1e-3 N(0, 1);  alpha <- Adam(dL_valid/dalpha), then the weight step (P1), Adam
        being that of DARTS (3e-4, decay 1e-3);
        tau falls linearly from tau_start in the first to tau_end in the last epoch.
    variant single (paper):  alpha_0 ~ N(1, 0.01^2);  one backward pass of the training loss gives the gradients of the
        weights and of alpha, alpha's clipped to norm 10, and both step; on all training images (P3);
        tau_t = tau_end + (tau_start - tau_end)(1 - t/T), in the release from 1 towards 0.03 over T = 150 epochs.
    derive: argmax_o alpha[e, o]; none may win.

These are two different searches under one name. Published NAS-Bench-201 tables hold the bilevel one, whose temperatures
are the defaults; the single-level search is the released one at tau_start 1, tau_end 0.03.

Deviations:
1. Temperatures are laid over the epochs that run; the release anneals over 150 epochs, and only if told to.
2. The single-level alpha steps by Adam, as in the distributed script; the single-GPU script uses SGD at the same rate.
3. Bilevel: the last epoch is at tau_end. The re-implementation divides by the number of epochs, not by one less, and
   so ends its 100 epochs at 1.09 instead of 1.
4. Drop path and the optional penalty on resources of the paper's own search space are left out.
5. The single-level search draws, but does not use, architecture batches: data order stays that of the other methods.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.gumbel import gumbel_noise, relaxed_sample, temperature
from trainables.methods.search_method import scales
from trainables.spec import Scale

_DRNAS = "xiangning-chen/DrNAS, SNAS on NAS-Bench-201"
LARGEST_GRADIENT = 10.0


class SnasConfig(AdamArchitecture):
    variant: Literal["bilevel", "single"] = hyperparameter(
        "bilevel", "alpha on validation images (P1), or with the weights on all training images (P3)", source=_DRNAS
    )
    tau_start: float = hyperparameter(
        10.0, "temperature in the first epoch (released single-level: 1)", source=_DRNAS,
        search=Range(0.5, 20, log=True), gt=0,
    )  # fmt: skip
    tau_end: float = hyperparameter(
        1.0, "temperature towards the end (released single-level: 0.03)", source=_DRNAS,
        search=Range(0.03, 10, log=True), gt=0,
    )  # fmt: skip


def single_level_temperature(start: float, end: float, epoch: int, epochs: int) -> float:
    """tau during ``epoch`` (from 0) of ``epochs``; ``end`` lies one epoch after the last."""
    return (1 - epoch / epochs) * (start - end) + end


class Snas(AdamArchitectureSearch[SnasConfig]):
    """Relaxed Gumbel samples, Adam on alpha; bilevel, or one backward pass for both."""

    Config = SnasConfig
    checked = Checked("lockstep", "xiangning-chen/DrNAS", "2026-11", 2e-16, "bilevel")
    paper = "Xie, Zheng, Liu, Lin. SNAS: Stochastic Neural Architecture Search. ICLR 2019. arXiv:1812.09926"
    published = scales(
        nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64),
        darts=Scale(channels=16, cells=8, epochs=150, batch_size=64),
    )

    @classmethod
    def protocol(cls, config: Any) -> str:
        return "P1" if config.variant == "bilevel" else "P3"

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 1.0 if config.variant == "bilevel" else 1.5  # P3 steps through all images, by one backward pass each

    def initial_architecture(self) -> Tensor:
        if self.config.variant == "bilevel":
            return super().initial_architecture()
        return 1 + 10 * super().initial_architecture()

    def tau(self) -> float:
        """The present epoch's temperature."""
        schedule = temperature if self.config.variant == "bilevel" else single_level_temperature
        return schedule(self.config.tau_start, self.config.tau_end, self.epochs_done, self.total_epochs)

    def mixing(self) -> Tensor:
        noise = gumbel_noise(self.alpha, self.context.streams("architecture.noise", self.alpha.device))
        return relaxed_sample(self.alpha, noise, self.tau())

    def steps(self, train: Batch, valid: Batch) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        if self.config.variant == "bilevel":
            return super().steps(train, valid)
        self.architecture_optimizer.zero_grad()
        result = self.weight_step(train, self.mixing())
        torch.nn.utils.clip_grad_norm_([self.alpha], LARGEST_GRADIENT)
        self.architecture_optimizer.step()
        return result, result
