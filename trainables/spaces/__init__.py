"""Every search space by name. Adding one is a folder here and a line in this table."""

from __future__ import annotations

from typing import Any

from trainables.errors import ConfigError, choose
from trainables.spaces.darts.space import DartsSpace
from trainables.spaces.nas_bench_201.space import NasBench201
from trainables.spaces.space import Space

SPACES: dict[str, Space[Any]] = {space.name: space for space in (NasBench201(), DartsSpace())}


def space_named(name: str) -> Space[Any]:
    """Raises ConfigError naming the nearest known one."""
    if name not in SPACES:
        raise ConfigError(choose("space", name, SPACES))
    return SPACES[name]
