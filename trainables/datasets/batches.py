"""Endless shuffled batches of images that already lie on the device.

Which images come next is decided on the host (``advance``) and written to one place on the device, from which ``batch``
gathers them: what is done with a batch can thus be recorded once and replayed for others.
"""

from __future__ import annotations

from typing import Any

from trainables.errors import ConfigError
from trainables.later import Tensor, torch


class BatchStream:
    """``next(stream)`` is (images uint8 [b, c, h, w], labels int64 [b]), without end, on the device of ``images``.

    Every epoch is a new permutation, drawn on the CPU so that all devices meet the same order; images left over at its
    end (fewer than a batch) are dropped. The stream alone draws from ``generator``, a CPU generator.

    Raises ConfigError where a batch is larger than the set.
    """

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int, generator: torch.Generator) -> None:
        if not 1 <= batch_size <= len(images):
            raise ConfigError(
                f"`batch_size` must be between 1 and the number of images that a batch is drawn from, {len(images)}, "
                f"but got batch_size={batch_size}; lower it or use more images"
            )
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.generator = generator
        self._chosen = torch.empty(batch_size, dtype=torch.int64, device=images.device)
        self._shuffle()

    @property
    def batches_per_epoch(self) -> int:
        return len(self.images) // self.batch_size

    def __iter__(self) -> BatchStream:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        self.advance()
        return self.batch()

    def advance(self) -> None:
        """Move on to the next batch."""
        if self._batch == self.batches_per_epoch:
            self._shuffle()
        start = self._batch * self.batch_size
        self._batch += 1
        self._chosen.copy_(self._order[start : start + self.batch_size])

    def batch(self) -> tuple[Tensor, Tensor]:
        """The present batch: the one that ``advance`` last moved on to."""
        return self.images.index_select(0, self._chosen), self.labels.index_select(0, self._chosen)

    def _shuffle(self) -> None:
        self._before_shuffle = self.generator.get_state()
        self._order = torch.randperm(len(self.images), generator=self.generator).to(self.images.device)
        self._batch = 0

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as tensors and ints. Redrawing the permutation keeps it at a few kilobytes."""
        return {"before_shuffle": self._before_shuffle, "batch": self._batch, "images": len(self.images)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where ``state`` was taken. Raises ConfigError if that was over another number of images."""
        if state["images"] != len(self.images):
            raise ConfigError(
                f"a batch stream resumes over the same images, but {state['images']} were saved and "
                f"{len(self.images)} are here; start the trial afresh"
            )
        self.generator.set_state(state["before_shuffle"])
        self._shuffle()
        self._batch = state["batch"]
