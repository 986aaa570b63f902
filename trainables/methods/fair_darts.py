"""FairDARTS: let operations cooperate, each with a gate of its own, and push the gates towards 0 and 1.

Paper: Chu, Zhou, Zhang and Li, "Fair DARTS: Eliminating Unfair Advantages in Differentiable Architecture Search", ECCV
2020, arXiv:1911.12126.  Code: xiaomi-automl/FairDARTS.

    p[e, o] = sigmoid(alpha[e, o]): no operation's weight is another's loss
    L_01    = - mean_{e, o} (p[e, o] - 1/2)^2                                                          (zero-one loss)
    alpha  <- Adam(d/dalpha (L_valid + zero_one * L_01)) from 0, betas (0.9, 0.999);  derive: argmax_o p[e, o]

``none`` is not a candidate, as in the release: an edge is closed by gates near 0, and the gate of zeros would follow
the zero-one loss alone. Derivation and the recorded entropy read each edge's gates divided by their sum.

Deviations:
1. The paper keeps what passes a threshold of 0.85, up to two operations of one edge and two edges of a node. A cell of
   NAS-Bench-201 has one operation on every edge, so the widest gate is taken, however narrow.
2. There is no code of the authors for NAS-Bench-201. Supernet and weights train as xiangning-chen/DrNAS trains DARTS
   there (P1, 100 epochs, no Nesterov momentum, weight decay 3e-4, 0.025 to 0.001 at batches of 64); the search of the
   DARTS space takes 50 epochs at 0.005 to 0.001 and batches of 128. What is the method's own (gates, alpha and its
   optimiser, zero-one loss of weight 10) is of that search.
"""

from __future__ import annotations

from typing import Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.search_method import scales
from trainables.spec import Scale

_RELEASE = "xiaomi-automl/FairDARTS"


class FairDartsConfig(AdamArchitecture):
    arch_lr: float = AdamArchitecture.redeclare("arch_lr", 3e-3, source=_RELEASE)
    zero_one: float = hyperparameter(10.0, "weight of the zero-one loss", source=_RELEASE, search=Range(0, 100), ge=0)
    protocol: Literal["P1", "P2"] = hyperparameter(
        "P1", "which images drive which step", source="xiangning-chen/DrNAS, NAS-Bench-201"
    )


def zero_one_loss(gates: Tensor) -> Tensor:
    """- mean (gate - 1/2)^2 over all gates, a scalar in [-1/4, 0]: lowest where every gate is open or closed."""
    return -(gates - 0.5).square().mean()


class FairDarts(AdamArchitectureSearch[FairDartsConfig]):
    """Sigmoid gates, Adam on alpha, zero-one loss."""

    Config = FairDartsConfig
    version = 2
    first_moment = 0.9
    checked = Checked(
        "lockstep", "xiaomi-automl/FairDARTS", "2026-11", 2e-16, "its loss and optimiser in cells of NAS-Bench-201"
    )
    paper = (
        "Chu, Zhou, Zhang, Li. Fair DARTS: Eliminating Unfair Advantages in Differentiable Architecture Search. "
        "ECCV 2020. arXiv:1911.12126"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64))

    def initial_architecture(self) -> Tensor:
        """alpha [R, |O|] = 0, all gates half open: of all operations but none, the first where there is one."""
        rows, operations = self.space.shape
        return torch.zeros(rows, operations - self.space.may_leave_out)

    def gates(self) -> Tensor:
        """sigmoid(alpha), [R, |O|]."""
        return self.alpha.sigmoid()

    def relaxed(self) -> Tensor:
        return F.pad(self.gates(), (int(self.space.may_leave_out), 0))

    def scores(self) -> Tensor:
        relaxed = self.relaxed()
        return relaxed / relaxed.sum(dim=1, keepdim=True)

    def regulariser(self) -> Tensor | float:
        return self.config.zero_one * zero_one_loss(self.gates())
