"""How much each hyperparameter matters: shares that are not forced to sum to 1, with a test of each.

On a full grid the shares are exact (``grid``). Otherwise fANOVA estimates them with a random forest. PED-ANOVA answers
another question, which hyperparameters decide whether a setting is among the best, so its numbers differ by design.
Settings should come from a grid or be drawn at random: an optimiser's trials say where it went.

Beside a share stands the test of that hyperparameter (``importance_tests``) and the share that chance gives it in one
case of 1 / alpha, twenty unless told otherwise. PED-ANOVA's null is its own: the same number when whole settings are
shuffled, so that the best are any. On 20 settings of noise, importances that are normalised to 1 name a winner at .55
to .85.

Sources: Hutter, Hoos and Leyton-Brown, ICML 2014 (fANOVA); Watanabe, Bansal and Hutter, "PED-ANOVA", IJCAI 2023;
Phipson and Smyth, "Permutation p-values should never be zero", 2010.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.sensitivity.numbers.grid import effect_sums, subsets_of
from analysis.sensitivity.numbers.importance_tests import MainEffects, tests_of_each
from analysis.sensitivity.numbers.jackknife import Bands, jackknife, no_bands
from analysis.sensitivity.numbers.noise import noise_share
from analysis.sensitivity.numbers.optuna_importance import OptunaImportance
from analysis.sensitivity.numbers.settings import Settings, seed_means
from analysis.sensitivity.numbers.surrogate import TREES, held_out_r2
from analysis.statistics.estimate import ALPHA, NAN, FloatArray, too_few
from analysis.statistics.multiplicity import adjust

MINIMUM_SETTINGS = 10
TOP = 5
"""PED-ANOVA needs so many settings among the best, as Optuna advises."""
EXACT, FANOVA, PED_ANOVA = "exact ANOVA", "fANOVA", "PED-ANOVA"


@dataclass(frozen=True, eq=False)
class Importances:
    """The importance of each hyperparameter of one method on one data set.

    ``table``: hyperparameter, importance (largest first), low, high (over seeds), null (the importance that chance
    gives it in one case of 1 / alpha; NaN for fANOVA), p (after Holm over the hyperparameters). One that does not
    vary has importance 0.
    """

    evaluator: str
    table: pd.DataFrame
    unexplained: float
    """Share of the variance between settings that no single hyperparameter has: interactions, and what a surrogate
    misses. NaN for PED-ANOVA, whose numbers are no shares."""
    noise: float
    """Share of the variance between settings that seeds alone make, whatever the hyperparameters; NaN for one seed."""
    settings: int
    n: int
    method: str
    smallest_p: float = 0.0
    """The smallest p, after Holm, that the shuffles behind it could give; 0 where there are none."""
    note: str = ""


def importances(settings: Settings, generator: np.random.Generator, alpha: float = ALPHA) -> Importances:
    """Shares of the variance between settings: exact on a full grid, by fANOVA elsewhere."""
    return (
        exact_importances(settings, alpha) if settings.is_full_grid else fanova_importances(settings, generator, alpha)
    )


def exact_importances(settings: Settings, alpha: float = ALPHA) -> Importances:
    """Exact main-effect shares of the variance between the settings' means. Raises StoreError off a full grid."""
    settings.grid()
    subsets = subsets_of(len(settings.names), order=1)

    def shares(means: FloatArray) -> FloatArray:
        return effect_sums(means.reshape(settings.levels), subsets) / (means.size * means.var())

    method = f"exact ANOVA of all {len(settings.table)} combinations, main effects"
    return _tested(_Evaluator(EXACT, method, shares, (0, 1)), settings, alpha)


def fanova_importances(
    settings: Settings, generator: np.random.Generator, alpha: float = ALPHA, *, trees: int = TREES
) -> Importances:
    """Main-effect shares of the variance that a random forest of ``trees`` trees finds between the settings' means.

    One forest is needed for each seed. The time grows with the square of the settings: about 3 s for 64 trees at 300
    settings.
    """
    seed = int(generator.integers(2**31))
    study = OptunaImportance(settings)
    r2 = held_out_r2(settings.unit, settings.means, seed, trees)
    method = f"fANOVA (Optuna, {trees} trees, held-out R² {r2:.2f}) of {_known(settings)} settings, main effects"
    evaluator = _Evaluator(
        FANOVA,
        method,
        statistic=lambda means: study.fanova(means, trees, seed),
        bounds=(0, 1),
    )
    return _tested(evaluator, settings, alpha)


