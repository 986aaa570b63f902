"""The search loop that all weight-sharing methods share; it knows none of them by name.

Per training batch: architecture step on an architecture batch, then weight step on the training batch, both in train
mode (batch statistics). SGD with momentum and a cosine learning rate stepped at the end of each epoch.

A method chooses five parts (see DARTS for the plainest example):
    relaxation        ``initial_architecture``, ``scores``, ``relaxed``, ``mixing``
    architecture step ``architecture_step``, ``architecture_gradient``
    regulariser       ``regulariser``
    level             ``protocol``: which images drive which step
    derivation        ``current``, ``derive``

Deviations shared by all methods (from the code bases they come from):
1. Incomplete last batches are dropped, so that every step has the same batch statistics.
2. Gradient clipping runs over the weights only. Some releases clip over all of ``model.parameters()``, where a
   left-over architecture gradient of the weight loss shrinks the weights' step.
3. Weight initialisation, data order and augmentation come from named streams, so they are equal for all methods at
   equal seeds; releases share one global generator.
4. Architecture batches are permutations: every held-out image comes once before any comes again. DrNAS, beta-DARTS and
   DARTS-PT shuffle anew for every step and take the first batch; AutoDL-Projects draws a held-out image for every
   training image. So an epoch of theirs meets some 63 % of the held-out images; a step's expected gradient is the same.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

from trainables.datasets import BatchStream, augment, normalise, split
from trainables.later import F, Tensor, torch
from trainables.methods.diagnostics import diagnostics
from trainables.methods.recording import repeat
from trainables.methods.search_method import ImageContext, Metrics, Needs, SearchMethod, require_finite
from trainables.methods.weight_training import Average, WeightTraining, cosine
from trainables.spaces.single_path import SinglePath
from trainables.spaces.space import Architecture, Space
from trainables.spec import Scale
from trainables.training_free import TrainingFree

Batch = tuple[Tensor, Tensor]
"""Augmented, normalised images [B, c, H, W] and labels [B]."""

ConfigT = TypeVar("ConfigT", bound=WeightTraining)


class DifferentiableSearch(SearchMethod[ConfigT]):
    """A supernet, its architecture parameters, and the loop that trains both."""

    learns_architecture: ClassVar[bool] = True
    """Whether alpha is trained; where it is not, it stands for the fixed distribution that cells are drawn from."""
    context: ImageContext

    def __init__(self, config: ConfigT, context: ImageContext) -> None:
        super().__init__(config, context)
        self.build_supernet()
        self.alpha = self.initial_architecture().to(context.device).requires_grad_()
        self.split = split(self.protocol(config), context.images)
        self.train_batches = self.weight_batches("order.weights")
        self.valid_batches = self.architecture_batches("order.architecture")
        self.epochs_done = 0

    @classmethod
    def needs(cls, config: Any) -> Needs:
        return "images"

    @classmethod
    def protocol(cls, config: Any) -> str:
        """The hyperparameter of that name, unless a method has a rule of its own."""
        return config.protocol

    @classmethod
    def planned_epochs(cls, config: Any, scale: Scale | None, space: Space[Any]) -> int:
        assert scale is not None, "weight sharing lays its schedules over a known number of epochs"
        return scale.epochs

    @property
    def total_epochs(self) -> int:
        return self.planned_epochs(self.config, self.context.scale, self.space)

    @classmethod
    def steps_are_alike(cls, config: Any) -> bool:
        """Whether all steps of an epoch do the same to other batches, so that one of them can stand for all.

        Steps differ where the host decides within them: samples a path, counts, draws batches of its own.
        """
        return True

    # weights ---------------------------------------------------------------------------------------------------

    def partial(self) -> int:
        """K of the supernet's partial channels: 1/K of the channels pass through the candidates."""
        return 1

    def build_supernet(self) -> None:
        """Make the supernet at its initial weights, and the optimiser of its weights."""
        config, scale, images = self.config, self.context.scale, self.context.images
        with self.context.streams.initialising("supernet.weights"):
            self.supernet = self.space.supernet(
                scale.channels, scale.cells, images.channels, images.classes, partial=self.partial()
            )
        self.supernet.to(self.context.device).train()
        self.supernet.fuse(self.context.device.type == "cuda")
        self.weights = list(self.supernet.parameters())
        self.weight_optimizer = torch.optim.SGD(
            self.weights,
            lr=config.weight_lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
        )

    # relaxation ------------------------------------------------------------------------------------------------

    def initial_architecture(self) -> Tensor:
        """alpha [R, O] = 1e-3 * N(0, 1) (DARTS)."""
        return 1e-3 * torch.randn(*self.space.shape, generator=self.context.streams("architecture.initial"))

    def scores(self) -> Tensor:
        """The operations' shares [R, O] of each row, which derivation reads; rows sum to 1. softmax(alpha) (DARTS)."""
        return self.alpha.softmax(dim=1)

    def relaxed(self) -> Tensor:
        """The mixing weights [R, O] without sampling: the scores, unless a method mixes by other weights."""
        return self.scores()

    def one_hot(self, architecture: Architecture) -> Tensor:
        """The mixing weights [R, O] that stand for one architecture."""
        return self.space.one_hot(architecture).to(self.alpha)

    def mixing(self) -> Tensor:
        """The mixing weights [R, O] of one forward pass; methods that sample override this."""
        return self.relaxed()

    def edge_weights(self) -> Tensor | None:
        """Weights [R] of whole rows, for methods that learn them; None stands for ones."""
        return None

    # architecture step -----------------------------------------------------------------------------------------

    def regulariser(self) -> Tensor | float:
        """What is added to the architecture loss."""
        return 0.0

    def loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross entropy of the supernet on a batch, and its logits [B, classes]."""
        logits = self.forward(batch[0], mixing)
        return F.cross_entropy(logits, batch[1]), logits

    def single_path_loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        """As ``loss``, of the sampled cell alone: on every edge the operation of the largest mixing weight."""
        logits = self.supernet(batch[0], SinglePath.of(mixing))
        return F.cross_entropy(logits, batch[1]), logits

    def forward(self, images: Tensor, mixing: Tensor) -> Tensor:
        """Logits [B, classes] of the relaxed network at mixing weights [R, O] and the present edge weights."""
        edges = self.edge_weights()
        if edges is not None and not mixing.requires_grad:  # a weight step reaches neither
            edges = edges.detach()
        return self.supernet(images, mixing, edges)

    def architecture_gradient(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """First order: d(L_valid + regulariser)/d(alpha) at the current weights, with the loss and logits."""
        with self.supernet.weights_rest():
            loss, logits = self.loss(valid, self.mixing())
        (gradient,) = torch.autograd.grad(loss + self.regulariser(), self.alpha)
        return gradient, loss.detach(), logits.detach()

    @abstractmethod
    def architecture_step(self, train: Batch, valid: Batch) -> tuple[Tensor, Tensor]:
        """Update alpha; returns the loss and logits [B, classes] on the architecture batch before the update."""

    def architecture_rests(self, valid: Batch) -> tuple[Tensor, Tensor]:
        """In place of an architecture step: what it would return, for the record alone."""
        with torch.no_grad():
            return self.loss(valid, self.mixing())

    # the loop --------------------------------------------------------------------------------------------------

    def schedule_epochs(self) -> int:
        """Over how many epochs the cosine is laid."""
        return self.total_epochs

    def learning_rate(self) -> float:
        """The weights' learning rate during the coming epoch."""
        return cosine(self.config.weight_lr, self.config.weight_lr_min, self.epochs_done, self.schedule_epochs())

    def weight_step(self, train: Batch, mixing: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One SGD step of the weights; returns loss and logits on the training batch before the update.

        A ``mixing`` that is given is used, and the backward pass reaches what it was computed from.
        """
        if mixing is None:
            with torch.no_grad():
                mixing = self.mixing()
        self.weight_optimizer.zero_grad()
        loss, logits = self.weight_backward(train, mixing)
        for weight in self.weights:
            if weight.grad is None:  # what a sampled cell leaves out decays and coasts like everything else
                weight.grad = torch.zeros_like(weight)
        torch.nn.utils.clip_grad_norm_(self.weights, self.config.grad_clip)
        self.weight_optimizer.step()
        return loss.detach(), logits.detach()

    def weight_backward(self, train: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        """Lay down the gradient that the weights step along: that of the loss, which it returns with the logits."""
        loss, logits = self.loss(train, mixing)
        loss.backward()
        return loss, logits

    def steps(self, train: Batch, valid: Batch) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """All updates of one pair of batches; returns what the architecture step and the weight step return."""
        return self.architecture_step(train, valid), self.weight_step(train)

    def epoch(self) -> Metrics:
        learning_rate = self.learning_rate()
        for group in self.weight_optimizer.param_groups:
            group["lr"] = learning_rate
        train_average, valid_average = Average(self.context.device), Average(self.context.device)

        def advance() -> None:
            self.train_batches.advance()
            self.valid_batches.advance()

        def step() -> None:
            train = self._augmented(self.train_batches, "augmentation.weights")
            valid = self._augmented(self.valid_batches, "augmentation.architecture")
            architecture_result, weight_result = self.steps(train, valid)
            valid_average.add(*architecture_result, valid[1])
            train_average.add(*weight_result, train[1])

        recorder = self.context.recorder if self.steps_are_alike(self.config) else None
        repeat(step, self.train_batches.batches_per_epoch, advance, recorder, self.context.streams)
        self.epochs_done += 1
        metrics = train_average.metrics("train") | {"learning_rate": learning_rate, **diagnostics(self)}
        if self.protocol(self.config) != "P3":  # P3 has no held-out images: its architecture batches are training data
            metrics |= valid_average.metrics("valid")
        require_finite(training_loss=metrics["train_loss"], architecture_loss=valid_average.metrics("")["_loss"])
        require_finite(largest_architecture_parameter=float(self.alpha.detach().abs().max()))
        return metrics

    def training_free(self, purpose: str) -> TrainingFree:
        """Scores cells on the images the weights train on, for derivations that rank by training-free proxies."""
        return TrainingFree(
            self.space,
            self.context.images,
            self.split.weight_images,
            self.split.weight_labels,
            self.context.scale,
            self.context.streams,
            purpose,
        )

    def validate(self) -> float:
        """Accuracy in percent of the supernet on the architecture images, in eval mode (running statistics)."""
        batches = zip(self.split.arch_images.split(256), self.split.arch_labels.split(256), strict=True)
        self.supernet.eval()
        with torch.no_grad():
            mixing, correct = self.validated(), 0
            for images, labels in batches:
                correct += int((self.forward(normalise(images, self.context.images), mixing).argmax(1) == labels).sum())
        self.supernet.train()
        return 100.0 * correct / len(self.split.arch_labels)

    def validated(self) -> Tensor:
        """The mixing weights [R, O] that ``validate`` judges."""
        return self.scores()

    # batches ---------------------------------------------------------------------------------------------------

    def weight_batches(self, order: str) -> BatchStream:
        """Batches of the images that train the weights, in the order of that stream."""
        return self._batches(self.split.weight_images, self.split.weight_labels, order)

    def architecture_batches(self, order: str) -> BatchStream:
        """Batches of the images that drive the architecture, in the order of that stream."""
        return self._batches(self.split.arch_images, self.split.arch_labels, order)

    def _batches(self, images: Tensor, labels: Tensor, order: str) -> BatchStream:
        return BatchStream(images, labels, self.context.scale.batch_size, self.context.streams(order))

    def _batch(self, stream: BatchStream, augmentation: str) -> Batch:
        """The next batch of a stream, augmented."""
        stream.advance()
        return self._augmented(stream, augmentation)

    def _augmented(self, stream: BatchStream, augmentation: str) -> Batch:
        images, labels = stream.batch()
        return augment(images, self.context.images, self.context.streams(augmentation, images.device)), labels

    # derivation and state --------------------------------------------------------------------------------------

    def current(self) -> Architecture:
        with torch.no_grad():
            return self.space.derive(self.scores(), self.edge_weights())

    def state_dict(self) -> dict[str, Any]:
        return {
            "epochs_done": self.epochs_done,
            "alpha": self.alpha.detach(),
            "supernet": self.supernet.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "train_batches": self.train_batches.state_dict(),
            "valid_batches": self.valid_batches.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epochs_done = state["epochs_done"]
        with torch.no_grad():
            self.alpha.copy_(state["alpha"])
        self.supernet.load_state_dict(state["supernet"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.train_batches.load_state_dict(state["train_batches"])
        self.valid_batches.load_state_dict(state["valid_batches"])
