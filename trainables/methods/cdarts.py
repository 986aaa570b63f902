"""CDARTS: search with two networks, a supernet and the network of its present cell, that learn from each other.

Paper: Yu, Peng, Huang, Fu, Du, Wang and Ling, "Cyclic Differentiable Architecture Search", TPAMI 45 (2023),
arXiv:2006.10724.  Code: microsoft/Cream, CDARTS/benchmark201; script of the DARTS space: CVPR-2020/CDARTS.

    p[e, :] = softmax(alpha[e, :]);  S: supernet at p;  E: network of the cell argmax_o p[e, o];  both share the stem
    the first ``pretrain`` of the T iterations train S alone.  Every later one:
        build E from the weight store, forget momentum and moments, train E ``warm_up`` epochs on held-out images;
        one epoch, each step on a held-out batch, then on a training batch:
            L = (CE(S) + CE(E)) / lambda + lambda I(s, t) + c_i mean_e |alpha[e, none]|
            E, stem, ensemble weights <- SGD(dL);  alpha <- Adam(dL/dalpha);  then S, stem <- SGD(dCE(S) on training)
        put E's weights into the store (by cell, edge and operation; see cdarts_networks.py).
    s, t: ensembles of S and E: scores of two heads after the first stages and the logits, times softmax(3 weights)
    I(s, t) = temperature^2 times  mean KL(softmax(t / temperature) || softmax(s / temperature)) over batch and classes,
              - mean cosine(s, t),  mean (s - t)^2,  or mean smooth L1(s - t); neither side is detached
    c_i = reg_coefficient max(0, 1 - (i - pretrain) / ((T - pretrain) reg_ratio)),   i: iterations done
    derive: argmax_o p[e, o], none included.

One epoch of this project is one iteration i, warm-up included: T is the scale's ``epochs``. Losses and accuracies that
are recorded are those of S.

Deviations:
1. The NAS-Bench-201 launch script was never released, so no setting there is verified. Defaults are those of the
   CIFAR-10 search in the DARTS space (T = 32, batch 64, C = 16), with the stem as wide as the first stage.
2. ``pretrain`` is a share of T, the release's 2 of 32, rounded: searches shorter than 9 iterations have none unless
   it is raised. Held-out batches of these iterations only feed the recorded loss and accuracy.
3. The learning rate is constant, as released, where a cosine is built but never stepped; ``schedule`` cosine steps it,
   over T. Both networks have the same rate; the release has two, of equal value.
4. As released, both SGDs and Adam start anew in every iteration; in pretraining the momentum stays.
5. Clipping runs over the weights that the step moves. The release clips over everything there is: alpha and gradients
   left over from other steps take their share of the norm.
6. Heads and ensemble weights move only with I. In the release weight decay also reached the ensemble weights, in the
   other steps, through gradients that old PyTorch set to zero instead of removing.
7. The heads' pooling (6 x 6, stride 2) fits 32 x 32 images. Where it would leave fewer than 2 x 2 positions, for
   smaller images, features are averaged to 2 x 2.
8. Both networks end in the benchmark's batch normalisation and ReLU, each its own, which the release leaves out.
9. Warm-up draws its images in an order, and augments them, by streams of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import F, Tensor, torch
from trainables.methods.adam_architecture import AdamArchitecture, AdamArchitectureSearch
from trainables.methods.checked import Checked
from trainables.methods.differentiable import Batch
from trainables.methods.search_method import ImageContext, Metrics, scales
from trainables.spaces.nas_bench_201.genotype import NONE
from trainables.spec import Scale

if TYPE_CHECKING:
    from trainables.spaces.nas_bench_201.genotype import Genotype
    from trainables.spaces.nas_bench_201.network import DiscreteNetwork
    from trainables.spaces.nas_bench_201.supernet import Supernet

_SCRIPT = "CVPR-2020/CDARTS, CIFAR-10 search script (none released for NAS-Bench-201)"
Interaction = Literal["kl", "cosine", "mse", "smooth_l1"]


class CdartsConfig(AdamArchitecture):
    weight_lr: float = hyperparameter(
        0.08, "learning rate of both networks' weights", source=_SCRIPT, search=Range(0.0025, 0.25, log=True), gt=0
    )
    schedule: Literal["constant", "cosine"] = hyperparameter(
        "constant", "learning rate over the iterations; only cosine ends at weight_lr_min", source="release"
    )
    arch_weight_decay: float = hyperparameter(
        0.0, "L2 weight decay of alpha, added to its gradient", source=_SCRIPT, search=Range(0, 1e-2), ge=0
    )
    interaction: Interaction = hyperparameter(
        "smooth_l1", "what pulls the two ensembles together", source=_SCRIPT + "; kl on ImageNet"
    )
    interaction_weight: float = hyperparameter(
        1.0, "lambda, interaction against cross entropy", source=_SCRIPT, search=Range(0.1, 10, log=True), gt=0
    )
    temperature: float = hyperparameter(
        2.0, "softens kl, and scales every interaction by its square", source="release", search=Range(0.5, 8), gt=0
    )
    ensemble: Literal["concatenated", "summed"] = hyperparameter(
        "concatenated", "compare three outputs one by one, or their sum", source=_SCRIPT
    )
    fixed_heads: bool = hyperparameter(True, "leave the distillation heads at their random weights", source=_SCRIPT)
    reg_coefficient: float = hyperparameter(
        5.0, "weight of the penalty on none at the start", source=_SCRIPT, search=Range(0, 10), ge=0
    )
    reg_ratio: float = hyperparameter(
        0.667, "share of the cyclic iterations after which the penalty is 0", source=_SCRIPT, search=Range(0.1, 1), gt=0
    )
    pretrain: float = hyperparameter(
        0.0625, "share of iterations with the search network alone", source=_SCRIPT, search=Range(0, 0.5), ge=0, lt=1
    )
    warm_up: int = hyperparameter(
        1, "epochs of the evaluation network alone, each iteration", source=_SCRIPT, search=Range(0, 5), ge=0
    )
    protocol: Literal["P1", "P2"] = hyperparameter("P1", "which images drive which step", source="release")


def interaction(search: Tensor, evaluation: Tensor, kind: Interaction, temperature: float) -> Tensor:
    """I, a scalar, of two ensembles [n, classes]; the gradient reaches both."""
    if kind == "kl":
        target = (evaluation / temperature).softmax(1)
        distance = F.kl_div((search / temperature).log_softmax(1), target, reduction="none").mean()
    elif kind == "cosine":
        distance = -F.cosine_similarity(search, evaluation, dim=1).mean()
    elif kind == "mse":
        distance = F.mse_loss(search, evaluation)
    else:
        distance = F.smooth_l1_loss(search, evaluation)
    return temperature**2 * distance


def penalty_coefficient(iteration: int, *, start: float, ratio: float, pretrain: int, iterations: int) -> float:
    """c_i: falls linearly from ``start`` in the first iteration after the pretraining, to 0."""
    return start * max(0.0, 1 - (iteration - pretrain) / ((iterations - pretrain) * ratio))


def none_penalty(alpha: Tensor) -> Tensor:
    """mean_e |alpha[e, none]|, a scalar, of the raw alpha [E, O]."""
    return alpha[:, NONE].abs().mean()


class Cdarts(AdamArchitectureSearch[CdartsConfig]):
    """Softmax relaxation, Adam on alpha, an evaluation network that is rebuilt in every iteration."""

    Config = CdartsConfig
    checked = Checked(
        "lockstep",
        "microsoft/Cream, CDARTS/benchmark201",
        "2026-11",
        2e-11,
        "an iteration with its warm-up; without deviations 5 and 8",
    )
    paper = (
        "Yu, Peng, Huang, Fu, Du, Wang, Ling. Cyclic Differentiable Architecture Search. TPAMI 2023. arXiv:2006.10724"
    )
    published = scales(nas_bench_201=Scale(channels=16, cells=5, epochs=32, batch_size=64))
    supernet: Supernet
    evaluation: DiscreteNetwork
    """The network of the present iteration; made by ``begin_iteration``."""

    def __init__(self, config: CdartsConfig, context: ImageContext) -> None:
        from trainables.methods.cdarts_networks import Introspection, WeightStore

        super().__init__(config, context)
        scale, images, streams = context.scale, context.images, context.streams
        with streams.initialising("evaluation.weights"):
            self.store = WeightStore(scale.channels, scale.cells, images.channels, images.classes)
        with streams.initialising("introspection.weights"):
            self.introspection = Introspection(
                scale.channels, images.classes, fixed_heads=config.fixed_heads, summed=config.ensemble == "summed"
            )
        self.store.to(context.device)
        self.introspection.to(context.device)
        self.warm_up_batches = self.architecture_batches("order.warm_up")

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return ("nas_bench_201",)  # its evaluation network and heads are laid out for this space

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        cyclic = 1.4 + 0.25 * config.warm_up
        return 0.8 * config.pretrain + (1 - config.pretrain) * cyclic

    # schedule --------------------------------------------------------------------------------------------------

    @property
    def pretrain_iterations(self) -> int:
        return min(round(self.config.pretrain * self.total_epochs), self.total_epochs - 1)

    @property
    def pretraining(self) -> bool:
        return self.epochs_done < self.pretrain_iterations

    def learning_rate(self) -> float:
        return self.config.weight_lr if self.config.schedule == "constant" else super().learning_rate()

    def regulariser(self) -> Tensor | float:
        coefficient = penalty_coefficient(
            self.epochs_done,
            start=self.config.reg_coefficient,
            ratio=self.config.reg_ratio,
            pretrain=self.pretrain_iterations,
            iterations=self.total_epochs,
        )
        return coefficient * none_penalty(self.alpha)

    def epoch(self) -> Metrics:
        if self.pretraining:
            return super().epoch()
        self.begin_iteration()
        metrics = super().epoch()
        self.store.keep(self.evaluation)
        return metrics

    def begin_iteration(self) -> None:
        """Build and warm up the evaluation network of the present cell; all optimisers start anew."""
        self.evaluation = self.store.build(cast("Genotype", self.current()), self.supernet.stem)
        parameters = [*self.evaluation.parameters(), *self.introspection.parameters()]
        self.evaluation_weights = [weight for weight in parameters if weight.requires_grad]
        self.evaluation_optimizer = torch.optim.SGD(
            self.evaluation_weights,
            lr=self.learning_rate(),
            momentum=self.config.momentum,
            nesterov=self.config.nesterov,
            weight_decay=self.config.weight_decay,
        )
        self.weight_optimizer.state.clear()
        self.architecture_optimizer.state.clear()
        for _ in range(self.config.warm_up * self.warm_up_batches.batches_per_epoch):
            images, labels = self._batch(self.warm_up_batches, "augmentation.warm_up")
            self.evaluation_step(F.cross_entropy(self.evaluation(images), labels))

    # steps -----------------------------------------------------------------------------------------------------

    def evaluation_step(self, loss: Tensor, *others: Tensor) -> None:
        """One SGD step of E, the stem, heads and ensemble weights; ``others`` get their gradient and stay."""
        self.evaluation_optimizer.zero_grad()
        loss.backward(inputs=[*self.evaluation_weights, *others])
        torch.nn.utils.clip_grad_norm_(self.evaluation_weights, self.config.grad_clip)
        self.evaluation_optimizer.step()

    def joint_loss(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """L on a held-out batch, and the search network's cross entropy and logits [B, classes] in it."""
        images, labels = batch
        logits, search = self.introspection(self.supernet, images, self.mixing())
        evaluation_logits, evaluation = self.introspection(self.evaluation, images)
        cross_entropy, weight = F.cross_entropy(logits, labels), self.config.interaction_weight
        classification = (cross_entropy + F.cross_entropy(evaluation_logits, labels)) / weight
        distillation = weight * interaction(search, evaluation, self.config.interaction, self.config.temperature)
        return classification + distillation + self.regulariser(), cross_entropy, logits

    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        if self.pretraining:
            return self.architecture_rests(valid)
        loss, cross_entropy, logits = self.joint_loss(valid)
        self.architecture_optimizer.zero_grad()
        self.evaluation_step(loss, self.alpha)
        self.architecture_optimizer.step()
        return cross_entropy.detach(), logits.detach()

    # state -----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The evaluation network is left out: between iterations all that is kept of it lies in the store."""
        return super().state_dict() | {
            "store": self.store.state_dict(),
            "introspection": self.introspection.state_dict(),
            "warm_up_batches": self.warm_up_batches.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.store.load_state_dict(state["store"])
        self.introspection.load_state_dict(state["introspection"])
        self.warm_up_batches.load_state_dict(state["warm_up_batches"])
