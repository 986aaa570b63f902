"""Trials side by side in one process: on a GPU that one of them cannot fill, several share it kernel by kernel.

Each lane is a batch of its own, on a thread of its own; its trials work on CUDA streams of their own (see trial.py).
Nothing is shared but the images, so rows, claims, checkpoints, failures and resume are those of the single trial, and
its bits as well. Lanes never wait for each other: one that ends an epoch goes on with the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import torch

from trainables.batch import Assignment, Batch, Work
from trainables.watchdog import Watchdog

SAVE_EVERY_S = 20.0
"""A lane saves its trial no more often than this: what a checkpoint at paper scale costs is then no loss."""


def lanes(work: Work, assignment: Assignment, watchdogs: Sequence[Watchdog]) -> list[Batch]:
    """The assignment's trials dealt out in turn to as many lanes as there are watchdogs; none is empty."""
    count = min(len(watchdogs), len(work.batches[assignment.batch]))
    return [
        Batch(work, assignment, watchdog, slice(lane, None, count))
        for lane, watchdog in zip(range(count), watchdogs, strict=False)
    ]


def advance(
    batches: Sequence[Batch], enough: Callable[[], bool], look: Callable[[], None] = lambda: None, every_s: float = 1.0
) -> None:
    """Let every lane go on epoch by epoch until it is done or ``enough``; then it is saved.

    Meanwhile ``look`` is called from this thread every so many seconds. What a lane raises, which only the store may,
    is raised when the others have come to their end.
    """

    def run(batch: Batch) -> None:
        saved = time.monotonic()
        while batch.queue and not enough():
            batch.advance()
            if time.monotonic() - saved > SAVE_EVERY_S:
                batch.save()
                saved = time.monotonic()
        batch.save()

    with ThreadPoolExecutor(len(batches), initializer=torch.set_num_threads, initargs=(1,)) as threads:
        running = {threads.submit(run, batch) for batch in batches}
        while running:
            ended, running = wait(running, every_s)
            look()
            for lane in ended:
                lane.result()
