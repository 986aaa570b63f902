"""How probable it is that a seed of A beats a seed of B, and how probable it is to do better than a given score.

P(A > B) + P(A = B) / 2, the probability of improvement, is the Mann-Whitney U over the number of pairs; Cliff's delta
is twice that less one.

Sources: Agarwal et al., NeurIPS 2021 (probability of improvement, performance profiles); Newcombe, Statistics in
Medicine 2006, 25:559-573, method 5; Brunner and Munzel, Biometrical Journal 2000; Cliff, Psychological Bulletin 1993.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats
from statsmodels.stats.nonparametric import rank_compare_2indep

from analysis.statistics.bootstrap import (
    EXACT_N,
    MINIMUM_N,
    IntArray,
    chunks,
    distinct_resamples,
    resample_counts,
    resampling_words,
    weighted_quantiles,
)
from analysis.statistics.estimate import (
    LEVEL,
    NAN,
    RESAMPLES,
    Estimate,
    FloatArray,
    complete_rows,
    finite,
    percent,
    rounded,
    too_few,
)
from analysis.statistics.proportions import proportion_interval
from analysis.statistics.unpaired import two_samples

IntervalKind = Literal["newcombe", "logit", "identity"]
_TITLES = {
    "newcombe": "Newcombe score",
    "logit": "Brunner-Munzel interval on the logit scale",
    "identity": "Brunner-Munzel interval",
}


def probability_of_improvement(
    a: npt.ArrayLike, b: npt.ArrayLike, kind: IntervalKind = "newcombe", level: float = LEVEL
) -> Estimate:
    """P(A > B) + P(A = B) / 2 of arms that share no seeds.

    ``newcombe`` never collapses to a point and stays within [0, 1]. The two of Brunner and Munzel, which allow for any
    difference in shape, do not exist where the arms are completely separate; ``identity`` may leave [0, 1] and is cut.
    """
    x, y, dropped = two_samples(a, b)
    n = min(len(x), len(y))
    title = f"{_TITLES[kind]} interval" if kind == "newcombe" else _TITLES[kind]
    method = f"probability of improvement of {len(x)} over {len(y)} seeds with {percent(level)} {title}"
    if n == 0:
        return Estimate(NAN, NAN, NAN, 0, method, dropped, too_few(1, 0, "values in each arm"))
    share = _share(x, y)
    if kind == "newcombe":
        low, high = _newcombe(share, len(x), len(y), level)
        return Estimate(share, low, high, n, method, dropped)
    if n < 2 or x[0] > y[-1] or y[0] > x[-1] or x[0] == x[-1] == y[0] == y[-1]:
        note = "the interval needs two seeds in each arm, and arms that overlap"
        return Estimate(share, NAN, NAN, n, method, dropped, note)
    compared = rank_compare_2indep(x, y)
    if kind == "identity":
        low, high = np.clip(compared.conf_int(alpha=1 - level), 0, 1)
    else:
        half = stats.t.ppf((1 + level) / 2, compared.df) * np.sqrt(compared.var_prob) / (share * (1 - share))
        low, high = special.expit(special.logit(share) + half * np.array([-1, 1]))
    return Estimate(share, float(low), float(high), n, method, dropped)


def probability_of_improvement_paired(differences: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The share of common seeds on which A is above B, ties half, from differences [n]; exact binomial interval."""
    sample, dropped = finite(rounded(differences))
    wins = np.count_nonzero(sample > 0) + np.count_nonzero(sample == 0) / 2
    interval = proportion_interval(wins, len(sample), "clopper-pearson", level)
    method = f"share of {len(sample)} common seeds that improve with {percent(level)} exact (Clopper-Pearson) interval"
    return replace(interval, method=method, dropped=dropped)


