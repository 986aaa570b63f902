"""Storage that does not answer is said, so that nobody takes a command for hung."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

QUIET_S = 3.0
LOOK_EVERY_S = 0.5

_under_way: dict[int, tuple[float, str]] = {}
"""By thread: since when it waits for an answer, and from where."""


@contextlib.contextmanager
def waiting_for(place: str) -> Iterator[None]:
    """The block waits for storage."""
    thread = threading.get_ident()
    _under_way[thread] = time.monotonic(), place
    try:
        yield
    finally:
        _under_way.pop(thread, None)


@contextlib.contextmanager
def telling(say: Callable[[str], None]) -> Iterator[None]:
    """Within the block ``say`` is told, once a place, where storage has been silent for QUIET_S."""
    over = threading.Event()
    told: set[str] = set()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            for since, place in list(_under_way.values()):
                if place not in told and time.monotonic() - since >= QUIET_S:
                    told.add(place)
                    say(f"waiting for storage: {place} does not answer yet")

    threading.Thread(target=look, name="waiting", daemon=True).start()
    try:
        yield
    finally:
        over.set()
