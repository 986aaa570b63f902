"""Tests and effects of arms that share no seeds, against golden numbers, scipy and enumeration."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statistics_golden import golden

from analysis.statistics.probability import (
    cliffs_delta,
    performance_profile,
    probability_of_improvement,
    probability_of_improvement_paired,
)
from analysis.statistics.ranksums import rank_sum_null
from analysis.statistics.unpaired import (
    brunner_munzel,
    equivalence,
    hodges_lehmann_shift,
    mean_difference,
    permutation,
    welch,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def samples() -> tuple[np.ndarray, np.ndarray]:
    inputs = golden("hodges_lehmann_brunner_munzel").inputs
    return np.array(inputs["a"]), np.array(inputs["b"])


def test_brunner_munzel_and_superiority_match_golden() -> None:
    case = golden("hodges_lehmann_brunner_munzel")
    a, b = samples()
    assert probability_of_improvement(a, b).estimate == case.approx("prob_superiority")
    assert brunner_munzel(a, b).p == case.approx("p")
    assert brunner_munzel(a, b).p == case.approx("scipy_brunnermunzel_p")
    assert cliffs_delta(a, b).estimate == case.approx("cliffs_delta")


def test_newcombe_never_collapses_to_a_point() -> None:
    best = probability_of_improvement([4.0, 5.0, 6.0], [1.0, 2.0, 3.0])
    assert (best.estimate, best.high) == (1.0, 1.0) and 0.4 < best.low < 0.6
    worst = probability_of_improvement([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert (worst.low, worst.high) == pytest.approx((0.0, 1 - best.low))


def test_newcombe_bounds_solve_the_score_equation() -> None:
    a, b = samples()
    found = probability_of_improvement(a, b[:7])
    n_a, n_b = 10, 7
    half = (n_a + n_b) / 2 - 1
    for p in (found.low, found.high):  # Hanley and McNeil's variance at the bound
        variance = p * (1 - p) * (1 + half * ((1 - p) / (2 - p) + p / (1 + p))) / (n_a * n_b)
        assert abs(found.estimate - p) / np.sqrt(variance) == pytest.approx(stats.norm.ppf(0.975))


def test_paired_probability_counts_ties_half() -> None:
    found = probability_of_improvement_paired([0.1, 0.2, 0.0, -0.1, np.nan])
    assert (found.estimate, found.n, found.dropped) == (2.5 / 4, 4, 1)
    wins = probability_of_improvement_paired(np.ones(5))
    assert (wins.low, wins.high) == pytest.approx((1 - 0.5218237501, 1.0))


def test_profiles_match_rliable() -> None:
    case = golden("rliable_performance_profile")
    for method, scores in case.inputs["scores"].items():
        found = performance_profile(np.ravel(scores), case.inputs["tau"])
        assert found.share.tolist() == case.approx(method)
        assert ((found.low <= found.share) & (found.share <= found.high)).all()
        assert (np.diff(found.share) <= 0).all()


@pytest.mark.parametrize(("n_a", "n_b"), [(2, 3), (5, 5), (4, 6)])
def test_permutation_is_the_enumeration(n_a: int, n_b: int) -> None:
    a, b = generator(n_a).normal(0.8, 1, n_a).round(1), generator(n_b).normal(0, 1, n_b).round(1)
    pool = np.concatenate([a, b])
    gaps = []
    for chosen in combinations(range(len(pool)), n_a):
        gaps.append(pool[list(chosen)].mean() - np.delete(pool, list(chosen)).mean())
    expected = np.mean(np.abs(gaps) >= abs(a.mean() - b.mean()) - 1e-9)
    assert permutation(a, b, generator()).p == pytest.approx(expected)


def test_too_many_seeds_to_count_are_divided_at_random() -> None:
    a, b = generator(1).normal(0.1, 1, 300), generator(2).normal(0, 1, 250)
    found = permutation(a, b, generator())
    assert found.p == pytest.approx(welch(a, b).p, abs=0.02)
    assert found.method.endswith("9999 random divisions")
    far = permutation(a + 0.4, b, generator())
    assert far.method.endswith("tail by saddlepoint") and far.p == pytest.approx(welch(a + 0.4, b).p, rel=0.3)


def test_unequal_arms_reach_one_division_and_equal_ones_two() -> None:
    for n_a, n_b, smallest in ((3, 4, 1 / 35), (2, 6, 1 / 28), (3, 5, 1 / 56), (1, 39, 1 / 40), (4, 4, 2 / 70)):
        found = permutation(np.arange(n_a) + 90.0, np.arange(n_b) ** 1.5 / 10, generator())
        assert found.p == pytest.approx(found.smallest_p) == pytest.approx(smallest)


def test_welch_is_scipys_and_its_interval_agrees_with_it() -> None:
    a, b = samples()
    found, test = mean_difference(a, b), welch(a, b)
    assert (test.statistic, test.p) == pytest.approx(tuple(stats.ttest_ind(a, b, equal_var=False)))
    assert welch(a - found.low, b).p == pytest.approx(0.05)


def test_equivalence_agrees_with_the_90_percent_welch_interval() -> None:
    a, b = samples()
    interval = mean_difference(a, b, level=0.9)
    margin = max(-interval.low, interval.high)
    assert equivalence(a, b, margin).p == pytest.approx(0.05)
    assert equivalence(a, b, 1.1 * margin).p < 0.05 < equivalence(a, b, 0.9 * margin).p
    assert np.isnan(equivalence([1.0, 1.0], [2.0, 2.0], 1.0).p)


@pytest.mark.parametrize(("n_a", "n_b"), [(1, 1), (3, 4), (6, 5)])
def test_rank_sum_null_is_the_enumeration(n_a: int, n_b: int) -> None:
    us = [sum(chosen) - n_a * (n_a - 1) / 2 for chosen in combinations(range(n_a + n_b), n_a)]
    expected = [np.mean(np.array(us) <= u) for u in range(n_a * n_b + 1)]
    np.testing.assert_allclose(rank_sum_null(n_a, n_b), expected)


def test_hodges_lehmann_shift_turns_the_rank_sum_test_around() -> None:
    a, b = samples()[0], generator().normal(92, 1, 8)
    found = hodges_lehmann_shift(a, b)
    assert found.estimate == pytest.approx(np.median(np.subtract.outer(a, b)))
    for bound in (found.low, found.high):
        away = 1e-3 * np.sign(bound - found.estimate)
        p_outside, p_inside = (stats.mannwhitneyu(a - bound - s * away, b, method="exact").pvalue for s in (1, -1))
        assert p_outside <= 0.05 < p_inside
    assert (
        np.isnan(hodges_lehmann_shift(a[:3], b[:3]).low)
        and "cannot be reached" in hodges_lehmann_shift(a[:3], b[:3]).note
    )


def test_complete_separation_is_no_p_of_zero() -> None:
    found = brunner_munzel([4.0, 5.0, 6.0], [1.0, 2.0, 3.0])
    assert found.p == permutation([4.0, 5.0, 6.0], [1.0, 2.0, 3.0], generator()).p == 2 / 20
    assert found.statistic == np.inf


def test_constant_arms() -> None:
    same = [54.3] * 4
    for test in (welch(same, same), brunner_munzel(same, same), permutation(same, same, generator())):
        assert test.p == 1.0
    assert np.isnan(welch(same, [60.0] * 4).p)
    assert mean_difference(same, [60.0] * 4).low == pytest.approx(-5.7)
    assert probability_of_improvement(same, same).estimate == 0.5