def probability_over_datasets(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    generator: np.random.Generator,
    *,
    stratified: bool = False,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The probability of improvement averaged over data sets, from [n_a, data sets] and [n_b, data sets].

    Percentile bootstrap of whole seeds, the arms apart; ``stratified`` draws seeds anew in each data set, as rliable
    does, and is too narrow where the data sets of a seed go together. At complete separation it is a point.
    """
    (x, dropped_a), (y, dropped_b) = complete_rows(a), complete_rows(b)
    n, datasets = min(len(x), len(y)), x.shape[1]
    what = "seeds within each data set" if stratified else "whole seeds"
    method = (
        f"probability of improvement of {len(x)} over {len(y)} seeds, mean over {datasets} data sets, with "
        f"{percent(level)} percentile bootstrap interval, {resamples} resamples of {what}"
    )
    dropped = dropped_a + dropped_b
    if n == 0:
        return Estimate(NAN, NAN, NAN, 0, method, dropped, too_few(1, 0, "seeds in each arm"))
    estimate = float(np.mean([_share(np.sort(x[:, d]), np.sort(y[:, d])) for d in range(datasets)]))
    if n < MINIMUM_N:
        return Estimate(estimate, NAN, NAN, n, method, dropped, f"the bootstrap {too_few(MINIMUM_N, n, 'seeds')}")
    parts = []
    for size in chunks(resamples, len(x) + len(y)):
        shares = np.zeros(size)
        for d in range(datasets):
            if stratified or d == 0:
                counts_a, counts_b = resample_counts(len(x), size, generator), resample_counts(len(y), size, generator)
            shares += _resampled_shares(x[:, d], y[:, d], counts_a, counts_b) / datasets
        parts.append(shares)
    low, high = np.quantile(np.concatenate(parts), [(1 - level) / 2, (1 + level) / 2])
    return Estimate(estimate, float(low), float(high), n, method, dropped)


def cliffs_delta(a: npt.ArrayLike, b: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """P(A > B) - P(A < B), in [-1, 1], with the Newcombe interval of the probability of improvement."""
    found = probability_of_improvement(a, b, "newcombe", level)
    method = found.method.replace("probability of improvement", "Cliff's delta")
    low, high = 2 * found.low - 1, 2 * found.high - 1
    return replace(found, estimate=2 * found.estimate - 1, low=low, high=high, method=method)


@dataclass(frozen=True, eq=False)
class Profile:
    """The share of runs above each threshold."""

    thresholds: FloatArray
    share: FloatArray
    low: FloatArray
    high: FloatArray
    """A pointwise band; NaN below MINIMUM_N seeds."""
    n: int
    method: str
    dropped: int = 0
    note: str = ""


def performance_profile(
    scores: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    generator: np.random.Generator,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Profile:
    """The share of runs strictly above each of ``thresholds`` [t], over ``scores`` [n] or [n, data sets].

    The scores of several data sets must be on one scale. Band: percentile bootstrap of whole seeds.
    """
    matrix = np.asarray(scores, dtype=np.float64)
    data, dropped = complete_rows(matrix.reshape(len(matrix), -1))
    taus = np.asarray(thresholds, dtype=np.float64)
    n = len(data)
    method = f"share of runs above the threshold with pointwise {percent(level)} percentile bootstrap band, "
    method += resampling_words(n, resamples)
    unknown = np.full(len(taus), NAN)
    if n == 0:
        return Profile(taus, unknown, unknown, unknown, 0, method, dropped, too_few(1, 0, "seeds"))
    above = (data[:, :, None] > taus).mean(axis=1)
    share = above.mean(axis=0)
    if n < MINIMUM_N:
        note = f"the band {too_few(MINIMUM_N, n, 'seeds')}"
        return Profile(taus, share, unknown, unknown, n, method, dropped, note)
    drawn, weights = _resampled_means(above, generator, resamples)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = np.stack([weighted_quantiles(column, weights, tails) for column in drawn.T], axis=1)
    return Profile(taus, share, low, high, n, method, dropped)


def _resampled_means(rows: FloatArray, generator: np.random.Generator, resamples: int) -> tuple[FloatArray, IntArray]:
    """Means [resamples, t] of the resampled ``rows`` [n, t], and how often each counts; t may be large."""
    n = len(rows)
    if n <= EXACT_N:
        indices, weights = distinct_resamples(n)
        return rows[indices].mean(axis=1), weights
    parts = [resample_counts(n, size, generator) @ rows / n for size in chunks(resamples, n)]
    return np.concatenate(parts), np.ones(resamples, dtype=np.intp)


def _share(x: FloatArray, y: FloatArray) -> float:
    """U / (n_a n_b), by searching the sorted ``y`` instead of forming all pairs."""
    below = np.searchsorted(y, x, side="left") + np.searchsorted(y, x, side="right")
    return float(below.mean() / (2 * len(y)))


def _resampled_shares(x: FloatArray, y: FloatArray, counts_a: FloatArray, counts_b: FloatArray) -> FloatArray:
    """The share [resamples] with each seed of ``x`` [n_a] and ``y`` [n_b] drawn ``counts`` [resamples, n] times."""
    order = np.argsort(y)
    below = np.pad(np.cumsum(counts_b[:, order], axis=1), ((0, 0), (1, 0)))
    left, right = (np.searchsorted(y[order], x, side=side) for side in ("left", "right"))
    return np.einsum("ri,ri->r", counts_a, below[:, left] + below[:, right]) / (2 * len(x) * len(y))


def _newcombe(share: float, n_a: int, n_b: int, level: float) -> tuple[float, float]:
    """The two probabilities whose score statistic is just z; variance of exponential scores, sizes averaged."""
    z = stats.norm.ppf((1 + level) / 2)
    others = (n_a + n_b) / 2 - 1

    def excess(p: float) -> float:
        spread = p * (1 - p) * (2 + others + (1 + 2 * others) * p * (1 - p)) / ((2 - p) * (1 + p))
        return n_a * n_b * (share - p) ** 2 - z**2 * spread

    inside = 1 - 1e-9  # at a share of 0 or 1 itself the equation has a second root
    low = 0.0 if share == 0 else float(optimize.brentq(excess, 0.0, share * inside))
    high = 1.0 if share == 1 else float(optimize.brentq(excess, 1 - (1 - share) * inside, 1.0))
    return low, high
