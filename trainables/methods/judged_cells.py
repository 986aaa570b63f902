"""Judging cells by shared weights: accuracies of single cells of the supernet, for searches that select by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from trainables.datasets import normalise
from trainables.later import Tensor, torch
from trainables.methods.diagnostics import statistics_kept
from trainables.methods.differentiable import DifferentiableSearch
from trainables.methods.weight_training import WeightTraining
from trainables.spaces.single_path import SinglePath
from trainables.spaces.space import Architecture

ConfigT = TypeVar("ConfigT", bound=WeightTraining)


class JudgedCells(DifferentiableSearch[ConfigT]):
    """A search that judges single cells with the shared weights."""

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Within this block passes normalise as ``judge_mode`` says, and change no weight and no statistic."""
        self.judge_mode()
        with torch.no_grad(), statistics_kept(self.supernet):
            yield
        self.supernet.train()

    def judge_mode(self) -> None:
        """Set how batches are normalised: in cells by their own statistics, elsewhere by running ones.

        AutoDL-Projects tracks no statistics in cells, and judges in eval mode.
        """
        self.supernet.eval()
        self.supernet.get_submodule("stages").train()

    def best_of(self, cells: Sequence[Architecture], batch_size: int) -> Architecture:
        """The most accurate, each on a random batch of its own, the first of equals; within ``judging``."""
        return max(cells, key=lambda cell: self.accuracy(cell, self.some_images(batch_size), batch_size))

    def some_images(self, count: int) -> Tensor:
        """Indices of ``count`` random held-out images (all, if there are fewer)."""
        order = torch.randperm(len(self.split.arch_labels), generator=self.context.streams("selection"))
        return order[:count].to(self.alpha.device)

    def accuracy(self, cell: Architecture, indices: Tensor, batch_size: int) -> float:
        """Accuracy in percent of a cell with the shared weights on held-out images, within ``judging``."""
        path, correct = SinglePath.of(self.one_hot(cell)), 0
        for some in indices.split(batch_size):
            logits = self.supernet(normalise(self.split.arch_images[some], self.context.images), path)
            correct += int((logits.argmax(1) == self.split.arch_labels[some]).sum())
        return 100.0 * correct / len(indices)
