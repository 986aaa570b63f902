"""How many seeds a study needs, and what it can see with those it has. For planning: never "observed power".

Effects are standardised: a difference over the standard deviation of the paired differences (d_z), or over that of one
arm (d). A pilot's standard deviation is too small half of the time: plan with ``planning_std``.

Source: Cohen, "Statistical Power Analysis", 1988: t tests, by the noncentral t distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, isnan, sqrt

from scipy import optimize, stats

from analysis.statistics.attainable import attainable_paired, attainable_unpaired
from analysis.statistics.estimate import ALPHA, LEVEL, NAN, percent
from analysis.statistics.intervals import MINIMUM_N, t_multiplier

POWER = 0.8
LARGEST_N = 1_000_000
LARGEST_EFFECT = 1_000.0


@dataclass(frozen=True)
class SeedsNeeded:
    """A plan: seeds of each arm."""

    n: int
    """Whole seeds, and no fewer than an exact test needs to reach its level at all."""
    exact: float
    """The solution before it was rounded up or raised."""
    method: str


def power_paired(effect: float, n: float, alpha: float = ALPHA) -> float:
    """Power of the two-sided paired t test to find ``effect`` (d_z) with n pairs."""
    return _power(abs(effect) * sqrt(n), n - 1, alpha) if n > 1 else NAN


def power_unpaired(effect: float, n: float, alpha: float = ALPHA) -> float:
    """Power of the two-sided two-sample t test to find ``effect`` (d) with n seeds in each arm."""
    return _power(abs(effect) * sqrt(n / 2), 2 * n - 2, alpha) if n > 1 else NAN


def seeds_to_detect_paired(effect: float, *, family: int = 1, alpha: float = ALPHA) -> SeedsNeeded:
    """Pairs of seeds to find ``effect`` (d_z) with POWER, as one of ``family`` tests, each at ``alpha`` / family."""
    method = (
        f"paired t test at level {alpha:g}{_over(family)}, power {POWER:g}, effect {abs(effect):g} std of differences"
    )
    exact = _solve(lambda n: power_paired(effect, n, alpha / family))
    return _plan(exact, attainable_paired(2, family, alpha=alpha).needed_n, method)


def seeds_to_detect_unpaired(effect: float, *, family: int = 1, alpha: float = ALPHA) -> SeedsNeeded:
    """Seeds in each arm to find ``effect`` (d) with POWER, as one of ``family`` tests, each at ``alpha`` / family."""
    method = (
        f"two-sample t test at level {alpha:g}{_over(family)}, power {POWER:g}, effect {abs(effect):g} std of an arm"
    )
    exact = _solve(lambda n: power_unpaired(effect, n, alpha / family))
    return _plan(exact, attainable_unpaired(2, 2, family, alpha).needed_n, method)


def seeds_for_half_width(std: float, half_width: float, level: float = LEVEL) -> SeedsNeeded:
    """Seeds until the Student-t interval of the mean is ± ``half_width``, in the unit of ``std``.

    The interval of the next sample is that wide on average over its own standard deviation, so about half of the time.
    """
    method = f"{percent(level)} Student-t interval of ± {half_width:g} at a standard deviation of {std:g}"
    low, high = MINIMUM_N - 1, MINIMUM_N
    while t_multiplier(high, level) * std / sqrt(high) > half_width:
        low, high = high, 2 * high
        if high > LARGEST_N:
            return SeedsNeeded(LARGEST_N, inf, method)
    while high - low > 1:
        middle = (low + high) // 2
        if t_multiplier(middle, level) * std / sqrt(middle) > half_width:
            low = middle
        else:
            high = middle
    return SeedsNeeded(high, float(high), method)


def smallest_detectable_paired(n: int, *, family: int = 1, alpha: float = ALPHA) -> float:
    """The effect (d_z) that n pairs find with POWER at ``alpha`` / family; NaN below n = 2, inf over LARGEST_EFFECT."""
    return _smallest_effect(lambda effect: power_paired(effect, n, alpha / family), n)


def smallest_detectable_unpaired(n: int, *, family: int = 1, alpha: float = ALPHA) -> float:
    """The effect (d) that n seeds in each arm find with POWER at level ``alpha`` / family; as above."""
    return _smallest_effect(lambda effect: power_unpaired(effect, n, alpha / family), n)


def planning_std(std: float, n: int) -> float:
    """The upper 80 % limit of a standard deviation known from n pilot values; NaN below n = 2."""
    return float(std * sqrt((n - 1) / stats.chi2.ppf(1 - 0.8, n - 1))) if n > 1 else NAN


def _power(shift: float, freedom: float, alpha: float) -> float:
    """Both tails of t with noncentrality ``shift``; where scipy has NaN, far out, those of the normal limit."""
    critical = float(stats.t.isf(alpha / 2, freedom))
    right, left = stats.nct.sf(critical, freedom, shift), stats.nct.cdf(-critical, freedom, shift)
    limits = stats.norm.sf(critical - shift), stats.norm.sf(critical + shift)
    return sum(float(limit if isnan(tail) else tail) for tail, limit in zip((right, left), limits, strict=True))


def _solve(power_at: Callable[[float], float]) -> float:
    """The real n at which the growing ``power_at`` reaches POWER; infinite beyond LARGEST_N."""
    low, high = 1.5, 4.0  # below, the noncentral t distribution has no degrees of freedom to speak of
    if power_at(low) >= POWER:
        return low
    while power_at(high) < POWER:
        high *= 2
        if high > LARGEST_N:
            return inf
    return float(optimize.brentq(lambda n: power_at(n) - POWER, low, high))


def _smallest_effect(power_of: Callable[[float], float], n: int) -> float:
    if n < 2:
        return NAN
    high = 1.0
    while power_of(high) < POWER:
        high *= 2
        if high > LARGEST_EFFECT:
            return inf
    return float(optimize.brentq(lambda effect: power_of(effect) - POWER, 0.0, high))


def _plan(exact: float, floor: int, method: str) -> SeedsNeeded:
    return SeedsNeeded(LARGEST_N if exact == inf else max(ceil(exact - 1e-9), floor), exact, method)


def _over(family: int) -> str:
    return f" / {family}" if family > 1 else ""
