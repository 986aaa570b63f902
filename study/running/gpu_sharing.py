"""How many trials share a GPU: measured, not guessed.

Before the first trial a miniature of each kind of trial runs on a GPU of its own: the same network, batch and data on
the device, but two epochs of a few batches, and as much of a retraining. What it needs decides its share:

    share = max(MARGIN * peak memory / memory of the GPU, fraction of the time the GPU is busy),

rounded up to 1/n, so that n trials share a GPU. Memory that is exceeded fails a trial; time that is exceeded only makes
all of them slower, so it gets no margin. A trial that still runs out of memory is run again with twice its share, up to
a whole GPU, and its row says so (study/running/dispatch.py). Shares are bookkeeping of Ray's: they change no result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import ray
from rich.console import Console

from study.running.packing import kind
from trainables.batch import is_out_of_memory
from trainables.datasets import ImageData
from trainables.later import torch
from trainables.spec import DatasetSpec, TrialSpec
from trainables.trial import Surroundings, Trial

MARGIN = 1.25
"""The allocator fragments with time, and a miniature does not reach every phase of a search."""
MOST_A_GPU = 32
EPOCHS = 2
"""Some methods grow their network halfway."""
BATCHES = 4
"""of each half of the images: enough for the peak, which every step reaches"""
EVALUATED = 1024
"""images at least, so that evaluations see batches as large as ever"""


@dataclass(frozen=True)
class Usage:
    """Of a GPU, by one process that has it to itself."""

    peak_mib: float
    total_mib: float
    busy: float
    """fraction of the time in which a kernel runs, 0..1"""


class Device(Protocol):
    """What can be measured of an accelerator."""

    def measure(self, work: Callable[[], None]) -> Usage:
        """Run ``work`` and say what it took. Raises RuntimeError if it does not fit."""


class Cuda:
    """The GPU that torch uses."""

    def measure(self, work: Callable[[], None]) -> Usage:
        work()  # the first time loads kernels and lets cuDNN choose among them
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            began.record()
            work()
            ended.record()
            torch.cuda.synchronize()
        kernels_us = sum(event.self_device_time_total for event in profile.key_averages())
        free, total = torch.cuda.mem_get_info()
        context = total - free - torch.cuda.memory_reserved()  # also what others use, which is not there to be shared
        peak = torch.cuda.max_memory_reserved() + context
        return Usage(peak / 2**20, total / 2**20, min(1.0, kernels_us / 1e3 / began.elapsed_time(ended)))


CUDA = Cuda()


@dataclass(frozen=True)
class FewImages(Surroundings):
    """All images are on the device, but a trial sees only the first of them."""

    images_seen: int = 0

    def images(self, dataset: DatasetSpec) -> ImageData:
        whole, n = super().images(dataset), self.images_seen
        return replace(
            whole,
            train_images=whole.train_images[:n],
            train_labels=whole.train_labels[:n],
            test_images=whole.test_images[:n],
            test_labels=whole.test_labels[:n],
        )


def miniature(spec: TrialSpec, surroundings: Surroundings) -> Callable[[], None]:
    """A short trial that takes as much memory as the whole one."""
    parts = {name: part for name in ("scale", "retrain") if (part := getattr(spec, name)) is not None}
    short = {name: part.model_copy(update={"epochs": min(EPOCHS, part.epochs)}) for name, part in parts.items()}
    spec = spec.model_copy(update=short | {"hessian_every": spec.hessian_every and 1})
    images = max([EVALUATED, *(2 * BATCHES * part.batch_size for part in parts.values())])
    few = FewImages(surroundings.data, surroundings.benchmark, surroundings.device, images)

    def run() -> None:
        trial = Trial(spec, few)
        while not trial.finished:
            trial.advance()

    return run


def share(usage: Usage | None) -> float:
    """The share of a GPU for a trial that takes this; all of it for one that does not fit, None."""
    if usage is None:
        return 1.0
    needed = max(MARGIN * usage.peak_mib / usage.total_mib, usage.busy, 1 / MOST_A_GPU)
    return 1.0 if needed > 0.5 else 1 / int(1 / needed)


def probe(spec: TrialSpec, surroundings: Surroundings, device: Device) -> Usage | None:
    """What one trial takes of the device; None if it does not even fit alone."""
    try:
        return device.measure(miniature(spec, surroundings))
    except RuntimeError as error:
        if is_out_of_memory(error):
            return None
        raise


def shares(
    gpu: float | Literal["auto"],
    specs: Sequence[TrialSpec],
    surroundings: Surroundings,
    console: Console,
    device: Device,
) -> Callable[[TrialSpec], float]:
    """The share of a GPU for each trial: what the study says, or measured on the GPUs of the cluster.

    Each measurement has a GPU to itself.
    """
    if gpu != "auto":
        return lambda spec: gpu
    kinds = {kind(spec): spec for spec in specs}
    remote = ray.remote(num_gpus=1, max_retries=0)(probe)
    console.print(f"measuring {len(kinds)} kinds of trials on a GPU")
    usages = ray.get([remote.remote(spec, surroundings, device) for spec in kinds.values()])
    for spec, usage in zip(kinds.values(), usages, strict=True):
        console.print(f"  {spec.method}: {describe(usage)}")
    found = {name: share(usage) for name, usage in zip(kinds, usages, strict=True)}
    return lambda spec: found[kind(spec)]


def describe(usage: Usage | None) -> str:
    """One measurement in words."""
    if usage is None:
        return "does not fit; it is tried with a whole GPU"
    return (
        f"{usage.peak_mib:.0f} of {usage.total_mib:.0f} MiB, busy {usage.busy:.0%}: {round(1 / share(usage))} on a GPU"
    )
