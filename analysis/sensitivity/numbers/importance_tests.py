"""Whether a hyperparameter matters, whatever the others do: the test beside its importance.

Each hyperparameter has a null hypothesis of its own, that its levels share one mean; what another one does is no part
of it. Shuffling whole settings would test that nothing matters at all, and beside a strong hyperparameter a weak one
could never pass.

    every combination run, two seeds or more     F = MS_j / MS_within, exact for normal seeds
    otherwise                                    F of leaving j out of an additive model of the settings' means

Seeds that never differ tell no more than one does. The additive model has a step for every level where all combinations
were run, else a parabola for a number; what interactions do is noise to it, so it errs on the side of finding nothing.
p-values are after Holm's correction over the hyperparameters of the method.

Sources: Scheffé, "The Analysis of Variance", 1959 (both F tests); Holm 1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.sensitivity.numbers.grid import effect_sums, mean_square_within, subsets_of
from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import ALPHA, NAN, FloatArray
from analysis.statistics.multiplicity import adjust


@dataclass(frozen=True, eq=False)
class MainEffects:
    """Of every varying hyperparameter, [p]."""

    p: FloatArray
    """After Holm; NaN where there is nothing to test against."""
    by_chance: FloatArray
    """The share of the variance between settings that it exceeds in a share alpha of cases if it does not matter."""
    method: str


def tests_of_each(settings: Settings, alpha: float = ALPHA) -> MainEffects:
    """Test every hyperparameter of ``settings`` for a main effect."""
    if settings.is_full_grid and settings.n > 1 and np.ptp(settings.values, axis=1).any():
        sums, df, square, rest = _against_seeds(settings)
        method = "F test against the seeds within settings"
    else:
        sums, df, square, rest = _against_an_additive_model(settings)
        method = "F test of an additive model of the settings"
    means = settings.means[np.isfinite(settings.means)]
    between = len(means) * float(means.var()) if len(means) else 0.0
    if rest < 1 or between == 0:
        nothing = np.full(len(sums), NAN)
        return MainEffects(nothing, nothing, f"{method}: none, for nothing is left to test against")
    with np.errstate(divide="ignore", invalid="ignore"):  # seeds that all agree
        p = stats.f.sf(sums / df / square, df, rest)
    by_chance = np.minimum(stats.f.isf(alpha, df, rest) * df * square / between, 1.0)
    holm = f", Holm over {len(sums)}" if len(sums) > 1 else ""
    return MainEffects(adjust(p).p, by_chance, f"{method}{holm}")


def _against_seeds(settings: Settings) -> tuple[FloatArray, FloatArray, float, int]:
    """Sums of squares of the settings' means [p], their degrees of freedom, the error of a mean, and its freedom."""
    subsets = subsets_of(len(settings.names), order=1)
    df = np.array(settings.levels, dtype=float) - 1
    error = float(mean_square_within(settings.values)) / settings.n
    return (
        effect_sums(settings.means.reshape(settings.levels), subsets),
        df,
        error,
        settings.values.size - len(settings.values),
    )


def _against_an_additive_model(settings: Settings) -> tuple[FloatArray, FloatArray, float, int]:
    known = np.isfinite(settings.means)
    means, one = settings.means[known], np.ones((int(known.sum()), 1))
    parts = [part[known] for part in _columns(settings)]
    residual, rank = _residual(np.hstack([one, *parts]), means)
    rest = len(means) - rank
    sums, df = [], []
    for j in range(len(parts)):
        without, smaller = _residual(np.hstack([one, *parts[:j], *parts[j + 1 :]]), means)
        sums.append(max(without - residual, 0.0))
        df.append(max(rank - smaller, 1))
    return np.array(sums), np.array(df, dtype=float), residual / max(rest, 1), rest


def _columns(settings: Settings) -> list[FloatArray]:
    """What stands for each hyperparameter in the model, [H, columns]."""
    parts = []
    for place, described in enumerate(settings.hyperparameters):
        if described.scale == "categorical" or settings.is_complete or len(described.levels) < 3:
            codes = settings.codes[:, place]
            parts.append((codes[:, None] == np.arange(1, len(described.levels))).astype(float))
        else:
            unit = settings.unit[:, place]
            parts.append(np.stack([unit, unit**2], axis=1))
    return parts


def _residual(design: FloatArray, means: FloatArray) -> tuple[float, int]:
    """The sum of squares that ``design`` leaves over, and its rank."""
    fit, _, rank, _ = np.linalg.lstsq(design, means, rcond=None)
    return float(np.square(means - design @ fit).sum()), int(rank)
