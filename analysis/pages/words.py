"""How a number becomes text: everything that does is here, so no two places can round differently."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import pandas as pd

UNKNOWN = "–"
_DECIMALS = ContextVar("decimals", default=2)


@contextmanager
def decimals(count: int) -> Iterator[None]:
    """Inside, numbers in the unit of the values have ``count`` decimals: two suit percent, and hide a loss of 0.03."""
    before = _DECIMALS.set(count)
    try:
        yield
    finally:
        _DECIMALS.reset(before)


def number(value: float | None, digits: int | None = None) -> str:
    """A number to ``digits`` decimals, those of the page's unit if None; a dash where it is missing; never minus zero.

    What two sums of the same values differ by, far behind the last digit, does not decide on it: 97.235 is rounded
    alike wherever it was computed.
    """
    digits = _DECIMALS.get() if digits is None else digits
    if value is None or pd.isna(value):
        return UNKNOWN
    return f"{round(round(float(value), digits + 8), digits) + 0.0:.{digits}f}"


def counted(count: int, noun: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def p_value(p: float) -> str:
    """A p-value to three significant digits, never 0."""
    if math.isnan(p):
        return UNKNOWN
    return "< 0.001" if p < 0.001 else f"{p:.3g}"


def equals(p: float) -> str:
    """``= 0.0123`` or ``< 0.001``."""
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def mean_std(mean: float, std: float, digits: int | None = None) -> str:
    """``mean ± std``; a single value has no spread, and says so."""
    if math.isnan(mean):
        return UNKNOWN
    spread = " (one seed)" if math.isnan(std) else f" ± {number(std, digits)}"
    return number(mean, digits) + spread


def interval(low: float, high: float, digits: int | None = None) -> str:
    """``[low, high]``, or a dash where there is none."""
    return UNKNOWN if math.isnan(low) else f"[{number(low, digits)}, {number(high, digits)}]"


def listed(items: Iterable[str], most: int = 6) -> str:
    """``a, b and c``; beyond ``most`` the rest is counted."""
    words = list(items)
    if len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
