"""What a study will cost: measured from its own finished trials where there are any, else from a short probe.

The probe times a few real steps of the supernet (and of the network of the dearest cell) at
the study's scale on this machine. Estimates guide packing and people; no result depends on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from statistics import mean
from typing import Any

from study.store.store import Row
from trainables.datasets import ImageData
from trainables.later import F, Tensor, torch
from trainables.methods import config_of, method_named
from trainables.spaces import space_named
from trainables.spec import Retrain, Scale, TrialSpec
from trainables.trial import Surroundings

START_S = 0.02
QUERY_S = 3e-5
"""Of random search: a cheap searcher's trial is mostly the writing of its record (speed/trial_overhead.py)."""
LARGEST_PROBE = (64, 8, 256)
"""Channels, cells a stage and images a batch that are measured themselves: a dry run has to end."""


class Estimator:
    """Seconds a trial takes on one slot."""

    def __init__(self, finished: list[Row], surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.measured: dict[tuple[Any, ...], list[float]] = {}
        for row in finished:
            if row["status"] == "ok":
                seconds = row["search_wall_s"] + (row["retrain_wall_s"] or 0.0)
                self.measured.setdefault((row["method"], row["config"]), []).append(seconds)

    def seconds(self, spec: TrialSpec, config: str) -> float:
        """Expected duration of a trial whose changed hyperparameters read ``config``."""
        measured = self.measured.get((spec.method, config))
        if measured:
            return mean(measured)
        return START_S + self._search(spec) + self._retraining(spec)

    def _search(self, spec: TrialSpec) -> float:
        method, config = method_named(spec.method), config_of(spec)
        epochs = method.planned_epochs(config, spec.scale, space_named(spec.space)) or 0
        if spec.scale is None:
            return QUERY_S * epochs * method.relative_cost(config)
        images = self.surroundings.images(spec.dataset)
        steps = len(images.train_images) // 2 // spec.scale.batch_size
        step = _scaled(_supernet_step_s, spec.space, spec.scale, images, self.surroundings.device)
        return 2 * steps * epochs * step * method.relative_cost(config)

    def _retraining(self, spec: TrialSpec) -> float:
        if spec.retrain is None:
            return 0.0
        images = self.surroundings.images(spec.dataset)
        step = _scaled(_network_step_s, spec.space, spec.retrain, images, self.surroundings.device)
        return len(images.train_images) // spec.retrain.batch_size * spec.retrain.epochs * step


def _scaled(step_s: Callable[..., float], space: str, size: Scale | Retrain, images: ImageData, device: str) -> float:
    """Seconds of a step; where the network is very large, from one that is not, by what its work grows with."""
    channels, cells, batch = (
        min(largest, asked)
        for largest, asked in zip(LARGEST_PROBE, (size.channels, size.cells, size.batch_size), strict=True)
    )
    measured = step_s(space, channels, cells, batch, images.channels, images.image_size, images.classes, device)
    return measured * (size.channels / channels) ** 2 * (size.cells / cells) * (size.batch_size / batch)


@lru_cache
def _supernet_step_s(
    space: str, channels: int, cells: int, batch: int, colours: int, side: int, classes: int, device: str
) -> float:
    searched = space_named(space)
    supernet = searched.supernet(channels, cells, colours, classes).to(device)
    mixing = torch.full(searched.shape, 1 / searched.shape[1], device=device, requires_grad=True)
    return _step_s(lambda x: supernet(x, mixing), batch, colours, side, device)


@lru_cache
def _network_step_s(
    space: str, channels: int, cells: int, batch: int, colours: int, side: int, classes: int, device: str
) -> float:
    searched = space_named(space)
    network = searched.network(searched.dearest(), channels, cells, colours, classes).to(device)
    return _step_s(network, batch, colours, side, device)


def _step_s(forward: Callable[[Tensor], Tensor], batch: int, colours: int, side: int, device: str) -> float:
    """Best of three forward and backward passes, after one to warm up, on one thread as trials run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    images, labels = torch.zeros(batch, colours, side, side, device=device), torch.zeros(batch, dtype=torch.long)
    best = float("inf")
    for repeat in range(4):
        started = time.perf_counter()
        F.cross_entropy(forward(images), labels.to(device)).backward()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        if repeat:
            best = min(best, time.perf_counter() - started)
    torch.set_num_threads(threads)
    return best
