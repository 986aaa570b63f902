"""The errors a user can cause. Every message states the rule, what was given and what to do about it.

NasStudyError
├── ConfigError      a study, method or hyperparameter that cannot be run as written
├── DataError        image data that is missing or cannot be read
├── BenchmarkError   a benchmark table that is missing, damaged or lacks what is asked of it
└── StoreError       a result store that cannot be written, or belongs to another study
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any

LONGEST = 100
"""Characters of what was given that a message repeats."""
MOST_NAMED = 100
"""Names among which a message has to choose."""


class NasStudyError(Exception):
    """Root of all errors that are the user's to mend; the CLI prints them in one sentence and exits with 2."""


class ConfigError(NasStudyError):
    """A study, method or hyperparameter that cannot be run as written."""


class DataError(NasStudyError):
    """Image data that is missing or cannot be read."""


class BenchmarkError(NasStudyError):
    """A benchmark table that is missing, damaged or lacks what is asked of it."""


class StoreError(NasStudyError):
    """A result store that cannot be written, or belongs to another study."""


def reason(error: Exception) -> str:
    """What another library says is wrong, as a part of a sentence: on one line, and no longer than one reads."""
    return " ".join(str(error).split())[:300]


def choose(kind: str, given: str, known: Iterable[str]) -> str:
    """The sentence for an unknown name: names the nearest known one first, then all of them."""
    names = sorted(known)
    nearest = difflib.get_close_matches(given[:LONGEST], names, n=1)  # its time grows with the square of the length
    hint = f" did you mean {shown(nearest[0])}?" if nearest else ""
    listed = [name if len(name) <= LONGEST else shown(name) for name in names[:MOST_NAMED]]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"unknown {kind} {shown(given)};{hint} choose one of: {', '.join(listed)}{more}"


class _Shown(reprlib.Repr):
    """Never longer than a line or two, and quick whatever the value."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = LONGEST

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() < 300 else f"a number of some {x.bit_length() * 3 // 10} digits"


def shown(value: Any) -> str:
    """A value as part of a sentence: as Python writes plain ones, shortened."""
    plain = value.item() if getattr(value, "ndim", None) == 0 else value  # NumPy's 2.5 is the user's 2.5
    return _Shown().repr(plain)
