"""How many settings are good enough: the share of settings within eps of the best, for all eps.

    rho(eps) = share of the settings run whose mean over seeds is at least the best one - eps
    AUC = mean of max(0, 1 - gap / LIMIT) over the settings, the area under rho from 0 to LIMIT, divided by LIMIT

Profiles of methods are comparable only where their settings come from the same kind of space, equally densely tried.
Settings that never had a value are within no eps. The null line is the profile of settings that are all equally good
and differ by their seeds alone: a profile that follows it shows no sensitivity at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.sensitivity.numbers.jackknife import Bands, jackknife
from analysis.sensitivity.numbers.noise import seed_variance
from analysis.sensitivity.numbers.settings import Settings, seed_means
from analysis.statistics.estimate import DECIMALS, LEVEL, NAN, Estimate, FloatArray
from analysis.statistics.intervals import t_multiplier

LIMIT = 5.0
"""Points below the best up to which the area is taken."""
POINTS = 200
NULL_DRAWS = 200
TIE = 0.5 * 10**-DECIMALS


@dataclass(frozen=True, eq=False)
class RobustnessProfile:
    """``curve``: eps (points), share, low, high, null; steps at the settings' gaps, at most POINTS of them."""

    gaps: FloatArray
    """[H] points below the best mean, ascending; infinite for a setting without a value."""
    curve: pd.DataFrame
    auc: Estimate
    worst_gap: float
    settings: int
    n: int
    method: str
    note: str = ""

    def share(self, eps: float) -> float:
        """rho(eps), exactly."""
        return float(_shares(self.gaps, np.array([eps]))[0])


def robustness_profile(settings: Settings, generator: np.random.Generator, level: float = LEVEL) -> RobustnessProfile:
    """The profile below the method's own best mean.

    Intervals are the jackknife's over seeds; where settings are a sample and not a full grid, the error of drawing
    settings is added. Below three seeds there are none. Where seeds differ by more than settings do, the own best mean
    is too high, the profile too low, and the intervals, centred on it, too.
    """
    gaps = np.sort(_gaps(settings.means))
    finite = gaps[np.isfinite(gaps)]
    steps = np.unique(np.append(0.0, finite))
    eps = np.unique(np.quantile(steps, np.linspace(0, 1, POINTS), method="nearest"))

    def numbers(values: FloatArray) -> FloatArray:
        below = _gaps(seed_means(values))
        return np.append(_area(below).mean(), _shares(below, eps))

    found = jackknife(settings.values, numbers, level)
    found = _widened(found, _sampling_error(gaps, eps) if not settings.is_complete else 0.0, level)
    null = _null(settings, eps, generator)
    sampled = "" if settings.is_complete else ", and the error of drawing settings"
    method = f"share of {len(gaps)} settings within eps of the best of them; pointwise {found.method}{sampled}"
    return RobustnessProfile(
        gaps=gaps,
        curve=pd.DataFrame(
            {"eps": eps, "share": found.estimate[1:], "low": found.low[1:], "high": found.high[1:], "null": null}
        ),
        auc=replace(found.at(0), method=method),
        worst_gap=float(finite.max()),
        settings=len(gaps),
        n=settings.n,
        method=method,
        note=found.note,
    )


def _gaps(means: FloatArray) -> FloatArray:
    return np.where(np.isfinite(means), np.round(np.nanmax(means) - means, DECIMALS), np.inf)


def _area(gaps: FloatArray) -> FloatArray:
    """What each setting adds to the AUC, [H]."""
    return np.clip(1 - gaps / LIMIT, 0, 1)


def _shares(gaps: FloatArray, eps: FloatArray) -> FloatArray:
    return np.searchsorted(np.sort(gaps), eps + TIE, side="right") / len(gaps)


def _sampling_error(gaps: FloatArray, eps: FloatArray) -> FloatArray:
    """Standard errors of the AUC and of the shares, had other settings been drawn and the reference stayed."""
    shares = _shares(gaps, eps)
    return np.sqrt(np.append(_area(gaps).var(), shares * (1 - shares)) / len(gaps))


def _widened(bands: Bands, error: FloatArray | float, level: float) -> Bands:
    """The intervals with an independent standard error added, within 0 and 1."""
    extra = t_multiplier(bands.n, level) * error
    low = bands.estimate - np.hypot(bands.estimate - bands.low, extra)
    high = bands.estimate + np.hypot(bands.high - bands.estimate, extra)
    return replace(bands, low=np.clip(low, 0, 1), high=np.clip(high, 0, 1))


def _null(settings: Settings, eps: FloatArray, generator: np.random.Generator) -> FloatArray:
    """The mean share within eps of the best of as many equally good settings, normal seeds; NaN for a single seed."""
    counts = np.isfinite(settings.values).sum(axis=1)
    error = np.sqrt(seed_variance(settings) / counts[counts > 0])
    if np.isnan(error).any():
        return np.full(len(eps), NAN)
    draws = (error * generator.standard_normal(len(error)) for _ in range(NULL_DRAWS))
    return np.mean([_shares(means.max() - means, eps) for means in draws], axis=0) * len(error) / len(counts)
