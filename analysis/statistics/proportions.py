"""How often something happens, of collapse mostly: intervals of a proportion, and the difference of two.

No bootstrap: of 0 collapses in 5 seeds it would say [0, 0], while up to 52 % cannot be excluded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.statistics.estimate import LEVEL, NAN, Estimate, HypothesisTest, percent, too_few

IntervalKind = Literal["clopper-pearson", "wilson", "jeffreys"]
TestKind = Literal["boschloo", "barnard", "fisher"]

_STATSMODELS = {"clopper-pearson": "beta", "wilson": "wilson", "jeffreys": "jeffreys"}
_TESTS = {"boschloo": stats.boschloo_exact, "barnard": stats.barnard_exact, "fisher": stats.fisher_exact}
_TITLES = {"clopper-pearson": "exact (Clopper-Pearson)", "wilson": "Wilson score", "jeffreys": "Jeffreys"}


def proportion_interval(
    successes: float, total: int, kind: IntervalKind = "clopper-pearson", level: float = LEVEL
) -> Estimate:
    """The share ``successes`` / ``total``, a fraction, with its interval.

    Clopper-Pearson never covers too rarely and is wide; Wilson is right on average over proportions; Jeffreys is the
    equal-tailed Bayesian interval. Half a success, for a tie, is allowed.
    """
    method = f"share with {percent(level)} {_TITLES[kind]} interval"
    if total == 0:
        return Estimate(NAN, NAN, NAN, 0, method, note=too_few(1, 0, "trials"))
    low, high = proportion_confint(successes, total, alpha=1 - level, method=_STATSMODELS[kind])
    return Estimate(successes / total, float(low), float(high), total, method)


def compare_proportions(
    successes_a: int, total_a: int, successes_b: int, total_b: int, kind: TestKind = "boschloo"
) -> HypothesisTest:
    """Whether two independent arms share one proportion; two-sided.

    Boschloo's and Barnard's tests are exact and find more than Fisher's, which also fixes the total of successes; in
    arms of hundreds they take seconds, and Fisher's finds as much. The statistic is the difference of shares, a - b.
    """
    n = min(total_a, total_b)
    method = f"{kind.capitalize()}'s exact test of {successes_a}/{total_a} against {successes_b}/{total_b}"
    if n == 0:
        return HypothesisTest(NAN, NAN, 0, method, NAN, note=too_few(1, 0, "trials in each arm"))
    difference = successes_a / total_a - successes_b / total_b
    if successes_a + successes_b in (0, total_a + total_b):
        return HypothesisTest(1.0, difference, n, method, note="both arms agree in every trial")
    table = np.array([[successes_a, successes_b], [total_a - successes_a, total_b - successes_b]])
    return HypothesisTest(float(_TESTS[kind](table).pvalue), difference, n, method, _smallest_p(total_a, total_b, kind))


@lru_cache(maxsize=256)
def _smallest_p(total_a: int, total_b: int, kind: TestKind) -> float:
    """All of one arm and none of the other."""
    return float(_TESTS[kind](np.array([[total_a, 0], [0, total_b]])).pvalue)
