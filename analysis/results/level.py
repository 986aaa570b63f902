"""The level of tests, α: how often a family without any true difference may still show one."""

from __future__ import annotations

from trainables.errors import ConfigError

SMALLEST, LARGEST = 1e-9, 0.5
"""Below, what is left to 1 is lost among the digits of a float; above, the test is worse than a coin."""


def checked(alpha: float) -> float:
    """``alpha``. Raises ConfigError where no test or interval could use it."""
    if not SMALLEST <= alpha <= LARGEST:
        raise ConfigError(
            f"the level of tests is above 0 ({SMALLEST:g} at least) and up to {LARGEST:g}, but got {alpha:g}; try "
            "--alpha 0.05"
        )
    return alpha
