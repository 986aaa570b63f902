"""Exact analysis of variance on a full grid: no model, no surrogate, nothing sampled.

With every combination of the levels run equally often, the effects of all subsets of hyperparameters are orthogonal:

    y = mean + sum over subsets S of effect_S + residual,    SS_total = sum over S of SS_S + SS_residual

effect_S is the marginal mean over all other hyperparameters less all effects of smaller subsets of S. The residual is
what seeds do within a setting. Shares of SS_total: eta² = SS_S / SS_total, which seeds push up, and
omega² = (SS_S - df_S MSE) / (SS_total + MSE), which they do not and which can be negative where an effect is absent.

Sources: Olejnik and Algina, Psychological Methods 2003 (omega²); Hutter, Hoos and Leyton-Brown, "An Efficient Approach
for Assessing Hyperparameter Importance", ICML 2014 (the same decomposition, of a surrogate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.sensitivity.numbers.jackknife import jackknife
from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import LEVEL, FloatArray, too_few

SEEDS = "seeds"
CROSS = " × "
Subset = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Anova:
    """The decomposition of one method's grid of ``settings`` settings, ``n`` seeds each.

    ``terms`` has one row a subset of hyperparameters, smaller ones first, and a last row ``seeds``: term (``lr × wd``),
    names (tuple), ss (sum of squares, points²), df, eta2, omega2 with low and high, share (of the variance between
    the settings' means; NaN for seeds), f and p (against the seeds within settings). eta2 sums to 1, and so does
    omega2, seeds taking the rest; share sums to 1 without seeds.
    """

    terms: pd.DataFrame
    settings: int
    n: int
    method: str
    note: str = ""


def anova(settings: Settings, level: float = LEVEL) -> Anova:
    """Decompose a full grid: a row for each hyperparameter, and for each combination of them.

    With a single seed there is nothing to test against: omega2, f and p are NaN. Raises StoreError off a full grid.
    """
    values, levels = settings.grid().reshape(-1, settings.n), settings.levels
    subsets = subsets_of(len(levels))
    df = np.array([np.prod([levels[axis] - 1 for axis in subset]) for subset in subsets], dtype=float)
    labels: list[tuple[str, ...]] = [tuple(settings.names[axis] for axis in subset) for subset in subsets]
    terms = [CROSS.join(names) for names in labels]

    def sums(sample: FloatArray) -> FloatArray:
        return sample.shape[1] * effect_sums(sample.mean(axis=1).reshape(levels), subsets)

    def omega2(sample: FloatArray) -> FloatArray:
        mse = mean_square_within(sample)
        shares = (sums(sample) - df * mse) / (sample.var() * sample.size + mse)
        return np.append(shares, 1 - shares.sum())

    ss, within, within_df = sums(values), _within(values), values.size - len(values)
    with np.errstate(divide="ignore", invalid="ignore"):  # seeds that all agree
        f = ss / df / mean_square_within(values)
        shares = jackknife(values, omega2, level, bounds=(0, 1))
        table = pd.DataFrame(
            {
                "term": [*terms, SEEDS],
                "names": [*labels, ()],
                "ss": np.append(ss, within),
                "df": np.append(df, within_df),
                "eta2": np.append(ss, within) / (ss.sum() + within),
                "omega2": shares.estimate,
                "low": shares.low,
                "high": shares.high,
                "share": np.append(ss / ss.sum(), np.nan),
                "f": np.append(f, np.nan),
                "p": np.append(stats.f.sf(f, df, within_df), np.nan),
            }
        )
    note = f"seeds {too_few(2, settings.n, 'a setting')}" if settings.n < 2 else shares.note
    method = f"exact analysis of variance of all {len(values)} combinations; omega² with {shares.method}"
    return Anova(table, len(values), settings.n, method, note)


def subsets_of(count: int, order: int | None = None) -> list[Subset]:
    """All non-empty subsets of the axes 0 .. ``count`` - 1 of at most ``order`` members, smaller ones first."""
    most = count if order is None else min(order, count)
    return [subset for size in range(1, most + 1) for subset in combinations(range(count), size)]


def effect(means: FloatArray, subset: Subset) -> FloatArray:
    """The pure effect of a subset of the axes of ``means`` [levels of each]; its other axes have length 1."""
    others = tuple(axis for axis in range(means.ndim) if axis not in subset)
    part = means.mean(axis=others, keepdims=True)
    for axis in subset:
        part = part - part.mean(axis=axis, keepdims=True)
    return part


def effect_sums(means: FloatArray, subsets: Sequence[Subset]) -> FloatArray:
    """The sum of each subset's squared effects over all cells of ``means`` [levels of each]: [subsets]."""
    return np.array([means.size * np.square(effect(means, subset)).mean() for subset in subsets])


def _within(values: FloatArray) -> float:
    """The sum of squares within settings, of values [H, n]."""
    return float(np.square(values - values.mean(axis=1, keepdims=True)).sum())


def mean_square_within(values: FloatArray) -> np.float64:
    """The mean square within settings, of values [H, n]; NaN for a single seed."""
    df = values.size - len(values)
    return np.float64(_within(values) / df if df else np.nan)
