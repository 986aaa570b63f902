"""GDAS: sample one operation per edge by Gumbel-max, train that cell alone, and differentiate straight through.

Paper: Dong and Yang, "Searching for a Robust Neural Architecture in Four GPU Hours", CVPR 2019, arXiv:1910.04465.
Code: D-X-Y/AutoDL-Projects, GDAS on NAS-Bench-201.

    g[e, o] ~ Gumbel(0, 1), one draw per forward pass, shared by all cells
    q[e, :] = softmax((log softmax(alpha[e, :]) + g[e, :]) / tau),  i(e) = argmax_o q[e, o]
    h       = onehot(i) - stop(q) + q                value: one-hot; gradient: that of q
    edge e  = h[e, i] op_i(x) + sum_{o != i} h[e, o]
    alpha  <- Adam(dL_valid/dalpha);  tau falls linearly from tau_start to tau_end;  derive: argmax_o alpha[e, o].

Only the sampled operation runs. The others enter the edge as bare scalars of value 0, as released, so dL/dh[e, o] of an
operation that was not sampled is the plain sum of dL/d(edge e): it does not depend on what that operation computes.
A supernet that computed all candidates under h would have the same value but another gradient, and would move the
running statistics of candidates nobody sampled; hence the supernet's single path.

Deviations:
1. Architecture step before weight step, as all methods here; AutoDL-Projects does it the other way round.
2. Draws are not repeated when not finite: float32 exponential draws are never 0, and a parameter that is not finite
   ends the trial.
3. The validation accuracy recorded is that of the sampled cells on the architecture batches (the release also samples
   in its validation pass).
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.gumbel import gumbel_noise, relaxed_sample, temperature
from trainables.methods.search_method import scales
from trainables.methods.weight_training import WeightTraining
from trainables.spec import Scale

_AUTODL = "AutoDL-Projects, GDAS on NAS-Bench-201"


class GdasConfig(AdamArchitecture):
    tau_start: float = hyperparameter(
        10.0, "temperature in the first epoch", source=_AUTODL, search=Range(1, 20, log=True), gt=0
    )
    tau_end: float = hyperparameter(
        0.1, "temperature in the last epoch", source=_AUTODL, search=Range(0.05, 10, log=True), gt=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P2", "which images drive which step", source=_AUTODL)
    nesterov: bool = WeightTraining.redeclare("nesterov", True, source=_AUTODL)
    weight_decay: float = WeightTraining.redeclare("weight_decay", 5e-4, source=_AUTODL)


def hard_sample(alpha: Tensor, noise: Tensor, tau: float) -> Tensor:
    """h [E, O]: one-hot at the largest of alpha + noise, with the gradient of the relaxed sample."""
    q = relaxed_sample(alpha.log_softmax(dim=-1), noise, tau)
    onehot = F.one_hot(q.argmax(dim=-1), q.shape[-1]).to(q.dtype)
    return onehot - q.detach() + q


class Gdas(AdamArchitectureSearch[GdasConfig]):
    """Hard Gumbel samples, straight-through gradients, Adam on alpha."""

    Config = GdasConfig
    checked = Checked("lockstep", "D-X-Y/AutoDL-Projects", "2026-11", 1e-14)
    paper = "Dong, Yang. Searching for a Robust Neural Architecture in Four GPU Hours. CVPR 2019. arXiv:1910.04465"
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=250, batch_size=64))

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        return False  # the sampled path is run by the host

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 0.4  # a sampled cell alone is computed

    def mixing(self) -> Tensor:
        tau = temperature(self.config.tau_start, self.config.tau_end, self.epochs_done, self.total_epochs)
        noise = gumbel_noise(self.alpha, self.context.streams("architecture.noise", self.alpha.device))
        return hard_sample(self.alpha, noise, tau)

    def loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        return self.single_path_loss(batch, mixing)
