"""Training a derived cell from scratch: what the search was for, measured without the shared weights.

Recipe: SGD with Nesterov momentum 0.9, learning rate cosine to 0, augmentation of the data set (NAS-Bench-201,
arXiv:2001.00326, section 2.3). It trains on the whole training set; the test set is read once, at the end, and nothing
is ever selected on it.

Deviation: incomplete last batches are dropped, as in the search.
"""

from __future__ import annotations

from typing import Any

from trainables.datasets import BatchStream, ImageData, augment, normalise
from trainables.later import F, torch
from trainables.methods.search_method import Metrics, require_finite
from trainables.methods.weight_training import Average, cosine
from trainables.spaces.space import Architecture, Space
from trainables.spec import Retrain
from trainables.streams import Streams


class Retraining:
    """One training run; ``epoch()`` is called ``recipe.epochs`` times, then ``test_accuracy()`` once."""

    def __init__(
        self, space: Space[Any], architecture: Architecture, recipe: Retrain, images: ImageData, streams: Streams
    ) -> None:
        self.recipe, self.images = recipe, images
        with streams.initialising("retrain.weights"):
            self.network = space.network(architecture, recipe.channels, recipe.cells, images.channels, images.classes)
        device = images.train_images.device
        self.network.to(device)
        self.batches = BatchStream(
            images.train_images, images.train_labels, recipe.batch_size, streams("retrain.order")
        )
        self.augmentation = streams("retrain.augmentation", device)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=recipe.learning_rate,
            momentum=0.9,
            nesterov=True,
            weight_decay=recipe.weight_decay,
        )
        self.epochs_done = 0

    def epoch(self) -> Metrics:
        """One epoch over the training set. Raises Diverged."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = cosine(self.recipe.learning_rate, 0.0, self.epochs_done, self.recipe.epochs)
        average = Average(self.images.train_images.device)
        for _ in range(self.batches.batches_per_epoch):
            images, labels = next(self.batches)
            logits = self.network(augment(images, self.images, self.augmentation))
            loss = F.cross_entropy(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            average.add(loss.detach(), logits.detach(), labels)
        self.epochs_done += 1
        metrics = average.metrics("train")
        require_finite(retraining_loss=metrics["train_loss"])
        return metrics

    def test_accuracy(self) -> float:
        """Percent of test images classified correctly, in eval mode."""
        self.network.eval()
        images, labels = self.images.test_images, self.images.test_labels
        with torch.no_grad():
            correct = sum(
                int((self.network(normalise(x, self.images)).argmax(1) == y).sum())
                for x, y in zip(images.split(256), labels.split(256), strict=True)
            )
        return 100.0 * correct / len(labels)

    def state_dict(self) -> dict[str, Any]:
        return {
            "epochs_done": self.epochs_done,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epochs_done = state["epochs_done"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batches.load_state_dict(state["batches"])
