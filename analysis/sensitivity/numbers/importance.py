"""How much each hyperparameter matters: shares that are not forced to sum to 1, with what pure chance would give.

On a full grid the shares are exact (``grid``). Otherwise fANOVA estimates them with a random forest. PED-ANOVA answers
another question, which hyperparameters decide whether a setting is among the best, so its numbers differ by design.
Settings should come from a grid or be drawn at random: an optimiser's trials say where it went.

The null band is what the same computation gives when whole settings are shuffled, so that no hyperparameter matters:
on 20 settings of noise, importances that are normalised to 1 name a winner at .55 to .85.

Sources: Hutter, Hoos and Leyton-Brown, ICML 2014 (fANOVA); Watanabe, Bansal and Hutter, "PED-ANOVA", IJCAI 2023;
Phipson and Smyth, "Permutation p-values should never be zero", 2010.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.sensitivity.numbers.grid import effect_sums, subsets_of
from analysis.sensitivity.numbers.jackknife import Bands, jackknife, no_bands
from analysis.sensitivity.numbers.noise import noise_share
from analysis.sensitivity.numbers.optuna_importance import OptunaImportance
from analysis.sensitivity.numbers.settings import Settings, seed_means
from analysis.sensitivity.numbers.surrogate import TREES, held_out_r2
from analysis.statistics.estimate import LEVEL, NAN, FloatArray, too_few

MINIMUM_SETTINGS = 10
TOP = 5
"""PED-ANOVA needs so many settings among the best, as Optuna advises."""
NULL_TREES = 16
"""Shuffled means get a smaller forest: the 95 % quantile of the null is the same or a little higher."""
EXACT, FANOVA, PED_ANOVA = "exact ANOVA", "fANOVA", "PED-ANOVA"


@dataclass(frozen=True, eq=False)
class Importances:
    """The importance of each hyperparameter of one method on one data set.

    ``table``: hyperparameter, importance (largest first), low, high (over seeds), null (the 95 % quantile of the
    importance where nothing matters), p (of that null). A hyperparameter that does not vary has importance 0.
    """

    evaluator: str
    table: pd.DataFrame
    unexplained: float
    """Share of the variance between settings that no single hyperparameter has: interactions, and what a surrogate
    misses. NaN for PED-ANOVA, whose numbers are no shares."""
    noise: float
    """Share of the variance between settings that seeds alone make, whatever the hyperparameters; NaN for one seed."""
    r2: float
    """Held-out R² of the surrogate; NaN where there is none."""
    settings: int
    n: int
    method: str
    note: str = ""


def importances(settings: Settings, generator: np.random.Generator) -> Importances:
    """Shares of the variance between settings: exact on a full grid, by fANOVA elsewhere."""
    return (exact_importances if settings.is_full_grid else fanova_importances)(settings, generator)


def exact_importances(settings: Settings, generator: np.random.Generator, *, permutations: int = 200) -> Importances:
    """Exact main-effect shares of the variance between the settings' means. Raises StoreError off a full grid."""
    settings.grid()
    subsets = subsets_of(len(settings.names), order=1)

    def shares(means: FloatArray) -> FloatArray:
        return effect_sums(means.reshape(settings.levels), subsets) / (means.size * means.var())

    method = f"exact ANOVA of all {len(settings.table)} combinations, main effects"
    return _evaluate(_Evaluator(EXACT, method, shares, shares, (0, 1)), settings, generator, permutations)


def fanova_importances(
    settings: Settings, generator: np.random.Generator, *, permutations: int = 50, trees: int = TREES
) -> Importances:
    """Main-effect shares of the variance that a random forest of ``trees`` trees finds between the settings' means.

    One forest is needed for each seed and a smaller one, of NULL_TREES trees, for each permutation. The time grows with
    the square of the settings: about 3 s for 64 trees at 300 settings.
    """
    seed = int(generator.integers(2**31))
    study = OptunaImportance(settings)
    method = f"fANOVA (Optuna, {trees} trees) of {_known(settings)} settings, main effects"
    evaluator = _Evaluator(
        FANOVA,
        method,
        statistic=lambda means: study.fanova(means, trees, seed),
        null=lambda means: study.fanova(means, min(trees, NULL_TREES), seed),
        bounds=(0, 1),
        r2=held_out_r2(settings.unit, settings.means, seed, trees),
    )
    return _evaluate(evaluator, settings, generator, permutations)


