"""DrNAS: sample the mixing weights from a Dirichlet distribution and learn its concentration.

Paper: Chen, Wang, Cheng, Tang and Hsieh, "DrNAS: Dirichlet Neural Architecture Search", ICLR 2021, arXiv:2006.10355.
Code: xiangning-chen/DrNAS.

    c = elu(alpha) + 1                     concentration, about 1 (uniform) at the start      (section 2.2)
    p[e, :] ~ Dirichlet(c[e, :])           one draw per edge and forward pass, shared by all cells
    dL/dc   = D(p, c) * (g - sum_o p_o g_o)    pathwise derivative, g = dL/dp                 (equation 5)
    alpha <- Adam(dL_valid/dalpha), with the regulariser either
        l2: weight decay ``reg_scale`` in Adam (pulls c to the uniform Dirichlet), or
        kl: L_valid + reg_scale * sum_e KL(Dir(c[e]) || Dir(1))                               (equation 7)
    derive: argmax_o softmax(alpha)[e, o].

Both the architecture step and the weight step draw; alpha learns from the first epoch on.

``progressive`` (progressive architecture learning) halves the epochs into two stages over one cosine:

    stage   channels that pass through the candidates   operations an edge
      1     C/K                                         5
      2     2C/K                                        3
    in each   alpha rests for the first ``warm_up`` of the stage's epochs, as released epochs 0 to 9 of 50
    between   prune: the 3 largest of alpha[e, :] stay, the others are set to 0 and masked;  Adam keeps its moments
              widen the candidates' weights, statistics and momentum alike (spaces/nas_bench_201/widening.py)
    masked    p ~ Dirichlet(c) over all operations, 0 where masked, the rest divided by its sum, which in law is the
              Dirichlet of the kept;  the regulariser goes on over all;  derive: argmax over the kept.

Deviations:
1. Concentrations are kept >= 1e-6, where float32 sampling would otherwise fail.
2. The validation accuracy recorded is that of the sampled architecture batches (the release also samples in its
   validation pass); while alpha rests, these batches pass forward for the record alone.
3. The cosine goes on from stage 1 to stage 2, for which the release carries its scheduler's state over. Run with a
   recent PyTorch, its new optimiser starts stage 2 at the initial learning rate again.
4. ``warm_up`` is a share of the stage, not a number of epochs, so that shorter searches have both phases too; of an odd
   number of epochs the last stage has one more.
5. K halves between the stages; the release goes to K = 2 from whatever K it began with. Pruned candidates are computed
   with weight 0 rather than left out, and so decay and coast; nothing reads them again.
"""

from __future__ import annotations

from typing import Any, Literal, cast

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.adam_architecture import AdamSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.search_method import ImageContext, Metrics, scales
from trainables.methods.weight_training import WeightTraining
from trainables.spaces.partial import STEP_COST, processed_channels
from trainables.spec import Scale

_RELEASE = "xiangning-chen/DrNAS, NAS-Bench-201"
KEPT = 3
"""Operations that an edge keeps in the last stage of a progressive search."""


