"""Limits of one trial that the trial itself cannot keep: a search that hangs never comes back to be asked.

A thread beside the trials of a worker looks at the clock and at the process's memory. What passes a limit may be stuck
in native code or hold ever more memory, so the only way to stop it that always works is to end the process; whoever
started it starts another one, which goes on with the next trial.
"""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class Limits:
    """Of one trial; None is none. They cannot change a result, only prevent one."""

    timeout_s: float | None = None
    """wall time over all its epochs, also those before it was resumed"""
    memory_gib: float | None = None
    """resident memory of its process, about half a GiB of which is Python and torch"""


class Watchdog:
    """Calls ``give_up(reason)``, which must end the process, when what runs within ``watching`` passes a limit."""

    def __init__(self, limits: Limits, give_up: Callable[[str], None]) -> None:
        self.limits, self.give_up = limits, give_up
        self.thread = threading.get_ident()
        """the one that is watched, or was last"""
        self._began: float | None = None
        self._lock = threading.Lock()
        if limits != Limits():
            threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def watching(self, spent_s: float) -> Iterator[None]:
        """Watch the block, a part of a trial that has run for ``spent_s`` before."""
        self.thread = threading.get_ident()
        self._began = time.monotonic() - spent_s
        try:
            yield
        finally:
            with self._lock:  # held while a trial is given up: then this thread goes no further
                self._began = None

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            with self._lock:
                if self._began is not None and (reason := self._excess(time.monotonic() - self._began)):
                    self.give_up(reason)

    def _excess(self, seconds: float) -> str | None:
        """Which limit is passed, in words."""
        timeout_s, memory_gib = self.limits.timeout_s, self.limits.memory_gib
        if timeout_s is not None and seconds > timeout_s:
            return f"given up after {seconds:.0f} s: resources.trial_timeout_s is {timeout_s:g}"
        if memory_gib is not None and (held := held_gib()) > memory_gib:
            return f"given up at {held:.2f} GiB of memory: resources.memory_gib is {memory_gib:g}"
        return None


def held_gib() -> float:
    """Resident memory of this process in GiB; where the system tells no more, its peak."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
