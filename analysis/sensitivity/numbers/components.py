"""How much of all variance is between methods, between settings of a method, and between seeds.

    y[k, h, s] = mean + method_k + setting_kh + seed_s + error_khs,    seed_s only where all settings share the seeds

Where every setting has all n seeds, it is solved by moments (K methods with H_k settings, H in all):

    seeds shared    error = MS_e,  seed = (MS_s - MS_e) / H,  setting = (MS_h - MS_e) / n,  method = (MS_m - MS_h) / nh
    not shared      error = MS_within, setting = (MS_h - MS_within) / n,                    method = (MS_m - MS_h) / nh
    h = (H - sum H_k² / H) / (K - 1), which is the number of settings of each method if all have as many

and the intervals are generalised confidence intervals, from chi-squared draws of the mean squares; that of the method
is exact with equal H_k only. Other designs are fitted by REML (statsmodels), without intervals. A negative moment is
shown as 0 with its raw value beside it, and a component on the boundary of REML is named. Methods are compared with
their settings (F = MS_m / MS_h), not with seeds: what is known of a method is limited by the settings tried.

Sources: Searle, Casella and McCulloch, "Variance Components", 1992, chapters 3, 4 and 6; Weerahandi, "Generalized
confidence intervals", JASA 1993.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import LEVEL, NAN, RESAMPLES, FloatArray, HypothesisTest, percent, too_few
from trainables.errors import StoreError

LARGEST = 2_000
"""REML factors a matrix of so many values squared; beyond, it takes minutes."""
METHOD, SETTING, SEED, ERROR = "method", "setting", "shared seed", "seed within setting"


@dataclass(frozen=True, eq=False)
class VarianceDecomposition:
    """``table``, one row a component: component, variance (points²), raw (before negative ones became 0), share (of the
    sum), low, high (of the share). ``test``: whether methods differ by more than their settings do."""

    table: pd.DataFrame
    test: HypothesisTest
    method: str
    note: str = ""


def variance_decomposition(
    methods: Sequence[Settings], generator: np.random.Generator, level: float = LEVEL
) -> VarianceDecomposition:
    """Decompose the values of one or more methods on one data set. Raises StoreError where it is more than one."""
    if len({settings.dataset for settings in methods}) != 1:
        found = sorted({settings.dataset for settings in methods})
        raise StoreError(f"variance is decomposed on one data set, but the methods have {found}; select one")
    shared = all(s.shared_seeds for s in methods) and len({s.seeds for s in methods}) == 1
    values = [settings.values for settings in methods]
    if len({of_method.shape[1] for of_method in values}) == 1 and not any(np.isnan(v).any() for v in values):
        return _by_moments(values, shared, generator, level)
    return _by_reml(methods, shared)


def mean_squares(values: Sequence[FloatArray], shared: bool) -> tuple[dict[str, float], dict[str, int]]:
    """Mean squares of values [H_k, n] of each method and their degrees of freedom, without those that have none."""
    every = np.concatenate(values)
    settings, n = every.shape
    grand, of_setting = every.mean(), every.mean(axis=1)
    of_method = np.concatenate([np.full(len(part), part.mean()) for part in values])
    sums = {
        METHOD: n * np.square(of_method - grand).sum(),
        SETTING: n * np.square(of_setting - of_method).sum(),
        SEED: settings * np.square(every.mean(axis=0) - grand).sum() if shared else 0.0,
        ERROR: np.square(every - of_setting[:, None]).sum(),
    }
    sums[ERROR] -= sums[SEED]
    freedom = {METHOD: len(values) - 1, SETTING: settings - len(values), SEED: (n - 1) * shared}
    freedom[ERROR] = settings * (n - 1) - freedom[SEED]
    kept = {name: df for name, df in freedom.items() if df > 0}
    return {name: float(sums[name] / df) for name, df in kept.items()}, kept


def moments(squares: Mapping[str, Any], counts: Sequence[int], n: int) -> dict[str, Any]:
    """Each component by the mean squares that contain it, which may be arrays of draws; ``counts`` are the H_k."""
    found: dict[str, Any] = {}
    below = squares[ERROR]
    if SEED in squares:
        found[SEED] = (squares[SEED] - below) / sum(counts)
    if SETTING in squares:
        found[SETTING] = (squares[SETTING] - below) / n
        below = squares[SETTING]
    if METHOD in squares:
        typical = (sum(counts) - sum(count**2 for count in counts) / sum(counts)) / (len(counts) - 1)
        found[METHOD] = (squares[METHOD] - below) / (n * typical)
    return {name: found[name] for name in (METHOD, SETTING, SEED) if name in found} | {ERROR: squares[ERROR]}


def _by_moments(
    values: Sequence[FloatArray], shared: bool, generator: np.random.Generator, level: float
) -> VarianceDecomposition:
    counts, n = [len(of_method) for of_method in values], values[0].shape[1]
    squares, freedom = mean_squares(values, shared and sum(counts) > 1)
    if ERROR not in squares:
        return _nothing(f"settings and seeds cannot be told apart: {too_few(2, n, 'seeds')}")
    raw = moments(squares, counts, n)
    drawn = {
        name: square * freedom[name] / generator.chisquare(freedom[name], RESAMPLES) for name, square in squares.items()
    }
    possible = np.maximum(np.array(list(moments(drawn, counts, n).values())), 0.0)
    total = possible.sum(axis=0)
    shares = np.divide(possible, total, out=np.full_like(possible, NAN), where=total > 0)
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2], axis=1)
    equal = len(set(counts)) == 1
    each = f"{counts[0]} settings" if equal else f"{min(counts)} to {max(counts)} settings"
    method = (
        f"analysis of variance of {len(counts)} × {each} × {n} seeds, {'' if SEED in raw else 'not '}shared by all "
        f"settings; shares with {percent(level)} generalised confidence intervals"
        f"{'' if equal else ', that of the method approximate'}"
    )
    test = _f_test(squares, freedom, sum(counts))
    return VarianceDecomposition(_table(raw, low, high), test, method, _negative(raw))


def _by_reml(methods: Sequence[Settings], shared: bool) -> VarianceDecomposition:
    known = [np.nonzero(np.isfinite(settings.values)) for settings in methods]
    values = np.concatenate([settings.values[cells] for settings, cells in zip(methods, known, strict=True)])
    offsets = np.cumsum([0, *(len(settings.table) for settings in methods[:-1])])
    labels = {
        METHOD: np.repeat(np.arange(len(methods)), [len(rows) for rows, _ in known]),
        SETTING: np.concatenate([rows + offset for (rows, _), offset in zip(known, offsets, strict=True)]),
        SEED: np.concatenate([columns for _, columns in known]),
    }
    levels = {name: np.unique(label) for name, label in labels.items() if name != SEED or shared}
    levels = {name: found for name, found in levels.items() if 1 < len(found) < len(values)}
    if METHOD in levels and SETTING in levels and len(levels[METHOD]) == len(levels[SETTING]):
        del levels[SETTING]  # one setting a method
    if len(values) > LARGEST:
        return _nothing(f"a design with gaps is fitted up to {LARGEST:,} values, but there are {len(values):,}")
    if not levels.keys() & {METHOD, SETTING} or np.ptp(values) == 0:
        return _nothing("settings and seeds cannot be told apart: no setting has two seeds, or no value differs")
    scale = values.std()
    mats = [[(labels[name][:, None] == found).astype(float)] for name, found in levels.items()]
    parts = VCSpec(list(levels), [[[str(level) for level in found]] for found in levels.values()], mats)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a component on the boundary; it is named below
        standard, one = (values - values.mean()) / scale, np.ones(len(values))
        # Gradient methods, statsmodels' default, stall before they reach a boundary.
        fit = MixedLM(standard, one, groups=one, exog_vc=parts).fit(reml=True, method="powell")
    variances = scale**2 * np.append(fit.vcomp, fit.scale)
    raw = dict(zip([*levels, ERROR], variances.tolist(), strict=True))
    boundary = [name for name, variance in raw.items() if variance < 1e-4 * variances.sum()]
    notes = [f"no variance was found for {', '.join(boundary)}: on the boundary"] if boundary else []
    notes += [] if fit.converged else ["statsmodels did not converge: do not rely on these numbers"]
    method = f"mixed model by REML (statsmodels) of {len(values)} values, some are missing; no intervals"
    nothing = np.full(len(raw), NAN)
    test = HypothesisTest(
        NAN, NAN, 0, "F test of methods against their settings", note="needs all seeds of every setting"
    )
    return VarianceDecomposition(_table(raw, nothing, nothing), test, method, "; ".join(notes))


def _table(raw: Mapping[str, float], low: FloatArray, high: FloatArray) -> pd.DataFrame:
    variance = np.maximum(list(raw.values()), 0.0)
    total = variance.sum()
    share = variance / total if total > 0 else np.full(len(variance), NAN)
    return pd.DataFrame(
        {
            "component": list(raw),
            "variance": variance,
            "raw": list(raw.values()),
            "share": share,
            "low": low,
            "high": high,
        }
    )


def _f_test(squares: Mapping[str, float], freedom: Mapping[str, int], settings: int) -> HypothesisTest:
    method = "F test of methods against their settings"
    if METHOD not in squares or SETTING not in squares:
        return HypothesisTest(NAN, NAN, settings, method, note="needs two methods, and two settings of each")
    if squares[SETTING] == 0:
        return HypothesisTest(NAN, NAN, settings, method, note="the settings do not differ")
    f = squares[METHOD] / squares[SETTING]
    return HypothesisTest(float(stats.f.sf(f, freedom[METHOD], freedom[SETTING])), f, settings, method)


def _negative(raw: Mapping[str, float]) -> str:
    below = [name for name, variance in raw.items() if variance < 0]
    return f"negative, so shown as 0: {', '.join(below)}" if below else ""


def _nothing(note: str) -> VarianceDecomposition:
    columns = ["component", "variance", "raw", "share", "low", "high"]
    test = HypothesisTest(NAN, NAN, 0, "F test of methods against their settings", note=note)
    return VarianceDecomposition(pd.DataFrame(columns=columns), test, "not computed", note)
