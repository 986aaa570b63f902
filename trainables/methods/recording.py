"""Steps that are alike, recorded once and replayed: thousands of small kernels then cost one launch (CUDA graphs).

A step reads its batch from one place on the device, adds its results up in place, and draws from generators that the
recording knows; a replay is then the same work on whatever lies in these places now. Numbers that Python holds (the
learning rate, a temperature, a weight that grows with the epochs) are baked into the recording, which is why it lives
for one epoch.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from trainables.later import torch
from trainables.streams import Streams

Step = Callable[[], None]


class Recorder(Protocol):
    """Records a step without running it; what it returns runs it. The step draws from no other ``generators``."""

    device: torch.device

    def record(self, step: Step, generators: Sequence[torch.Generator]) -> Step: ...


def repeat(step: Step, times: int, advance: Step, recorder: Recorder | None, streams: Streams) -> None:
    """Run a step ``times`` times, each after ``advance``, which runs on the host.

    With a recorder the first step runs as it is: it makes the optimisers' state and the generators, whose place the
    recording must know.
    """
    for done in range(times):
        advance()
        if recorder is not None and done == 1:
            step = recorder.record(step, streams.on(recorder.device))
        step()


class CudaGraphs:
    """Records CUDA graphs on the present stream, which must not be the default one."""

    _one_at_a_time = threading.Lock()

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._last: torch.cuda.CUDAGraph | None = None

    def record(self, step: Step, generators: Sequence[torch.Generator]) -> Step:
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with self._one_at_a_time:
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                step()
            except BaseException:
                with contextlib.suppress(RuntimeError):  # that the recording is broken; what broke it is worth more
                    graph.capture_end()
                raise
            graph.capture_end()
        # the memory pool of recordings lives as long as one of them does: the last is kept until there is a next
        self._last = graph
        return graph.replay
