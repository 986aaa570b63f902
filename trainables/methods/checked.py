"""What a method declares of its comparison with released code; ``docs/methods.md`` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Checked:
    """How a method was held against released code.

    ``lockstep``: both took the same steps on the same images, weights and draws, in float64; ``functions``: functions
    of the release ran on the same numbers. ``difference`` is then the largest of any weight or parameter seen.
    ``read``: line by line, without running. ``runs it``: the method calls the release itself.
    """

    how: Literal["lockstep", "functions", "read", "runs it"]
    code: str
    """The repository, or the package."""
    when: str
    """Year and month."""
    difference: float | None = None
    note: str = ""
    """What ran, where it was a part; what the comparison found."""
