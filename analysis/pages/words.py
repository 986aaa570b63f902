"""How a number becomes text: everything that does is here, so no two places can round differently."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

UNKNOWN = "–"


def number(value: float | None, digits: int = 2) -> str:
    """A number to ``digits`` decimals, a dash where it is missing; never minus zero."""
    if value is None or pd.isna(value):
        return UNKNOWN
    return f"{round(float(value), digits) + 0.0:.{digits}f}"


def setting_text(value: object) -> str:
    """A hyperparameter, as short as tells it from every other value: 0.1, but 0.1000001 and 1234567.5."""
    if not isinstance(value, (float, np.floating)):
        return str(value)
    short = f"{value:g}"
    return short if np.isnan(value) or type(value)(short) == value else str(value)


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


def mean_std(mean: float, std: float, digits: int = 2) -> str:
    """``mean ± std``; a single value has no spread, and says so."""
    if math.isnan(mean):
        return UNKNOWN
    spread = " (one seed)" if math.isnan(std) else f" ± {number(std, digits)}"
    return number(mean, digits) + spread


def interval(low: float, high: float, digits: int = 2) -> str:
    """``[low, high]``, or a dash where there is none."""
    return UNKNOWN if math.isnan(low) else f"[{number(low, digits)}, {number(high, digits)}]"


def listed(items: Iterable[str], most: int = 6) -> str:
    """``a, b and c``; beyond ``most`` the rest is counted."""
    words = list(items)
    if len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