def ped_anova_importances(
    settings: Settings,
    generator: np.random.Generator,
    alpha: float = ALPHA,
    *,
    permutations: int = 200,
    quantile: float = 0.1,
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

    return _shuffled(_Evaluator(PED_ANOVA, method, divergences, (0, np.inf)), settings, generator, alpha, permutations)


@dataclass(frozen=True)
class _Evaluator:
    name: str
    method: str
    statistic: Callable[[FloatArray], FloatArray]
    """Means [H], not all equal -> importances [p]."""
    bounds: tuple[float, float]


def _tested(evaluator: _Evaluator, settings: Settings, alpha: float) -> Importances:
    """With the tests of the main effects."""
    if evaluator.name != EXACT and _known(settings) < MINIMUM_SETTINGS:
        return _refused(evaluator, settings)
    tests = tests_of_each(settings, alpha)
    if evaluator.name != EXACT:  # a forest's shares are not those of the model
        tests = MainEffects(tests.p, np.full(len(settings.names), NAN), tests.method)
    return _evaluate(evaluator, settings, tests.p, tests.by_chance, f"p of the {tests.method}", 1 - alpha)


def _shuffled(
    evaluator: _Evaluator, settings: Settings, generator: np.random.Generator, alpha: float, permutations: int
) -> Importances:
    """With a null of ``permutations`` shuffles of whole settings."""
    means, known, count = settings.means, np.isfinite(settings.means), len(settings.names)
    if known.sum() < MINIMUM_SETTINGS:
        return _refused(evaluator, settings)

    def by_chance() -> FloatArray:
        shuffled = means.copy()
        shuffled[known] = generator.permutation(means[known])
        return _unless_flat(evaluator.statistic, shuffled, count)

    null = np.array([by_chance() for _ in range(permutations)]).reshape(permutations, count)
    observed = _unless_flat(evaluator.statistic, means, count)
    if not permutations:
        return _evaluate(evaluator, settings, np.full(count, NAN), np.full(count, NAN), "no test", 1 - alpha)
    p = adjust((1 + (null >= observed - 1e-12).sum(axis=0)) / (1 + permutations)).p
    holm = f", Holm over {count}" if count > 1 else ""
    tested = f"null and p from {permutations:,} shuffles of the settings{holm}"
    found = _evaluate(evaluator, settings, p, np.quantile(null, 1 - alpha, axis=0), tested, 1 - alpha)
    return replace(found, smallest_p=min(1.0, count / (1 + permutations)))


def _refused(evaluator: _Evaluator, settings: Settings) -> Importances:
    note = f"{evaluator.name} {too_few(MINIMUM_SETTINGS, _known(settings), 'settings')}"
    found = no_bands((len(settings.names),), settings.n, note)
    nothing = np.full(len(settings.names), NAN)
    table = _table(settings, found, nothing, nothing)
    return Importances(
        evaluator.name, table, NAN, noise_share(settings), _known(settings), settings.n,
        f"{note}: not computed", note=note,
    )  # fmt: skip


def _evaluate(
    evaluator: _Evaluator, settings: Settings, p: FloatArray, null: FloatArray, tested: str, level: float
) -> Importances:
    def observed(values: FloatArray) -> FloatArray:
        return _unless_flat(evaluator.statistic, seed_means(values), len(settings.names))

    means = settings.means[np.isfinite(settings.means)]
    flat = len(means) == 0 or np.ptp(means) == 0
    found = jackknife(settings.values, observed, level, bounds=evaluator.bounds)
    return Importances(
        evaluator=evaluator.name,
        table=_table(settings, found, p, null),
        unexplained=NAN if flat or evaluator.name == PED_ANOVA else float(1 - found.estimate.sum()),
        noise=noise_share(settings),
        settings=len(means),
        n=settings.n,
        method=f"{evaluator.method}; {found.method}; {tested}",
        note="all settings have the same mean" if flat else found.note,
    )


def _unless_flat(statistic: Callable[[FloatArray], FloatArray], means: FloatArray, count: int) -> FloatArray:
    """Where all means are equal, or nothing varies, nothing matters."""
    flat = count == 0 or np.nanmax(means) == np.nanmin(means)
    return np.zeros(count) if flat else statistic(means)


def _table(settings: Settings, found: Bands, p: FloatArray, null: FloatArray) -> pd.DataFrame:
    """The hyperparameters that do not vary come last."""
    varying = pd.DataFrame(
        {
            "hyperparameter": list(settings.names),
            "importance": found.estimate,
            "low": found.low,
            "high": found.high,
            "null": null,
            "p": p,
        }
    )
    constant = pd.DataFrame({"hyperparameter": sorted(settings.fixed), "importance": 0.0, "low": 0.0, "high": 0.0})
    varying = varying.sort_values("importance", ascending=False, kind="stable")
    parts = [part for part in (varying, constant) if len(part)] or [varying]
    return pd.concat(parts, ignore_index=True).reindex(columns=varying.columns)


def _known(settings: Settings) -> int:
    """Settings with at least one value."""
    return int(np.isfinite(settings.means).sum())
