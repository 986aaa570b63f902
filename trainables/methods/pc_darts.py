"""PC-DARTS: DARTS on a share of the channels, with weights on whole edges to steady the search.

Paper: Xu, Xie, Zhang, Chen, Qi, Tian and Xiong, "PC-DARTS: Partial Channel Connections for Memory-Efficient
Architecture Search", ICLR 2020, arXiv:1907.05737.  Code: yuhuixu1993/PC-DARTS.

    p[e, :] = softmax(alpha[e, :]);  q = softmax(beta) over the edges that enter each node        (section 3.3)
    edge e  = shuffle(concat(sum_o p[e, o] op_o(first C/K channels), the other channels))         (section 3.2)
    node    = sum_e q[e] * edge e
    alpha, beta <- Adam(dL_valid/d(alpha, beta)), after ``warm_up`` of the epochs have trained the weights alone
    derive: argmax_o p[e, o] q[e]; q[e] changes the choice only where a cell loses edges, so not on NAS-Bench-201.

Without edge normalisation q is 1 throughout. With K = 1 besides, and no warm-up, the search is first-order DARTS.
alpha and beta are stored side by side, [R, O + 1]: a column an operation, then the edge.

Deviations:
1. There is no code of the authors for NAS-Bench-201. Supernet and weights train as xiangning-chen/DrNAS trains DARTS
   there (P1, 100 epochs, no Nesterov momentum, weight decay 3e-4); what is the method's own (K = 4, edge
   normalisation, warm-up, Adam at 6e-4) is the paper's CIFAR-10 search, of batches of 256. (Others' code for this
   space leaves parts out: dr-faustus/Lambda-DARTS has neither edge normalisation nor warm-up.)
2. Unverified: published NAS-Bench-201 tables probably hold a run of the DrNAS code, which has no edge normalisation
   (``edge_normalisation: false``) and steps at 3e-4.
3. The warm-up (15 of 50 epochs) is a share of the epochs, so that short searches have one as well; its held-out batches
   pass forward for the recorded validation loss and accuracy alone.
4. Average pooling is not followed by batch normalisation, as everywhere on NAS-Bench-201; in the paper's space it is.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.edge_weights import node_softmax
from trainables.methods.search_method import scales
from trainables.spaces.partial import STEP_COST, processed_channels
from trainables.spec import Scale

_RELEASE = "yuhuixu1993/PC-DARTS, CIFAR-10"


class PcDartsConfig(AdamArchitecture):
    partial_channels: Literal[1, 2, 4, 8] = hyperparameter(
        4, "K: the first 1/K of the channels pass through the candidates; it must divide them", source=_RELEASE
    )
    edge_normalisation: bool = hyperparameter(True, "learn weights of the edges that enter a node", source=_RELEASE)
    warm_up: float = hyperparameter(
        0.3, "share of the epochs that train the weights alone", source=_RELEASE, search=Range(0, 0.5), ge=0, lt=1
    )
    arch_lr: float = hyperparameter(
        6e-4, "Adam learning rate of alpha and beta", source=_RELEASE, search=Range(3e-5, 3e-2, log=True), gt=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter(
        "P1", "which images drive which step", source="xiangning-chen/DrNAS, NAS-Bench-201"
    )


class PcDarts(AdamArchitectureSearch[PcDartsConfig]):
    """Softmax relaxation on partial channels, softmax of the edges of a node, Adam on both."""

    Config = PcDartsConfig
    checked = Checked("lockstep", "yuhuixu1993/PC-DARTS", "2026-11", 3e-16, "its edges in cells of NAS-Bench-201")
    paper = (
        "Xu, Xie, Zhang, Chen, Qi, Tian, Xiong. PC-DARTS: Partial Channel Connections for Memory-Efficient "
        "Architecture Search. ICLR 2020. arXiv:1907.05737"
    )
    published = scales(
        nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64),
        darts=Scale(channels=16, cells=8, epochs=50, batch_size=256),
    )

    @classmethod
    def check_scale(cls, config: Any, scale: Scale) -> None:
        processed_channels(scale.channels, config.partial_channels)

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return STEP_COST[config.partial_channels] * (1 - 0.3 * config.warm_up)  # no backward pass while alpha rests

    def partial(self) -> int:
        return self.config.partial_channels

    def initial_architecture(self) -> Tensor:
        """alpha [R, O], and beta as a last column where edges are weighted: 1e-3 * N(0, 1)."""
        alpha = super().initial_architecture()
        if not self.config.edge_normalisation:
            return alpha
        beta = 1e-3 * torch.randn(len(alpha), 1, generator=self.context.streams("architecture.initial"))
        return torch.cat([alpha, beta], dim=1)

    def scores(self) -> Tensor:
        return self.alpha[:, : self.space.shape[1]].softmax(dim=1)

    def edge_weights(self) -> Tensor | None:
        return node_softmax(self.alpha[:, -1], self.space.inputs) if self.config.edge_normalisation else None

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        if self.epochs_done < round(self.config.warm_up * self.total_epochs):
            return self.architecture_rests(valid)
        return super().architecture_step(train, valid)
