"""The peak memory of one trial, though the process that runs it runs many."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

from trainables.later import torch


class PeakMemory:
    """Starts a new measurement when created; ``mib()`` is the peak since then.

    On a GPU: memory allocated through torch. On the CPU: resident memory of the process, whose high-water mark Linux
    lets a process reset; elsewhere the mark is that of the whole process so far.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")

    def mib(self) -> float:
        """Peak in MiB."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        with contextlib.suppress(OSError):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
