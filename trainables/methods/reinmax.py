"""ReinMax: sample one operation an edge, and differentiate the sample to second order instead of straight through.

Paper: Liu, Dong, Liu, Yu and Gao, "Bridging Discrete and Backpropagation: Straight-Through and Beyond", NeurIPS 2023,
arXiv:2304.08612, algorithm 2.  Code: microsoft/ReinMax. Here it is the sampler of a bilevel search, beside Gumbel's.

    p  = softmax(alpha[e, :]);  D ~ p, one-hot, one draw per forward pass, shared by all cells
    p1 = (D + softmax(alpha / tau)) / 2, as softmax(stop(log p1 - alpha) + alpha), so that its gradient is its own
    p2 = 2 p1 - p / 2;   h = D + p2 - stop(p2)                  value: one-hot; gradient: that of p2
    alpha <- Adam(dL_valid/dalpha) at mixing weights h;  derive: argmax_o alpha[e, o], none included.

At tau = 1 the expected gradient is that of the expected loss wherever the loss is quadratic in h (Heun's method; the
straight-through one needs it linear). Unlike GDAS it needs the derivative by weights that are 0, so all candidates run.

As in the release, the temperature is at least 1.

Deviations:
1. The paper is no architecture search; supernet, weights and alpha train as in GDAS (P2, 250 epochs, Nesterov momentum,
   weight decay 5e-4, Adam 3e-4). tau = 1, where the second order holds.
2. Weight steps draw a cell too, and run it within the full supernet: the running statistics of candidates that were not
   drawn move as well.
"""

from __future__ import annotations

from typing import Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.gumbel import gumbel_noise
from trainables.methods.search_method import scales
from trainables.methods.weight_training import WeightTraining
from trainables.spec import Scale

_AUTODL = "AutoDL-Projects, GDAS on NAS-Bench-201"


class ReinmaxConfig(AdamArchitecture):
    tau: float = hyperparameter(1.0, "temperature", source="paper, algorithm 2", search=Range(1, 2), ge=1)
    protocol: Literal["P1", "P2"] = hyperparameter("P2", "which images drive which step", source=_AUTODL)
    nesterov: bool = WeightTraining.redeclare("nesterov", True, source=_AUTODL)
    weight_decay: float = WeightTraining.redeclare("weight_decay", 5e-4, source=_AUTODL)


def second_order_sample(alpha: Tensor, drawn: Tensor, tau: float) -> Tensor:
    """h [E, O]: the one-hot rows ``drawn``, with the gradient of ReinMax in alpha [E, O]."""
    halfway = (drawn + (alpha / tau).softmax(dim=-1)) / 2
    own = ((halfway.log() - alpha).detach() + alpha).softmax(dim=-1)
    relaxed = 2 * own - alpha.softmax(dim=-1) / 2
    return drawn + relaxed - relaxed.detach()


class Reinmax(AdamArchitectureSearch[ReinmaxConfig]):
    """Hard samples, second-order gradients, Adam on alpha."""

    Config = ReinmaxConfig
    checked = Checked(
        "functions", "microsoft/ReinMax", "2026-11", 2e-15, "samples and their gradient; it is no architecture search"
    )
    paper = (
        "Liu, Dong, Liu, Yu, Gao. Bridging Discrete and Backpropagation: Straight-Through and Beyond. NeurIPS 2023. "
        "arXiv:2304.08612"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=250, batch_size=64))

    def mixing(self) -> Tensor:
        noise = gumbel_noise(self.alpha, self.context.streams("architecture.noise", self.alpha.device))
        noisy = self.alpha.detach() + noise
        drawn = (noisy == noisy.amax(dim=1, keepdim=True)).to(self.alpha.dtype)
        return second_order_sample(self.alpha, drawn, self.config.tau)
