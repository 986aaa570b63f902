"""What seeds do within a setting. Seeds that all settings share move them together, which changes no comparison."""

from __future__ import annotations

import numpy as np

from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import NAN, FloatArray


def seed_residuals(settings: Settings) -> tuple[FloatArray, int]:
    """Values less their setting's mean, and less what a shared seed does to all settings: [H, n], NaN where missing.

    Also their degrees of freedom; 0 with a single seed.
    """
    known = np.isfinite(settings.values)
    residuals = settings.values - settings.means[:, None]
    freedom = int(known.sum() - known.any(axis=1).sum())
    if settings.shared_seeds and len(residuals) > 1:
        counts = known.sum(axis=0)
        residuals = residuals - np.where(known, residuals, 0.0).sum(axis=0) / np.maximum(counts, 1)
        freedom -= int((counts > 0).sum()) - 1
    return residuals, max(freedom, 0)


def seed_variance(settings: Settings) -> float:
    """The variance over seeds within a setting, pooled over the settings, points²; NaN with a single seed."""
    residuals, freedom = seed_residuals(settings)
    return float(np.nansum(np.square(residuals)) / freedom) if freedom else NAN


def noise_share(settings: Settings) -> float:
    """The share of the variance between the settings' means that seeds alone would make, at most 1.

    NaN with a single seed, and where all means are equal.
    """
    counts = np.isfinite(settings.values).sum(axis=1)
    means = settings.means[counts > 0]
    between = means.var(ddof=1) if len(means) > 1 else 0.0
    by_chance = seed_variance(settings) * np.mean(1 / counts[counts > 0])
    return float(np.minimum(1.0, by_chance / between)) if between > 0 else NAN
