"""OLES: stop training a candidate once its training gradient no longer points where held-out images would.

Paper: Jiang, Ji, Zhu, Yuan and Huang, "Operation-Level Early Stopping for Robustifying Differentiable NAS", NeurIPS
2023, OpenReview:yAOwkf4FyL.  Code: PasaLab/oles.

    alpha <- Adam(dL_valid/dalpha), w <- SGD(dL_train/dw), as in first-order DARTS;  of every candidate o with weights:
    t_o     = dL_train/dw_o, clipped, of the last weight step;   v_o = dL_valid/dw_o of the architecture step after it
    m_o     = mean over the entries of a kernel of cos(t_o, g_o), each cosine over the output channels
              compared accumulated: g_o = t_o + v_o;   validation: g_o = v_o
    every ``window`` + 1 steps:  where sum m_o / window < threshold, w_o is never trained again;  the sums restart
    derive: argmax_o softmax(alpha)[e, o], none included.

Candidates with weights overfit the training images while alpha is judged on others, so that skip connections win; this
takes the overfitting away. A candidate that rests stays in the mixture, and alpha goes on.

The gradients that the release compares are not cleared between the two steps, so that it meets the sum of both; the
threshold is tuned to that. The paper compares with v_o alone, on mini-batches much less alike.

Deviations:
1. The NAS-Bench-201 search was not released. Supernet and weights train as xiangning-chen/DrNAS trains DARTS there (P1,
   100 epochs, no Nesterov momentum, weight decay 3e-4); window and threshold are those of the DARTS space.
2. What rests really rests. Before PyTorch 2 the released optimiser went on to decay it and to coast by its momentum.
3. The release's own count is ``window`` + 1 comparisons divided by ``window``, and so it is here.
"""

from __future__ import annotations

from typing import Any, Literal

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.search_method import ImageContext, scales
from trainables.spec import Scale

_RELEASE = "PasaLab/oles"


class OlesConfig(AdamArchitecture):
    threshold: float = hyperparameter(
        0.4, "likeness of the gradients below which a candidate rests", source=_RELEASE, search=Range(0, 0.8), ge=-1,
        le=2,
    )  # fmt: skip
    window: int = hyperparameter(
        20, "comparisons between decisions", source=_RELEASE, search=Range(5, 100, log=True), ge=1
    )
    compared: Literal["accumulated", "validation"] = hyperparameter(
        "accumulated", "training gradients with the sum of both, or with the validation gradient", source=_RELEASE
    )
    protocol: Literal["P1", "P2"] = hyperparameter(
        "P1", "which images drive which step", source="xiangning-chen/DrNAS, NAS-Bench-201"
    )


def likeness(first: Tensor, second: Tensor, edges: int) -> Tensor:
    """m [E] of two gradients [E C, c_in, k, k] of the convolutions that E edges hold side by side."""
    first, second = (gradient.unflatten(0, (edges, -1)) for gradient in (first, second))
    return F.cosine_similarity(first, second, dim=1).flatten(1).mean(1)


class Oles(AdamArchitectureSearch[OlesConfig]):
    """First-order DARTS whose convolutions stop training one by one."""

    Config = OlesConfig
    checked = Checked("lockstep", "PasaLab/oles", "2026-11", 2e-14, "its rule in cells of NAS-Bench-201, 130 steps")
    paper = (
        "Jiang, Ji, Zhu, Yuan, Huang. Operation-Level Early Stopping for Robustifying Differentiable NAS. "
        "NeurIPS 2023. OpenReview:yAOwkf4FyL"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=100, batch_size=64))

    def __init__(self, config: OlesConfig, context: ImageContext) -> None:
        from trainables.spaces.nas_bench_201.supernet import NodeCandidates

        super().__init__(config, context)
        nodes = [module for module in self.supernet.modules() if isinstance(module, NodeCandidates)]
        self.convolutions = [layer.weight for node in nodes for layer in (node.conv_1x1, node.conv_3x3)]
        self.edges = [len(node.edges) for node in nodes for _ in range(2)]
        self.trained = torch.ones(sum(self.edges), dtype=torch.bool, device=context.device)
        self.likeness = torch.zeros(sum(self.edges), device=context.device)
        self.comparisons = 0
        self.last: list[Tensor] = []

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return ("nas_bench_201",)  # its rule reads the convolutions of this supernet

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        return False  # the host counts them, and decides every few

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 1.1  # the architecture step differentiates by the candidates' weights as well

    def architecture_gradient(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor, Tensor]:
        loss, logits = self.loss(valid, self.mixing())
        gradient, *validation = torch.autograd.grad(loss, [self.alpha, *self.convolutions])
        if self.last:
            self.compare(validation)
        return gradient, loss.detach(), logits.detach()

    def compare(self, validation: list[Tensor]) -> None:
        """Add up how alike the last training gradients are to these; decide where enough have been compared."""
        if self.config.compared == "accumulated":
            validation = [t + v for t, v in zip(self.last, validation, strict=True)]
        self.likeness += torch.cat([likeness(*each) for each in zip(validation, self.last, self.edges, strict=True)])
        if self.comparisons < self.config.window:
            self.comparisons += 1
            return
        self.trained &= self.likeness / self.config.window >= self.config.threshold
        self.likeness.zero_()
        self.comparisons = 0

    def masks(self) -> list[Tensor]:
        """Which output channels of each convolution are trained, [E C, 1, 1, 1]."""
        parts = zip(self.trained.split(self.edges), self.convolutions, self.edges, strict=True)
        return [part.repeat_interleave(len(w) // edges).view(-1, 1, 1, 1) for part, w, edges in parts]

    def weight_backward(self, train: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        result = super().weight_backward(train, mixing)
        for weight, mask in zip(self.convolutions, self.masks(), strict=True):
            assert weight.grad is not None
            weight.grad *= mask  # what rests takes no share of the clipped norm either
        return result

    def weight_step(self, train: Batch, mixing: Tensor | None = None) -> tuple[Tensor, Tensor]:
        before = [weight.detach().clone() for weight in self.convolutions]
        result = super().weight_step(train, mixing)
        with torch.no_grad():
            for weight, kept, mask in zip(self.convolutions, before, self.masks(), strict=True):
                weight.copy_(torch.where(mask, weight, kept))
        self.last = [weight.grad.clone() for weight in self.convolutions if weight.grad is not None]
        return result

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "trained": self.trained,
            "likeness": self.likeness,
            "comparisons": self.comparisons,
            "last": self.last,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.trained.copy_(state["trained"])
        self.likeness.copy_(state["likeness"])
        self.comparisons = state["comparisons"]
        self.last = [gradient.to(self.alpha.device) for gradient in state["last"]]
