"""Beta-DARTS: DARTS with Beta-decay, a penalty on the raw architecture parameters that grows over the search.

Paper: Ye, Li, Li, Chen, Fan and Ouyang, "β-DARTS: Beta-Decay Regularization for Differentiable Architecture Search",
CVPR 2022, arXiv:2203.01665.  Code: Sunshine-Ye/Beta-DARTS.

    p[e, :]  = softmax(alpha[e, :])                 the paper's "beta"
    lambda_t = decay_final * t / T                  t: epochs done, T: epochs in all; 0 in the first epoch
    g        = d/dalpha (L_valid + lambda_t * sum_c mean_e logsumexp_o alpha[e, o])
             = dL_valid/dalpha + lambda_t * p / E          E: edges of a kind of cell c, 6 on NAS-Bench-201
    alpha   <- Adam(g), with its own L2 decay kept;  derive: argmax_o p[e, o].

The decay acts on alpha itself, where logsumexp is a smooth maximum. Its gradient is positive in every entry and largest
for the leading operation, so that under Adam all alphas fall together while their differences stay small.

Deviations:
1. lambda_t is laid over the epochs that run, so that a shorter search ends at (nearly) the same strength; the release
   grows it by a half each epoch, which is the same at the paper's 100 epochs.
2. The weights' learning rate is that of the present epoch. The release steps its schedule when an epoch begins, which
   since PyTorch 1.1 is one epoch ahead: at 100 epochs a rate lower by at most 0.0004, or 7 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.search_method import scales
from trainables.spec import Scale

_RELEASE = "Sunshine-Ye/Beta-DARTS, NAS-Bench-201"


class BetaDartsConfig(AdamArchitecture):
    decay_final: float = hyperparameter(
        50.0, "weight that Beta-decay grows to, linearly from 0", source=_RELEASE, search=Range(0, 100), ge=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P1", "which images drive which step", source=_RELEASE)


def decay_weight(final: float, epoch: int, epochs: int) -> float:
    """lambda during ``epoch`` (from 0) of ``epochs``."""
    return final * epoch / epochs


def beta_decay(alpha: Tensor, cells: Sequence[int]) -> Tensor:
    """sum_c mean_e logsumexp_o alpha[e, o] over the edges e of each kind of cell c, a scalar, of alpha [R, O].

    ``cells`` are their numbers of edges. The gradient is softmax(alpha) / E in the E rows of a kind of cell.
    """
    means = [part.logsumexp(dim=1).mean() for part in alpha.split(list(cells))]
    return torch.stack(means).sum()


class BetaDarts(AdamArchitectureSearch[BetaDartsConfig]):
    """Softmax relaxation, Adam on alpha, Beta-decay."""

    Config = BetaDartsConfig
    checked = Checked("lockstep", "Sunshine-Ye/Beta-DARTS", "2026-11", 1e-14)
    paper = (
        "Ye, Li, Li, Chen, Fan, Ouyang. β-DARTS: Beta-Decay Regularization for Differentiable Architecture Search. "
        "CVPR 2022. arXiv:2203.01665"
    )
    published = scales(
        nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64),
        darts=Scale(channels=16, cells=8, epochs=50, batch_size=64),
    )

    def regulariser(self) -> Tensor | float:
        weight = decay_weight(self.config.decay_final, self.epochs_done, self.total_epochs)
        return weight * beta_decay(self.alpha, self.space.cells)
