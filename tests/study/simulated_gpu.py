"""A GPU that is not there; a module of its own, so that Ray's workers can import it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from study.running.gpu_sharing import Usage


@dataclass(frozen=True)
class Simulated:
    """A GPU of 1,000 MiB that runs the work on the CPU and says what it is told to."""

    peak_mib: float
    busy: float = 0.0

    def measure(self, work: Callable[[], None]) -> Usage:
        work()
        if self.peak_mib > 1000:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB")
        return Usage(self.peak_mib, 1000, self.busy)
