"""The errors a user can cause. Every message states the rule, what was given and what to do about it.

NasStudyError
├── ConfigError      a study, method or hyperparameter that cannot be run as written
├── DataError        image data that is missing or cannot be read
├── BenchmarkError   a benchmark table that is missing, damaged or lacks what is asked of it
└── StoreError       a result store that cannot be written, or belongs to another study
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
    nearest = difflib.get_close_matches(given, names, n=1)
    hint = f" did you mean {nearest[0]!r}?" if nearest else ""
    return f"unknown {kind} {given!r};{hint} choose one of: {', '.join(names)}"