class DrnasConfig(WeightTraining):
    arch_lr: float = hyperparameter(
        3e-4, "Adam learning rate of alpha", source=_RELEASE, search=Range(3e-5, 3e-2, log=True), gt=0
    )
    regulariser: Literal["l2", "kl"] = hyperparameter(
        "l2", "how the concentration is kept near the uniform Dirichlet", source=_RELEASE
    )
    reg_scale: float = hyperparameter(
        1e-3, "strength of the regulariser", source=_RELEASE, search=Range(1e-5, 1e-1, log=True), ge=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P1", "which images drive which step", source=_RELEASE)
    progressive: bool = hyperparameter(
        False,
        "two stages: few channels and all operations, then more channels and the best operations",
        source=_RELEASE,
    )
    partial_channels: Literal[2, 4, 8] = hyperparameter(
        4, "progressive: 1/K of the channels pass through the candidates in stage 1, 2/K in stage 2", source=_RELEASE
    )
    warm_up: float = hyperparameter(
        0.2, "progressive: share of each stage that trains the weights alone (10 of 50 epochs)", source=_RELEASE,
        search=Range(0, 0.5), ge=0, lt=1,
    )  # fmt: skip


def concentration(alpha: Tensor) -> Tensor:
    """elu(alpha) + 1, of alpha's shape, at least 1e-6."""
    return (F.elu(alpha) + 1).clamp_min(1e-6)


def kl_to_uniform(alpha: Tensor) -> Tensor:
    """sum_e KL(Dir(elu(alpha[e]) + 1) || Dir(1, ..., 1)), a scalar (equation 7)."""
    c = concentration(alpha)
    ours, uniform = (torch.distributions.Dirichlet(x, validate_args=False) for x in (c, torch.ones_like(c)))
    return torch.distributions.kl_divergence(ours, uniform).sum()


def prune(alpha: Tensor, keep: int, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """alpha [E, O] with all but the ``keep`` largest entries of each row set to 0, and the mask [E, O] of these.

    What an earlier mask has ruled out is not kept again.
    """
    candidates = alpha if mask is None else alpha - 1e6 * ~mask
    kept = torch.zeros_like(alpha, dtype=torch.bool).scatter(1, candidates.topk(keep, dim=1).indices, True)
    return torch.where(kept, alpha, 0.0), kept


def masked(weights: Tensor, mask: Tensor) -> Tensor:
    """Mixing weights [E, O] with masked entries 0 and every row divided by the sum of the rest."""
    kept = weights * mask
    return kept / kept.sum(dim=-1, keepdim=True)


def stage_of(epoch: int, epochs: int) -> range:
    """The epochs (from 0) of the stage that ``epoch`` lies in. A single epoch is all first stage."""
    boundary = max(epochs // 2, 1)
    return range(boundary) if epoch < boundary else range(boundary, epochs)


class Drnas(AdamSearch[DrnasConfig]):
    """Dirichlet relaxation, Adam on alpha; in one stage or in two."""

    Config = DrnasConfig
    checked = Checked("lockstep", "xiangning-chen/DrNAS", "2026-11", 1e-14, "progressive, both stages: 2e-16")
    paper = "Chen, Wang, Cheng, Tang, Hsieh. DrNAS: Dirichlet Neural Architecture Search. ICLR 2021. arXiv:2006.10355"
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64))

    mask: Tensor | None = None
    """The operations [R, O] still in the search; None while all of them are."""

    def __init__(self, config: DrnasConfig, context: ImageContext) -> None:
        super().__init__(config, context, config.arch_lr, config.reg_scale if config.regulariser == "l2" else 0.0)

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return ("nas_bench_201",) if config.progressive else None  # what it keeps, and how it widens, is this space's

    @classmethod
    def check_scale(cls, config: Any, scale: Scale) -> None:
        if config.progressive:
            processed_channels(scale.channels, config.partial_channels)

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        if not config.progressive:
            return 1.0
        first, last = (STEP_COST[config.partial_channels // k] for k in (1, 2))
        return (first + last) / 2 - 0.25 * config.warm_up  # while alpha rests, a backward pass is saved

    def partial(self) -> int:
        if not self.config.progressive:
            return 1
        return self.config.partial_channels if self.mask is None else self.config.partial_channels // 2

    def scores(self) -> Tensor:
        p = super().scores()
        return p if self.mask is None else masked(p, self.mask)

    def mixing(self) -> Tensor:
        from trainables.methods.dirichlet import SampleDirichlet

        noise = self.context.streams("architecture.noise", self.alpha.device)
        p: Tensor = SampleDirichlet.apply(concentration(self.alpha), noise)
        return p if self.mask is None else masked(p, self.mask)

    def regulariser(self) -> Tensor | float:
        return self.config.reg_scale * kl_to_uniform(self.alpha) if self.config.regulariser == "kl" else 0.0

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        stage = stage_of(self.epochs_done, self.total_epochs)
        if self.config.progressive and self.epochs_done - stage.start < round(self.config.warm_up * len(stage)):
            return self.architecture_rests(valid)
        return super().architecture_step(train, valid)

    def epoch(self) -> Metrics:
        stage = stage_of(self.epochs_done, self.total_epochs)
        if self.config.progressive and stage.start == self.epochs_done > 0:
            self.begin_last_stage()
        return super().epoch()

    def begin_last_stage(self) -> None:
        """Prune the operations and widen the supernet; weights and their momentum go over, Adam stays as it is."""
        from trainables.spaces.nas_bench_201.supernet import Supernet
        from trainables.spaces.nas_bench_201.widening import draw_widening, widened

        with torch.no_grad():
            alpha, self.mask = prune(self.alpha, KEPT, self.mask)
            self.alpha.copy_(alpha)
        narrow, names = cast(Supernet, self.supernet), dict(self.supernet.named_parameters())
        old = self.weight_optimizer.state
        momentum = {name: old[weight]["momentum_buffer"] for name, weight in names.items() if weight in old}
        self.build_supernet()
        maps = draw_widening(narrow, cast(Supernet, self.supernet), self.context.streams("widening"))
        self.supernet.load_state_dict(widened(narrow.state_dict(), maps))
        new = dict(self.supernet.named_parameters())
        for name, buffer in widened(momentum, maps).items():
            self.weight_optimizer.state[new[name]]["momentum_buffer"] = torch.empty_like(new[name]).copy_(buffer)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"mask": self.mask}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["mask"] is not None:
            self.mask = state["mask"].to(self.alpha.device)
            self.build_supernet()
        super().load_state_dict(state)
