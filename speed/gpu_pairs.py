"""Searches on noise of any size, and how long a pair of their steps takes; for speed/gpu.py."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch

from trainables.datasets import Augmentation, ImageData
from trainables.methods import method_named
from trainables.methods.differentiable import DifferentiableSearch
from trainables.spec import DatasetSpec, Scale, TrialSpec
from trainables.trial import Surroundings, Trial

Numbers = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Size:
    """Of a search: channels of the first stage, cells a stage, images a batch, pixels a side."""

    channels: int
    cells: int
    batch: int
    side: int

    def __str__(self) -> str:
        return f"({self.channels}, {self.cells}, {self.batch}, {self.side})"


PAPER, SMALL, TINY = Size(16, 5, 64, 32), Size(8, 1, 64, 16), Size(4, 1, 8, 8)


@dataclasses.dataclass(frozen=True)
class Noise(Surroundings):
    """Images of noise, enough for ``pairs`` batches of each half."""

    size: Size = PAPER
    pairs: int = 10

    def images(self, dataset: DatasetSpec) -> ImageData:
        return noise(2 * self.pairs * self.size.batch, self.size.side, self.device)


@lru_cache
def noise(count: int, side: int, device: str) -> ImageData:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, side, side), generator=generator, dtype=torch.uint8).to(device)
    labels = torch.randint(10, (count,), generator=generator).to(device)
    half = torch.full((3,), 127.5, device=device)
    augmentation = Augmentation(crop_padding=4, flip=True)
    return ImageData("noise", 10, pixels, labels, pixels[:8], labels[:8], "held_out", half, half / 2, augmentation)


def trial(
    size: Size, pairs: int, device: str, method: str = "darts", seed: int = 0, *, plain: bool = False, **config: Any
) -> Trial:
    """A search on noise with ``pairs`` pairs an epoch; ``plain`` runs step by step where others replay a recording."""
    cls = method_named(method)
    parsed = cls.Config.parse(method, ({"protocol": "P1"} if "protocol" in cls.Config.model_fields else {}) | config)
    spec = TrialSpec(
        method=method,
        method_version=cls.version,
        hyperparameters=parsed.stated(),
        space="nas_bench_201",
        dataset=DatasetSpec(name="noise"),
        dataset_fingerprint=None,
        signal_fingerprint=None,
        scale=Scale(channels=size.channels, cells=size.cells, epochs=8, batch_size=size.batch),
        retrain=None,
        seed=seed,
    )
    made = Trial(spec, Noise(device=device, size=size, pairs=pairs))
    if plain:
        made.search.context = dataclasses.replace(made.search.context, recorder=None)
    return made


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def epoch_s(trials: list[Trial], device: str) -> float:
    """Seconds of an epoch of all trials side by side, the second of two: the first compiles and chooses."""
    with ThreadPoolExecutor(len(trials)) as threads:
        for _ in range(2):
            synchronise(device)
            started = time.perf_counter()
            for done in [threads.submit(trial.advance) for trial in trials]:
                done.result()
            synchronise(device)
    return time.perf_counter() - started


def pair_ms(make: Callable[[int, int], Trial], device: str, few: int, many: int, together: int = 1) -> Numbers:
    """Milliseconds a pair, and what an epoch costs beside its pairs; ``make(pairs, seed)`` is a trial."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times: dict[int, float] = {}
    for images in (few, many):
        trials = [make(images, seed) for seed in range(together)]
        search = trials[0].search
        assert isinstance(search, DifferentiableSearch)
        times[search.train_batches.batches_per_epoch] = epoch_s(trials, device)  # single-level: twice as many
    few, many = sorted(times)
    a_pair = 1000 * (times[many] - times[few]) / (many - few) / together
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0
    return {"ms": a_pair, "epoch_overhead_ms": 1000 * times[few] - few * a_pair * together, "peak_mib": peak}


def timed_ms(work: Callable[[], None], device: str, repeats: int) -> float:
    """Median milliseconds of ``work``."""
    work()
    times = []
    for _ in range(repeats):
        synchronise(device)
        started = time.perf_counter()
        work()
        synchronise(device)
        times.append(1000 * (time.perf_counter() - started))
    return sorted(times)[len(times) // 2]
