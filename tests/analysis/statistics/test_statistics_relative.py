"""Relative improvement over a baseline: Fieller's interval is a t test turned around."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from analysis.statistics import relative

A = np.array([94.1, 93.7, 94.4, 93.9, 94.6, 94.2])
B = np.array([93.2, 93.0, 93.9, 93.1, 93.3, 93.8])


def turned_around(p_of: object, ratio: float) -> tuple[float, float]:
    """The two ratios that a test at 0.05 just rejects, in percent above 1."""
    ends = (optimize.brentq(lambda r: p_of(r) - 0.05, *sorted((ratio, ratio + far)), xtol=1e-14) for far in (-0.1, 0.1))
    return tuple(100 * (end - 1) for end in ends)  # type: ignore[return-value]


def test_paired_it_holds_the_ratios_that_a_t_test_does_not_reject() -> None:
    found = relative.improvement_paired(A, B)
    low, high = turned_around(lambda r: stats.ttest_1samp(A - r * B, 0).pvalue, A.mean() / B.mean())
    assert found.estimate == pytest.approx(100 * (A.mean() - B.mean()) / B.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_unpaired_it_holds_those_that_welch_does_not_reject() -> None:
    """But for the degrees of freedom, which are those of Welch's test at the estimate."""
    found = relative.improvement(A, B)
    ratio = A.mean() / B.mean()
    freedom = stats.ttest_ind(A, ratio * B, equal_var=False).df

    def p(r: float) -> float:
        error = np.sqrt(A.var(ddof=1) / len(A) + r**2 * B.var(ddof=1) / len(B))
        return float(2 * stats.t.sf(abs(A.mean() - r * B.mean()) / error, freedom))

    assert (found.low, found.high) == pytest.approx(turned_around(p, ratio), abs=1e-9)


@pytest.mark.parametrize("improvement", [relative.improvement, relative.improvement_paired])
def test_it_is_the_same_of_losses_and_in_any_unit(improvement: object) -> None:
    """Of values of which less is better, which come negative: 100 (baseline - method) / baseline."""
    found, scaled = improvement(-B / 100, -A / 100), improvement(-B * 7, -A * 7)  # type: ignore[operator]
    assert found.estimate == pytest.approx(100 * (A.mean() - B.mean()) / A.mean())
    assert found.low < found.estimate < found.high
    assert (scaled.low, scaled.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize("improvement", [relative.improvement, relative.improvement_paired])
def test_what_is_no_ratio_has_no_interval_and_says_why(improvement: object) -> None:
    near_zero = improvement(A, B - B.mean() + 0.01)  # type: ignore[operator]
    assert np.isnan(near_zero.low) and "cannot be told from 0" in near_zero.note
    zero = improvement(A[:4], np.array([-1.0, 1.0, -1.0, 1.0]))  # type: ignore[operator]
    assert np.isnan(zero.estimate) and "is 0" in zero.note
    assert np.isnan(improvement(A[:1], B[:1]).low)  # type: ignore[operator]
    assert improvement(A, B, 0.9).high < improvement(A, B).high  # type: ignore[operator]