def ped_anova_importances(
    settings: Settings, generator: np.random.Generator, *, permutations: int = 200, quantile: float = 0.1
) -> Importances:
    """Which hyperparameters decide whether a setting is among the best ``quantile``, at least the best five.

    The numbers are divergences times quantile², comparable within one call only. Each shuffle takes about 10 ms at 300
    settings and 1 s at 30,000.
    """
    top = max(quantile, TOP / max(_known(settings), MINIMUM_SETTINGS))
    study = OptunaImportance(settings)
    method = f"PED-ANOVA (Optuna) of {_known(settings)} settings, best {100 * top:.3g} % against all, not normalised"

    def divergences(means: FloatArray) -> FloatArray:
        return study.ped_anova(means, top)

    evaluator = _Evaluator(PED_ANOVA, method, divergences, divergences, (0, np.inf))
    return _evaluate(evaluator, settings, generator, permutations)


@dataclass(frozen=True)
class _Evaluator:
    name: str
    method: str
    statistic: Callable[[FloatArray], FloatArray]
    """Means [H], not all equal -> importances [p]."""
    null: Callable[[FloatArray], FloatArray]
    """The same on shuffled means; may be cheaper."""
    bounds: tuple[float, float]
    r2: float = NAN


def _evaluate(
    evaluator: _Evaluator, settings: Settings, generator: np.random.Generator, permutations: int
) -> Importances:
    means, known = settings.means, np.isfinite(settings.means)

    def observed(values: FloatArray) -> FloatArray:
        return _unless_flat(evaluator.statistic, seed_means(values), len(settings.names))

    def by_chance() -> FloatArray:
        shuffled = means.copy()
        shuffled[known] = generator.permutation(means[known])
        return _unless_flat(evaluator.null, shuffled, len(settings.names))

    if evaluator.name != EXACT and known.sum() < MINIMUM_SETTINGS:
        note = f"{evaluator.name} {too_few(MINIMUM_SETTINGS, int(known.sum()), 'settings')}"
        found, permutations = no_bands((len(settings.names),), settings.n, note), 0
    else:
        found = jackknife(settings.values, observed, bounds=evaluator.bounds)
    null = np.array([by_chance() for _ in range(permutations)]).reshape(permutations, len(settings.names))
    flat = not known.any() or np.ptp(means[known]) == 0
    unexplained = NAN if flat or evaluator.name == PED_ANOVA else float(1 - found.estimate.sum())
    if permutations:
        method = f"{evaluator.method}; {found.method}; null and p from {permutations} shuffles of the settings"
    else:
        method = f"{found.note}: not computed"
    return Importances(
        evaluator=evaluator.name,
        table=_table(settings, found, null),
        unexplained=unexplained,
        noise=noise_share(settings),
        r2=evaluator.r2,
        settings=int(known.sum()),
        n=settings.n,
        method=method,
        note="all settings have the same mean" if flat else found.note,
    )


def _unless_flat(statistic: Callable[[FloatArray], FloatArray], means: FloatArray, count: int) -> FloatArray:
    """Where all means are equal, or nothing varies, nothing matters."""
    flat = count == 0 or np.nanmax(means) == np.nanmin(means)
    return np.zeros(count) if flat else statistic(means)


def _table(settings: Settings, found: Bands, null: FloatArray) -> pd.DataFrame:
    """``null`` is [permutations, p]. The hyperparameters that do not vary come last."""
    none = np.full(len(settings.names), NAN)
    varying = pd.DataFrame(
        {
            "hyperparameter": list(settings.names),
            "importance": found.estimate,
            "low": found.low,
            "high": found.high,
            "null": np.quantile(null, LEVEL, axis=0) if len(null) else none,
            "p": (1 + (null >= found.estimate - 1e-12).sum(axis=0)) / (1 + len(null)) if len(null) else none,
        }
    )
    constant = pd.DataFrame({"hyperparameter": sorted(settings.fixed), "importance": 0.0, "low": 0.0, "high": 0.0})
    varying = varying.sort_values("importance", ascending=False, kind="stable")
    parts = [part for part in (varying, constant) if len(part)] or [varying]
    return pd.concat(parts, ignore_index=True).reindex(columns=varying.columns)


def _known(settings: Settings) -> int:
    """Settings with at least one value."""
    return int(np.isfinite(settings.means).sum())
