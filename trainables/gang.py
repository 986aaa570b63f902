"""Trials side by side in one process: on a GPU that one of them cannot fill, several share it kernel by kernel.

Each lane is a batch of its own, on a thread of its own; its trials work on CUDA streams of their own (see trial.py).
Nothing is shared but the images, so rows, claims, checkpoints, failures and resume are those of the single trial, and
its bits as well. Lanes never wait for each other: one that ends an epoch goes on with the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from trainables.batch import Assignment, Batch, Work
from trainables.later import torch
from trainables.watchdog import Watchdog

SAVE_EVERY_S = 1.0
"""No trial is saved more often than this."""


def deal(work: Work, assignment: Assignment, watchdogs: Sequence[Watchdog]) -> list[Batch]:
    """The assignment's trials dealt out in turn to as many lanes as there are watchdogs; none is empty."""
    count = min(len(watchdogs), len(work.batches[assignment.batch]))
    return [
        Batch(work, assignment, watchdog, slice(lane, None, count))
        for lane, watchdog in zip(range(count), watchdogs, strict=False)
    ]


class Gang:
    """Lanes under way, from its creation until each is done or ``enough`` is said of it; then it is saved."""

    def __init__(self, lanes: Sequence[Batch], enough: Callable[[Batch], bool]) -> None:
        self._enough = enough
        self._threads = ThreadPoolExecutor(max(1, len(lanes)), initializer=torch.set_num_threads, initargs=(1,))
        self._running: set[Future[None]] = {self._threads.submit(self._run, lane) for lane in lanes}
        self._threads.shutdown(wait=False)

    def wait(self, seconds: float) -> bool:
        """Whether all lanes have come to their end within that time. Raises what one of them raised, at its end."""
        ended, self._running = wait(self._running, seconds)
        for lane in ended:
            lane.result()
        return not self._running

    def _run(self, lane: Batch) -> None:
        saved = time.monotonic()
        while lane.queue and not self._enough(lane):
            lane.advance()
            if time.monotonic() - saved > SAVE_EVERY_S:
                lane.save()
                saved = time.monotonic()
        lane.save()
