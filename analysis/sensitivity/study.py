"""Every sensitivity analysis of a study, in one value: what a sensitivity report is made of.

Methods of which one setting was run have nothing to be sensitive to; they are named and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import ceil

import numpy as np
import pandas as pd

from analysis.results import accuracies
from analysis.results import level as levels
from analysis.sensitivity.numbers import (
    Ablation,
    Anova,
    BudgetCurve,
    Effects,
    Importances,
    Neighbourhood,
    RankStability,
    RobustnessProfile,
    Settings,
    Transfer,
    Tunability,
    VarianceDecomposition,
    ablation_path,
    anova,
    declared_defaults,
    expected_best,
    importances,
    main_effects,
    pairwise_effect,
    ped_anova_importances,
    rank_stability,
    read_settings,
    robustness_profile,
    tail_of_neighbourhoods,
    transfer,
    tunability,
    variance_decomposition,
)
from analysis.statistics.estimate import ALPHA, NAN, percent
from trainables.errors import ConfigError, StoreError, choose
from trainables.hyperparameters import Scalar

MOST_FOREST_SETTINGS = 500
"""fANOVA grows with the square of the settings; beyond, only PED-ANOVA is made off a full grid."""
SURFACES = 3
"""Pairs of hyperparameters drawn for a method: those of the largest interactions, or of the largest importances."""
_PED_WORK = 600_000
"""Settings times shuffles that PED-ANOVA is given."""
_MOST_SHUFFLES = 2_000


@dataclass(frozen=True, eq=False)
class MethodSensitivity:
    """All of one method on one data set. What needs a default is None where none is known or it was not run.

    More of the values in ``settings`` is better: where less of ``column`` is, they are negative, and ``recorded`` turns
    them around for people.
    """

    column: str
    alpha: float
    settings: Settings
    default: Mapping[str, Scalar] | None
    importances: Importances | None
    """Exact or fANOVA; None off a full grid of more than MOST_FOREST_SETTINGS settings."""
    ped_anova: Importances
    anova: Anova | None
    effects: Effects
    surfaces: dict[tuple[str, str], Effects]
    profile: RobustnessProfile
    budget: BudgetCurve
    neighbourhood: Neighbourhood
    tunability: Tunability | None
    ablation: Ablation | None

    @property
    def name(self) -> str:
        return self.settings.method

    def recorded(self, frame: pd.DataFrame, *levels: str) -> pd.DataFrame:
        """``frame`` with the columns ``levels``, and its interval low to high, as they were recorded."""
        sign = accuracies.sign(self.column)
        turned = {name: sign * frame[name] for name in levels}
        low, high = ("low", "high") if sign > 0 else ("high", "low")
        return frame.assign(**turned, low=sign * frame[low], high=sign * frame[high])


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """A study in one value."""

    column: str
    alpha: float
    """The level of tests; intervals are of 1 - ``alpha``."""
    methods: list[MethodSensitivity]
    constant: list[str]
    """Methods with one setting."""
    unknown: list[str]
    """Methods none of whose trials has the value."""
    variance: VarianceDecomposition
    stability: RankStability | None
    transfers: dict[str, Transfer]
    datasets: list[str]
    """Values with which transfer was looked at."""

    @property
    def interval(self) -> str:
        """``95 % interval``."""
        return f"{percent(1 - self.alpha)} interval"

    @property
    def title(self) -> str:
        return accuracies.title(self.column)


def analyse(
    trials: pd.DataFrame,
    column: str,
    *,
    alpha: float = ALPHA,
    method: str | None = None,
    default: Mapping[str, Scalar] | None = None,
    datasets: list[str] | None = None,
    shared_seeds: bool = True,
    seed: int = 0,
) -> Sensitivity:
    """Analyse ``method``, or every method of which several settings were run, in ``column``.

    ``default`` takes the place of the declared default of every method that has its hyperparameters; ``datasets`` are
    the columns of the same value on every data set; ``shared_seeds``: equal seeds are claimed to draw the same. Tests
    are at ``alpha``, intervals of 1 - ``alpha``. Raises StoreError where no method has two settings with values, or
    ``default`` was not run, and ConfigError where it names what no method varies or leaves out what one does, or
    ``alpha`` is no level.
    """
    level = 1 - levels.checked(alpha)
    generator = np.random.default_rng(seed)
    known = list(dict.fromkeys(trials["method"].astype(str)))
    if method is not None and method not in known:
        raise StoreError(choose("method", method, known))
    chosen = [name for name in sorted(known) if method in (None, name)]
    read = {name: _read(trials, name, column, shared_seeds) for name in chosen}
    varied = {name: s for name, s in read.items() if s is not None and len(s.table) > 1}
    if not varied:
        raise StoreError(
            f"a sensitivity report needs a method with two or more settings that have a {accuracies.title(column)}, "
            f"but {', '.join(chosen)} {'has' if len(chosen) == 1 else 'have'} one each; {_instead(trials, chosen)}"
        )
    if default is not None:
        _check_default(default, list(varied.values()))
    columns = [c for c in datasets or [] if accuracies.is_known(trials, c)]
    transfers = {}
    for name in varied if len(columns) > 1 else ():
        each = [s for s in (_read(trials, name, c, shared_seeds) for c in columns) if s is not None]
        if len(each) > 1:
            transfers[name] = transfer(each, generator, level)
    methods = list(varied.values())
    return Sensitivity(
        column=column,
        alpha=alpha,
        methods=[_analyse(column, settings, default, generator, alpha) for settings in methods],
        constant=[name for name in chosen if name not in varied and read[name] is not None],
        unknown=[name for name in chosen if read[name] is None],
        variance=variance_decomposition(methods, generator, level),
        stability=rank_stability(methods, generator) if len(methods) > 1 else None,
        transfers=transfers,
        datasets=columns,
    )


def _read(trials: pd.DataFrame, method: str, column: str, shared_seeds: bool) -> Settings | None:
    """The settings of one method in one value; None where no trial has it."""
    rows = trials[trials["method"] == method]
    rows = rows.assign(dataset=accuracies.title(column), **{column: accuracies.better(rows, column)})
    return read_settings(rows, column, shared_seeds=shared_seeds) if rows[column].notna().any() else None


def _instead(trials: pd.DataFrame, methods: list[str]) -> str:
    """Which values would do."""
    own = trials[trials["method"].isin(methods)]
    hyperparameters = [name for name in own.columns if name.startswith("hp.")]
    fitting = []
    for column in accuracies.known(own):
        settings = own.loc[accuracies.better(own, column).notna(), ["method", *hyperparameters]].drop_duplicates()
        if settings["method"].duplicated().any():
            fitting.append(column)
    return f"choose one of these with --column: {', '.join(fitting)}" if fitting else "run a study with a grid"


def _check_default(given: Mapping[str, Scalar], varied: list[Settings]) -> None:
    known = {name for settings in varied for name in (*settings.names, *settings.fixed)}
    for name in given:
        if name not in known:
            raise ConfigError(f"--default: {choose('hyperparameter', name, known)}")
    for settings in varied:
        named, missing = set(settings.names) & set(given), set(settings.names) - set(given)
        if named and missing:
            raise ConfigError(
                f"--default names a whole setting, but of {settings.method} it names {', '.join(sorted(named))} and "
                "not "
                f"{', '.join(sorted(missing))}; name all, or choose another method with --method"
            )
        for name, value in settings.fixed.items():
            if name in given and given[name] != value:
                raise ConfigError(
                    f"--default names a setting that was run, but {name} of {settings.method} was {value!r} only, and "
                    f"not {given[name]!r}; leave it out"
                )


def _analyse(
    column: str, settings: Settings, given: Mapping[str, Scalar] | None, generator: np.random.Generator, alpha: float
) -> MethodSensitivity:
    default, level = declared_defaults(settings), 1 - alpha
    if given is not None and set(settings.names) <= set(given):
        default = settings.setting(settings.position(given))
    count = len(settings.table)
    exact = settings.is_full_grid
    decomposition = anova(settings, level) if exact else None
    found = importances(settings, generator, alpha) if exact or count <= MOST_FOREST_SETTINGS else None
    # So many that the smallest p that shuffles can give is below the level after Holm, up to five hyperparameters.
    fewest = min(ceil(min(max(len(settings.names), 1), 5) / alpha), _MOST_SHUFFLES)
    shuffles = int(np.clip(_PED_WORK // count, fewest, max(fewest, 200)))
    ped = ped_anova_importances(settings, generator, alpha, permutations=shuffles)
    effects = main_effects(settings, generator, level)
    pairs = _largest_pairs(settings, decomposition, found or ped) if not effects.table.empty else []
    return MethodSensitivity(
        column=column,
        alpha=alpha,
        settings=settings,
        default=default,
        importances=found,
        ped_anova=ped,
        anova=decomposition,
        effects=effects,
        surfaces={pair: pairwise_effect(settings, *pair, generator, level) for pair in pairs},
        profile=robustness_profile(settings, generator, level),
        budget=expected_best(settings, generator, level),
        neighbourhood=tail_of_neighbourhoods(settings, default, generator, level),
        tunability=tunability(settings, default, generator, level) if default is not None else None,
        ablation=ablation_path(settings, default, level) if default is not None and settings.n else None,
    )


def _largest_pairs(settings: Settings, decomposition: Anova | None, found: Importances) -> list[tuple[str, str]]:
    if decomposition is not None:
        terms = decomposition.terms
        pairs = terms[terms["names"].map(len) == 2].sort_values("share", ascending=False, kind="stable")
        return [(names[0], names[1]) for names in pairs["names"].head(SURFACES)]
    ranked = [name for name in found.table["hyperparameter"] if name in settings.names]
    return list(combinations(ranked[:SURFACES], 2))


def largest(found: Importances) -> pd.Series:
    """The row of the hyperparameter of the largest importance; all NaN where nothing was computed."""
    table = found.table.dropna(subset="importance")
    return table.iloc[0] if len(table) else pd.Series({"hyperparameter": "", "importance": NAN, "p": NAN})
