"""How much of all variance is between methods, between settings of a method, and between seeds.

    y[k, h, s] = mean + method_k + setting_kh + seed_s + error_khs,    seed_s only where all settings share the seeds

Balanced designs (K methods with H settings each and n seeds, nothing missing) are solved by moments:

    seeds shared    error = MS_e,  seed = (MS_s - MS_e) / KH,  setting = (MS_h - MS_e) / n,  method = (MS_m - MS_h) / nH
    not shared      error = MS_within, setting = (MS_h - MS_within) / n,                     method = (MS_m - MS_h) / nH

and their intervals are generalised confidence intervals, from chi-squared draws of the mean squares. Other designs are
fitted by REML (statsmodels), without intervals. A negative moment is shown as 0 with its raw value beside it, and a
component on the boundary of REML is named. Methods are compared with their settings (F = MS_m / MS_h), not with seeds:
what is known of a method is limited by the settings tried.

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

from analysis.sensitivity.settings import Settings
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
    balanced: bool
    method: str
    note: str = ""


def variance_decomposition(methods: Sequence[Settings], generator: np.random.Generator) -> VarianceDecomposition:
    """Decompose the values of one or more methods on one data set. Raises StoreError where it is more than one."""
    if len({settings.dataset for settings in methods}) != 1:
        found = sorted({settings.dataset for settings in methods})
        raise StoreError(f"variance is decomposed on one data set, but the methods have {found}; select one")
    shared = all(s.shared_seeds for s in methods) and len({s.seeds for s in methods}) == 1
    shapes = {settings.values.shape for settings in methods}
    if len(shapes) == 1 and not any(np.isnan(settings.values).any() for settings in methods):
        return _by_moments(np.stack([settings.values for settings in methods]), shared, generator)
    return _by_reml(methods, shared)


def mean_squares(values: FloatArray, shared: bool) -> tuple[dict[str, float], dict[str, int]]:
    """Mean squares of values [K, H, n] and their degrees of freedom, by component, without those that have none."""
    methods, settings, n = values.shape
    of_method, of_setting = values.mean(axis=(1, 2)), values.mean(axis=2)
    sums = {
        METHOD: settings * n * np.square(of_method - values.mean()).sum(),
        SETTING: n * np.square(of_setting - of_method[:, None]).sum(),
        SEED: methods * settings * np.square(values.mean(axis=(0, 1)) - values.mean()).sum() if shared else 0.0,
        ERROR: np.square(values - of_setting[:, :, None]).sum(),
    }
    sums[ERROR] -= sums[SEED]
    cells = methods * settings
    freedom = {METHOD: methods - 1, SETTING: methods * (settings - 1), SEED: (n - 1) * shared}
    freedom[ERROR] = cells * (n - 1) - freedom[SEED]
    kept = {name: df for name, df in freedom.items() if df > 0}
    return {name: float(sums[name] / df) for name, df in kept.items()}, kept


def _moments(squares: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """Each component by the mean squares that contain it; those may be arrays of draws."""
    methods, settings, n = shape
    found: dict[str, Any] = {}
    below = squares[ERROR]
    if SEED in squares:
        found[SEED] = (squares[SEED] - below) / (methods * settings)
    if SETTING in squares:
        found[SETTING] = (squares[SETTING] - below) / n
        below = squares[SETTING]
    if METHOD in squares:
        found[METHOD] = (squares[METHOD] - below) / (n * settings)
    return {name: found[name] for name in (METHOD, SETTING, SEED) if name in found} | {ERROR: squares[ERROR]}


def _by_moments(values: FloatArray, shared: bool, generator: np.random.Generator) -> VarianceDecomposition:
    squares, freedom = mean_squares(values, shared and values.shape[0] * values.shape[1] > 1)
    if ERROR not in squares:
        return _nothing(f"settings and seeds cannot be told apart: {too_few(2, values.shape[2], 'seeds')}")
    raw = _moments(squares, values.shape)
    drawn = {
        name: square * freedom[name] / generator.chisquare(freedom[name], RESAMPLES) for name, square in squares.items()
    }
    possible = np.maximum(np.array(list(_moments(drawn, values.shape).values())), 0.0)
    total = possible.sum(axis=0)
    shares = np.divide(possible, total, out=np.full_like(possible, NAN), where=total > 0)
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    methods, settings, n = values.shape
    method = (
        f"balanced analysis of variance of {methods} × {settings} settings × {n} seeds, "
        f"{'shared by all settings' if SEED in raw else 'not shared'}; shares with {percent(LEVEL)} generalised "
        "confidence intervals"
    )
    return VarianceDecomposition(
        _table(raw, low, high), _f_test(squares, freedom, settings), True, method, _negative(raw)
    )


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
        return _nothing(f"an unbalanced design is fitted up to {LARGEST} values, but there are {len(values)}")
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
    method = f"mixed model by REML (statsmodels) of {len(values)} values, unbalanced; no intervals"
    nothing = np.full(len(raw), NAN)
    test = HypothesisTest(NAN, NAN, 0, "F test of methods against their settings", note="needs a balanced design")
    return VarianceDecomposition(_table(raw, nothing, nothing), test, False, method, "; ".join(notes))


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
    return VarianceDecomposition(pd.DataFrame(columns=columns), test, False, "not computed", note)
