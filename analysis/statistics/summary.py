"""One sample in numbers: centre, spread, worst and best.

The functions on arrays reduce the last axis, [..., n] -> [...], so that a bootstrap can hand them all its resamples at
once. In them low is bad; ``describe`` also takes regrets.

Sources: IQM, Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
NeurIPS 2021; CVaR, Rockafellar and Uryasev, J. of Risk 2000, for a discrete distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics.estimate import NAN, FloatArray, finite

Statistic = Callable[[FloatArray], FloatArray]
"""Resamples [..., n] -> their statistics [...]."""

TAIL = 0.2
"""Share of the seeds that CVaR averages unless told otherwise; of five seeds that is the worst one."""
IQM_INTERVAL_FROM = 10
"""Seeds from which the percentile bootstrap of the IQM covers what it says (docs/statistics.md)."""


def mean(values: FloatArray) -> FloatArray:
    """Arithmetic mean, [..., n] -> [...]."""
    return np.mean(values, axis=-1)


def iqm(values: FloatArray) -> FloatArray:
    """Interquartile mean: floor(n / 4) values are cut at each end, so up to n = 3 it is the mean. [..., n] -> [...]."""
    n = values.shape[-1]
    return np.sort(values, axis=-1)[..., n // 4 : n - n // 4].mean(axis=-1)


def cvar(values: FloatArray, tail: float = TAIL) -> FloatArray:
    """Mean of the worst ``tail`` share, the value on the border counted in part. [..., n] -> [...]."""
    n = values.shape[-1]
    weights = np.clip(tail * n - np.arange(n), 0, 1)
    return np.sort(values, axis=-1) @ weights / (tail * n)


@dataclass(frozen=True)
class Summary:
    """One sample in numbers, in its own unit; NaN where there are too few values."""

    n: int
    dropped: int
    mean: float
    std: float
    """Standard deviation with ddof = 1: the spread of the values, not the uncertainty of the mean."""
    median: float
    iqm: float
    trimmed: int
    """Values that the IQM cut at each end; where 0, it is the mean."""
    worst: float
    best: float
    cvar: float
    tail: float
    """The share of the values that ``cvar`` averages."""


def describe(values: npt.ArrayLike, *, higher_is_better: bool = True) -> Summary:
    """Summarise a sample [n]; for regrets and losses, ``higher_is_better`` false turns worst and best around."""
    sample, dropped = finite(values)
    n = len(sample)
    if n == 0:
        return Summary(0, dropped, NAN, NAN, NAN, NAN, 0, NAN, NAN, NAN, TAIL)
    sign = 1 if higher_is_better else -1
    scores = np.sort(sign * sample)
    return Summary(
        n=n,
        dropped=dropped,
        mean=float(mean(sample)),
        std=float(np.std(sample, ddof=1)) if n > 1 else NAN,
        median=float(np.median(sample)),
        iqm=float(iqm(sample)),
        trimmed=n // 4,
        worst=float(sign * scores[0]),
        best=float(sign * scores[-1]),
        cvar=float(sign * cvar(scores)),
        tail=TAIL,
    )
