"""The margin: the difference, in points, below which two values are as good as equal."""

from __future__ import annotations

from trainables.errors import ConfigError

LARGEST = 1e6
"""Of a table in seconds, say; what is larger is a slip."""


def checked(margin: float) -> float:
    """``margin``. Raises ConfigError where it is no number of points that a difference could exceed."""
    if not 0 < margin <= LARGEST:
        raise ConfigError(
            f"a margin is a number of points above 0 and up to {LARGEST:,.0f}, but got {margin:g}; try --margin 0.5"
        )
    return margin
