"""Methods ranked over blocks: data sets as a rule, or the seeds of one data set. Rank 1 is the best; ties share ranks.

The critical difference depends on which other methods are in the pool (Benavoli, Corani and Mangili, JMLR 2016): the
diagram is the familiar view, paired tests with Holm's correction are the claim.

Sources: Friedman, JASA 1937; Nemenyi 1963; both as in Demšar, "Statistical Comparisons of Classifiers over Multiple
Data Sets", JMLR 2006, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics.bootstrap import IntArray, affordable, chunks
from analysis.statistics.estimate import (
    ALPHA,
    NAN,
    RESAMPLES,
    FloatArray,
    HypothesisTest,
    complete_rows,
    finite,
    rounded,
    too_few,
)

MINIMUM_BLOCKS = 5
"""Below, the test is refused: with three blocks only the first and the last of the methods can ever differ."""
MINIMUM_METHODS = 3
"""Two methods are a paired comparison."""


@dataclass(frozen=True, eq=False)
class Friedman:
    """Friedman's test that all methods share one mean rank."""

    mean_ranks: FloatArray
    """[methods], in the order given."""
    test: HypothesisTest
    """Friedman's chi-squared, corrected for ties, which keeps its level from five blocks on."""
    kendall_w: float
    """Agreement of the blocks, 0 to 1: the effect size."""


@dataclass(frozen=True, eq=False)
class Nemenyi:
    """All pairs of methods by their mean ranks."""

    mean_ranks: FloatArray
    critical_difference: float
    """Mean ranks further apart than this differ."""
    p: FloatArray
    """Adjusted for all pairs, [methods, methods]."""
    cliques: list[list[int]]
    """Largest groups of methods no two of which differ, each and all in order of rank: the bars of the diagram."""
    n: int
    method: str
    dropped: int = 0
    note: str = ""


@dataclass(frozen=True, eq=False)
class RankDistribution:
    """How often each method has each rank when the seeds are drawn again."""

    share: FloatArray
    """[methods, ranks]; rows sum to 1."""
    n: int
    method: str
    dropped: int = 0
    note: str = ""


def mean_ranks(scores: npt.ArrayLike) -> FloatArray:
    """The mean rank [methods] of ``scores`` [blocks, methods], higher better; blocks with a hole are left out."""
    matrix, _ = complete_rows(scores)
    if not len(matrix):
        return np.full(matrix.shape[1], NAN)
    return stats.rankdata(rounded(-matrix), axis=1).mean(axis=0)


def friedman(scores: npt.ArrayLike) -> Friedman:
    """Test ``scores`` [blocks, methods]; for regrets hand in their negative."""
    matrix, dropped = complete_rows(scores)
    n, k = matrix.shape
    method = f"Friedman test of {k} methods over {n} blocks"
    ranks = mean_ranks(matrix)
    if n < MINIMUM_BLOCKS or k < MINIMUM_METHODS:
        test = HypothesisTest(NAN, NAN, n, method, NAN, dropped, _refusal(n, k))
        return Friedman(ranks, test, NAN)
    values = rounded(matrix)
    if not np.ptp(values, axis=1).any():
        test = HypothesisTest(1.0, 0.0, n, method, 0.0, dropped, "all methods are equal in every block")
        return Friedman(ranks, test, 0.0)
    chi2, p = (float(value) for value in stats.friedmanchisquare(*values.T))
    return Friedman(ranks, HypothesisTest(p, chi2, n, method, 0.0, dropped), chi2 / (n * (k - 1)))


def nemenyi(scores: npt.ArrayLike, alpha: float = ALPHA) -> Nemenyi:
    """Compare all pairs of ``scores`` [blocks, methods], higher better; no correction for ties, as Demšar has it."""
    matrix, dropped = complete_rows(scores)
    n, k = matrix.shape
    method = f"Nemenyi test of {k} methods over {n} blocks, level {alpha:g}"
    ranks = mean_ranks(matrix)
    if n < MINIMUM_BLOCKS or k < MINIMUM_METHODS:
        return Nemenyi(ranks, NAN, np.full((k, k), NAN), [], n, method, dropped, _refusal(n, k))
    error = np.sqrt(k * (k + 1) / (12 * n))
    difference = float(stats.studentized_range.ppf(1 - alpha, k, np.inf) * error)
    apart = np.abs(np.subtract.outer(ranks, ranks))
    p, pairs = np.ones((k, k)), np.triu_indices(k, 1)
    p[pairs] = p.T[pairs] = stats.studentized_range.sf(apart[pairs] / error, k, np.inf)
    return Nemenyi(ranks, difference, p, cliques(apart <= difference, ranks), n, method, dropped)


