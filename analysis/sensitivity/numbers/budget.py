"""The best of k settings drawn at random: what a tuning budget buys.

    E[best of k] = sum over ranks j = 1 .. N (ascending) of y_(j) C(j - 1, k - 1) / C(N, k)

is the mean of the maximum over all subsets of k settings, unbiased for the best of k new ones. The usual plug-in,
sum_j y_(j) ((j/N)^k - ((j-1)/N)^k), draws with replacement and is too low; it is given for comparison only. Pitfalls:
for k near N both repeat the one best setting that happened to be drawn, so beyond N / 2 a sample has no interval; and
scores that also did the choosing are too high, so here one half of the seeds chooses and the other half scores.

Sources: Dodge et al., "Show Your Work", EMNLP 2019 (plug-in); Tang et al., "Showing Your Work Doesn't Always Work", ACL
2020 (its bias).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy import special

from analysis.sensitivity.numbers.crossfit import halves, in_sample
from analysis.sensitivity.numbers.jackknife import jackknife
from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import LEVEL, NAN, FloatArray, too_few
from analysis.statistics.intervals import t_multiplier

POINTS = 40


@dataclass(frozen=True, eq=False)
class BudgetCurve:
    """``table``: k, expected (percent; cross-fitted), low, high, naive (chosen and scored on all seeds), plug_in."""

    table: pd.DataFrame
    settings: int
    n: int
    method: str
    note: str = ""


def expected_best(
    settings: Settings,
    generator: np.random.Generator,
    level: float = LEVEL,
    ks: Sequence[int] | None = None,
) -> BudgetCurve:
    """The curve over ``ks``, by default about POINTS of them from 1 to the number of settings that have a value.

    Intervals are the jackknife's over seeds, and where settings are a sample, over settings too.
    """
    count = int(np.isfinite(settings.means).sum())
    budgets = np.array(default_budgets(count) if ks is None else ks)
    seed = int(generator.integers(2**31))

    @cache
    def weights(number: int) -> FloatArray:
        return best_of_weights(number, budgets)

    def numbers(values: FloatArray) -> FloatArray:
        if values.shape[1] == 1:
            return np.full(len(budgets), NAN)
        return halves(values, np.random.default_rng(seed)).ranked(weights)

    found = jackknife(settings.values, numbers, level)
    half = found.high - found.estimate
    sampled = ""
    if not settings.is_complete:
        half = np.hypot(half, t_multiplier(max(settings.n, 2), level) * sampling_error(settings.means, budgets))
        sampled = " and over settings, none beyond half of them"
    ascending = np.sort(settings.means[np.isfinite(settings.means)])
    table = pd.DataFrame(
        {
            "k": budgets,
            "expected": found.estimate,
            "low": found.estimate - half,
            "high": found.estimate + half,
            "naive": in_sample(settings.means).ranked(weights),
            "plug_in": plug_in_weights(count, budgets) @ ascending,
        }
    )
    few = f"choosing and scoring {too_few(2, settings.n, 'seeds')}" if settings.n < 2 else found.note
    method = f"mean best of k of {count} settings over all subsets, cross-fitted over seeds; {found.method}{sampled}"
    return BudgetCurve(table, count, settings.n, method, few)


def default_budgets(count: int) -> list[int]:
    """Budgets from 1 to ``count``, dense at the beginning."""
    return np.unique(np.geomspace(1, count, min(count, POINTS)).round().astype(int)).tolist()


def best_of_weights(count: int, ks: np.ndarray) -> FloatArray:
    """How often each of ``count`` ranks, worst first, is the best of a random subset of k: [ks, count].

    C(j - 1, k - 1) / C(count, k) for rank j; NaN for k > count.
    """
    rank, k = np.arange(1, count + 1), np.asarray(ks)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        log = _log_choose(rank - 1, k - 1) - _log_choose(np.array(count), k)
    return np.where(k > count, NAN, np.where(rank >= k, np.exp(log), 0.0))


def plug_in_weights(count: int, ks: np.ndarray) -> FloatArray:
    """The same for k draws with replacement: [ks, count]."""
    rank, k = np.arange(count + 1) / count, np.asarray(ks)[:, None]
    return np.diff(rank**k, axis=1)


def sampling_error(means: FloatArray, ks: np.ndarray) -> FloatArray:
    """The jackknife's standard error over settings of the expected best of k: [ks]; NaN beyond half the settings."""
    ascending = np.sort(means[np.isfinite(means)])
    count = len(ascending)
    below = np.zeros((len(ks), count))
    weights = best_of_weights(count - 1, ks) if count > 1 else np.full((len(ks), 0), NAN)
    np.cumsum(weights * ascending[:-1], axis=1, out=below[:, 1:])
    above = np.zeros((len(ks), count))
    above[:, :-1] = np.cumsum((weights * ascending[1:])[:, ::-1], axis=1)[:, ::-1]
    error = np.sqrt((count - 1) * (below + above).var(axis=1))  # each setting left out in turn
    return np.where(2 * np.asarray(ks) > count, NAN, error)


def _log_choose(n: np.ndarray, k: np.ndarray) -> FloatArray:
    return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(np.maximum(n - k, 0) + 1)
