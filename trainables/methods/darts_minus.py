"""DARTS-: give every edge a second skip connection that fades out, so that the first is judged as an operation.

Paper: Chu, Wang, Zhang, Lu, Wei and Yan, "DARTS-: Robustly Stepping out of Performance Collapse Without Indicators",
ICLR 2021, arXiv:2009.01027.  Code: Meituan-AutoML/DARTS-.

    edge e  = beta_t x + sum_o softmax(alpha)[e, o] op_o(x)
    beta_t falls from ``auxiliary`` in the first epoch towards 0 after the last:  linear 1 - t/T, or cosine
    alpha  <- Adam(dL_valid/dalpha), as in DARTS;  derive: argmax_o softmax(alpha)[e, o], none included: the auxiliary
    skip is no candidate.

A skip connection does two things in a supernet: it is a candidate, and it keeps the gradient alive as in a residual
network. The auxiliary one does the second, so that alpha has the first to decide. At ``auxiliary: 0`` it is DARTS.

Deviations:
1. The NAS-Bench-201 search was not released. Supernet and weights train as xiangning-chen/DrNAS trains DARTS there
   (P1, 100 epochs, no Nesterov momentum, weight decay 3e-4); beta (1, falling linearly) is that of the released script
   for the DARTS space.
2. The auxiliary skip is x itself on every edge; all edges of NAS-Bench-201 keep the size, so none needs the reducing
   one of the DARTS space.
"""

from __future__ import annotations

import math
from typing import Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.search_method import ImageContext, scales
from trainables.spaces.space import SKIP
from trainables.spec import Scale

_RELEASE = "Meituan-AutoML/DARTS-, search script"


class DartsMinusConfig(AdamArchitecture):
    auxiliary: float = hyperparameter(
        1.0, "weight of the auxiliary skip connection in the first epoch", source=_RELEASE, search=Range(0, 1), ge=0
    )
    decay: Literal["linear", "cosine"] = hyperparameter("linear", "how that weight falls to 0", source=_RELEASE)
    protocol: Literal["P1", "P2"] = hyperparameter(
        "P1", "which images drive which step", source="xiangning-chen/DrNAS, NAS-Bench-201"
    )


def auxiliary_weight(start: float, decay: str, epoch: int, epochs: int) -> float:
    """beta during ``epoch`` (from 0) of ``epochs``; 0 lies one epoch after the last."""
    done = epoch / epochs
    return start * (1 - done if decay == "linear" else (1 + math.cos(math.pi * done)) / 2)


class DartsMinus(AdamArchitectureSearch[DartsMinusConfig]):
    """Softmax relaxation beside a fading skip connection, Adam on alpha."""

    Config = DartsMinusConfig
    checked = Checked("lockstep", "Meituan-AutoML/DARTS-", "2026-11", 2e-16, "its edges in cells of NAS-Bench-201")
    paper = (
        "Chu, Wang, Zhang, Lu, Wei, Yan. DARTS-: Robustly Stepping out of Performance Collapse Without Indicators. "
        "ICLR 2021. arXiv:2009.01027"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64))

    def __init__(self, config: DartsMinusConfig, context: ImageContext) -> None:
        super().__init__(config, context)
        self.skip = self.space.where(SKIP).to(self.alpha)

    def relaxed(self) -> Tensor:
        beta = auxiliary_weight(self.config.auxiliary, self.config.decay, self.epochs_done, self.total_epochs)
        return self.scores() + beta * self.skip
