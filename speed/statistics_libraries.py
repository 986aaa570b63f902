"""The statistics of the reports against the libraries that offer the same, side by side in one run.

    python speed/statistics_libraries.py [rounds]

Both get the same samples, and both answers are checked to be the same: exactly where both are exact, else within the
noise of 9,999 resamples. Ours return the caption's words as well. CPU time, which a busy machine disturbs least; the
ratio is the median over rounds in which both take turns. Takes half a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import scikit_posthocs
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.statistics.bootstrap import bootstrap_interval
from analysis.statistics.estimate import RESAMPLES, FloatArray
from analysis.statistics.multiplicity import adjust
from analysis.statistics.paired import sign_flip
from analysis.statistics.probability import probability_of_improvement
from analysis.statistics.ranks import friedman, nemenyi
from analysis.statistics.summary import iqm, mean
from analysis.statistics.unpaired import permutation

ROUNDS = 15
NOISE = 0.05
"""Largest difference of two intervals of 9,999 resamples, in standard deviations of the sample."""


@dataclass(frozen=True)
class Contest:
    """One question put to both; the answers must agree up to ``tolerance``."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    tolerance: float


def generator() -> np.random.Generator:
    return np.random.default_rng(1)


def along_axis(statistic: Callable[[FloatArray], FloatArray]) -> Callable[..., FloatArray]:
    """As scipy calls a vectorised statistic."""
    return lambda values, axis: statistic(np.moveaxis(values, axis, -1))


def bootstrap(n: int, statistic: Callable[[FloatArray], FloatArray], kind: str) -> Contest:
    """95 % interval of a sample of n."""
    values = np.random.default_rng(n).normal(93, 1, n)

    def ours() -> tuple[float, float]:
        found = bootstrap_interval(values, statistic, generator(), kind="bca" if kind == "BCa" else "percentile")
        return found.low, found.high

    def theirs() -> tuple[float, float]:
        found = stats.bootstrap(
            (values,), along_axis(statistic), n_resamples=RESAMPLES, method=kind, vectorized=True, rng=generator()
        )
        return tuple(found.confidence_interval)

    return Contest(ours, theirs, 3 * NOISE if n < 9 else NOISE)


def sign_flips(n: int) -> Contest:
    """p of n differences; exact up to 16 in both."""
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    most = np.inf if n <= 16 else RESAMPLES

    def theirs() -> float:
        found = stats.permutation_test(
            (differences,), along_axis(mean), permutation_type="samples", n_resamples=most, vectorized=True,
            rng=generator(),
        )  # fmt: skip
        return float(found.pvalue)

    return Contest(lambda: sign_flip(differences, generator()).p, theirs, 1e-9 if n <= 16 else 0.02)


def permutations(n: int) -> Contest:
    """p of two arms of n; exact up to 8 in both."""
    a, b = np.random.default_rng(n).normal([[0.4], [0.0]], 1, (2, n))
    most = np.inf if n <= 8 else RESAMPLES

    def gap(x: FloatArray, y: FloatArray, axis: int) -> FloatArray:
        return x.mean(axis=axis) - y.mean(axis=axis)

    def theirs() -> float:
        found = stats.permutation_test((a, b), gap, n_resamples=most, vectorized=True, rng=generator())
        return float(found.pvalue)

    return Contest(lambda: permutation(a, b, generator()).p, theirs, 1e-9 if n <= 8 else 0.02)


def ranks() -> dict[str, Contest]:
    """Friedman and Nemenyi of 17 methods over 30 blocks."""
    scores = np.random.default_rng(0).normal(size=(30, 17))
    frame = pd.DataFrame(scores)
    return {
        "Friedman, 17 methods over 30 blocks (scipy)": Contest(
            lambda: friedman(scores).test.p, lambda: float(stats.friedmanchisquare(*scores.T).pvalue), 1e-9
        ),
        "Nemenyi, 17 methods over 30 blocks (scikit-posthocs)": Contest(
            lambda: nemenyi(scores).p, lambda: scikit_posthocs.posthoc_nemenyi_friedman(frame).to_numpy(), 1e-6
        ),
    }


def contests() -> dict[str, Contest]:
    """Everything that is compared."""
    found = {
        f"{kind} bootstrap of the {name}, n = {n} (scipy)": bootstrap(n, statistic, kind)
        for kind in ("BCa", "percentile")
        for name, statistic in (("mean", mean), ("IQM", iqm))
        for n in (5, 10, 500)
    }
    found |= {f"sign-flip test, n = {n} (scipy)": sign_flips(n) for n in (5, 10, 16, 500)}
    found |= {f"permutation test, n = {n} and {n} (scipy)": permutations(n) for n in (5, 8, 20, 500)}
    p = np.random.default_rng(0).uniform(0, 0.1, 136)
    large = np.random.default_rng(0).normal([[93.2], [93.0]], 1, (2, 5_000))
    found |= ranks()
    found["Holm over 136 tests (statsmodels)"] = Contest(
        lambda: adjust(p).p, lambda: multipletests(p, method="holm")[1], 1e-12
    )
    found["P(A > B), n = 5,000 and 5,000 (scipy's Mann-Whitney U)"] = Contest(
        lambda: probability_of_improvement(*large).estimate,
        lambda: stats.mannwhitneyu(*large, method="asymptotic").statistic / 5_000**2,
        1e-9,
    )
    return found


def seconds(action: Callable[[], Any]) -> float:
    """CPU time of one call, repeated until a hundredth of a second has passed."""
    start, calls = process_time(), 0
    while process_time() - start < 0.01:
        action()
        calls += 1
    return (process_time() - start) / calls


def main(rounds: int) -> None:
    print(f"{'':62}{'theirs':>12}{'ours':>12}{'ratio':>9}   lowest and highest")
    for name, contest in contests().items():
        np.testing.assert_allclose(contest.ours(), contest.theirs(), rtol=0, atol=contest.tolerance, err_msg=name)
        turns = np.array([(seconds(contest.theirs), seconds(contest.ours)) for _ in range(rounds)])
        theirs_s, ours_s = np.median(turns, axis=0)
        ratios = turns[:, 0] / turns[:, 1]
        print(
            f"{name:62}{theirs_s * 1e3:>9.3f} ms{ours_s * 1e3:>9.3f} ms{np.median(ratios):>8.1f}x   "
            f"{ratios.min():.1f}-{ratios.max():.1f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
