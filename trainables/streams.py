"""Named random streams: every draw of a trial comes from a stream that depends on the seed and the stream's name only.

Methods therefore meet the same initial weights, data order and augmentation at the same seed (common random numbers),
whatever else they draw. Paired comparisons over seeds rest on this.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trainables.later import torch

_SEEDING = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within this block what draws from torch's own generator draws from ``seed``; one thread at a time is in one."""
    with _SEEDING, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class Streams:
    """Generators by name, created on first use; ``state_dict`` holds the position of every one of them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators: dict[str, torch.Generator] = {}

    def seed_of(self, name: str) -> int:
        """The 63-bit seed of one stream."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def __call__(self, name: str, device: torch.device | str = "cpu") -> torch.Generator:
        """The generator of stream ``name``; a stream lives on the device of its first use."""
        if name not in self._generators:
            self._generators[name] = torch.Generator(device).manual_seed(self.seed_of(name))
        return self._generators[name]

    def on(self, device: torch.device) -> list[torch.Generator]:
        """The generators that live on a device so far."""
        return [generator for generator in self._generators.values() if generator.device.type == device.type]

    @contextmanager
    def initialising(self, name: str) -> Iterator[None]:
        """Within this block modules created on the CPU draw their initial weights from stream ``name``."""
        with seeded(self.seed_of(name)):
            yield

    def state_dict(self) -> dict[str, Any]:
        return {n: {"device": str(g.device), "position": g.get_state()} for n, g in self._generators.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, saved in state.items():
            self(name, saved["device"]).set_state(saved["position"])