def cliques(alike: npt.NDArray[np.bool_], ranks: FloatArray) -> list[list[int]]:
    """The largest groups of two or more methods all of whose pairs are ``alike`` [methods, methods].

    Each and all in order of ``ranks`` [methods]. Pairs found alike by other tests than Nemenyi's may make groups that
    are no stretch of the ranking.
    """
    order = np.argsort(ranks, kind="stable")
    near = [set(np.flatnonzero(row).tolist()) - {place} for place, row in enumerate(alike[np.ix_(order, order)])]
    groups: list[list[int]] = []

    def extend(group: list[int], candidates: set[int], excluded: set[int]) -> None:
        """Bron and Kerbosch's search with pivots, over places in the ranking."""
        if not candidates:
            if not excluded and len(group) > 1:
                groups.append(sorted(group))
            return
        pivot = max(sorted(candidates | excluded), key=lambda place: len(near[place] & candidates))
        for place in sorted(candidates - near[pivot]):
            extend([*group, place], candidates & near[place], excluded & near[place])
            candidates, excluded = candidates - {place}, excluded | {place}

    extend([], set(range(len(order))), set())
    return [order[group].tolist() for group in sorted(groups)]


def rank_distribution(
    arms: Sequence[npt.ArrayLike],
    generator: np.random.Generator,
    *,
    paired: bool,
    resamples: int = RESAMPLES,
) -> RankDistribution:
    """Rank the means of ``arms``, each the scores [n] of a method's seeds, again and again on resampled seeds.

    ``paired`` draws the same seeds for all methods: arms must then list the same seeds in the same order, and seeds on
    which any method has no value are left out. Else each arm draws its own. Methods of equal mean share their ranks.
    """
    k = len(arms)
    columns = [np.asarray(arm, dtype=np.float64) for arm in arms]
    if paired:
        matrix, dropped = complete_rows(np.stack(columns, axis=1))
        samples = list(matrix.T)
    else:
        known = [finite(arm) for arm in columns]
        samples, dropped = [sample for sample, _ in known], sum(count for _, count in known)
    n = min(len(sample) for sample in samples)
    resamples = affordable(resamples, sum(len(sample) for sample in samples))
    method = f"ranks of the means over {resamples} resamples of {'common' if paired else 'each method’s'} seeds"
    if n < 2:
        return RankDistribution(np.full((k, k), NAN), n, method, dropped, too_few(2, n, "seeds of every method"))
    counts = np.zeros((k, k))
    for size in chunks(resamples, sum(len(sample) for sample in samples) + k * k):
        draws = [generator.integers(len(s), size=(size, len(s))) for s in (samples[:1] if paired else samples)]
        means = [sample[draws[0 if paired else place]].mean(axis=1) for place, sample in enumerate(samples)]
        counts += _rank_counts(rounded(np.stack(means, axis=1)))
    return RankDistribution(counts / resamples, n, method, dropped)


def _rank_counts(means: FloatArray) -> FloatArray:
    """How often each method has each rank, [resamples, methods] -> [methods, ranks]; ties are spread evenly."""
    k = means.shape[1]
    better: IntArray = (means[:, None, :] > means[:, :, None]).sum(axis=2)
    tied: IntArray = (means[:, None, :] == means[:, :, None]).sum(axis=2)
    held = (better[:, :, None] <= np.arange(k)) & (np.arange(k) < (better + tied)[:, :, None])
    return (held / tied[:, :, None]).sum(axis=0)


def _refusal(n: int, k: int) -> str:
    if k < MINIMUM_METHODS:
        return f"the test {too_few(MINIMUM_METHODS, k, 'methods')}"
    return f"the test {too_few(MINIMUM_BLOCKS, n, 'blocks')}"
