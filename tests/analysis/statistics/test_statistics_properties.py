"""What must hold for every function alike: row order, shift and scale, missing seeds, one seed, none, equal arms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from analysis.statistics import Estimate, HypothesisTest
from analysis.statistics.bayes import signed_rank
from analysis.statistics.bootstrap import bootstrap_interval, studentised_interval
from analysis.statistics.intervals import median_interval, std_interval, t_interval
from analysis.statistics.paired import equivalence, hodges_lehmann, pair, paired_t, sign_flip, wilcoxon
from analysis.statistics.paired import mean_difference as paired_difference
from analysis.statistics.probability import (
    cliffs_delta,
    performance_profile,
    probability_of_improvement,
    probability_of_improvement_paired,
)
from analysis.statistics.ranks import friedman, nemenyi, rank_distribution
from analysis.statistics.summary import cvar, describe, iqm, mean
from analysis.statistics.unpaired import (
    brunner_munzel,
    hodges_lehmann_shift,
    mean_difference,
    permutation,
    welch,
)

Sample = np.ndarray


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


LOCATION: dict[str, Callable[[Sample], Estimate]] = {
    "t": t_interval,
    "median": median_interval,
    "bca mean": lambda x: bootstrap_interval(x, mean, generator(), resamples=999),
    "bca iqm": lambda x: bootstrap_interval(x, iqm, generator(), resamples=999),
    "percentile cvar": lambda x: bootstrap_interval(x, cvar, generator(), kind="percentile", resamples=999),
    "studentised": lambda x: studentised_interval(x, generator(), resamples=999),
    "hodges-lehmann": hodges_lehmann,
    "paired difference": paired_difference,
}
"""Estimates of one sample that move and stretch with it."""

ONE_SAMPLE_TESTS: dict[str, Callable[[Sample], HypothesisTest]] = {
    "sign flip": lambda d: sign_flip(d, generator(), resamples=999),
    "paired t": paired_t,
    "wilcoxon": wilcoxon,
}

SHIFTS: dict[str, Callable[[Sample, Sample], Estimate]] = {
    "welch interval": mean_difference,
    "hodges-lehmann shift": hodges_lehmann_shift,
}
SHARES: dict[str, Callable[[Sample, Sample], Estimate]] = {
    "newcombe": probability_of_improvement,
    "cliff": cliffs_delta,
}
TWO_SAMPLE_TESTS: dict[str, Callable[[Sample, Sample], HypothesisTest]] = {
    "permutation": lambda a, b: permutation(a, b, generator(), resamples=999),
    "welch": welch,
    "brunner-munzel": brunner_munzel,
}
EVERYTHING_OF_ONE: dict[str, Callable[[Sample], Any]] = {
    **LOCATION,
    **ONE_SAMPLE_TESTS,
    "std": std_interval,
    "describe": describe,
    "equivalence": lambda d: equivalence(d, 0.3),
    "signed rank": lambda d: signed_rank(d, 0.1, generator(), draws=500),
    "paired probability": probability_of_improvement_paired,
}
EVERYTHING_OF_TWO: dict[str, Callable[[Sample, Sample], Any]] = {
    **SHIFTS,
    **SHARES,
    **TWO_SAMPLE_TESTS,
}


def arms(n: int = 12) -> tuple[Sample, Sample]:
    draw = np.random.default_rng(0)
    return draw.normal(90.4, 1, n).round(2), draw.normal(90, 1, n - 2).round(2)


def centred(n: int = 12) -> Sample:
    return np.random.default_rng(1).normal(0.3, 1, n).round(2)


@pytest.mark.parametrize("name", EVERYTHING_OF_ONE)
def test_row_order_moves_nothing(name: str) -> None:
    function, values = EVERYTHING_OF_ONE[name], centred()
    assert repr(function(values)) == repr(function(values[::-1])) == repr(function(np.roll(values, 5)))


@pytest.mark.parametrize("name", EVERYTHING_OF_TWO)
def test_row_order_moves_nothing_in_two_arms(name: str) -> None:
    function, (a, b) = EVERYTHING_OF_TWO[name], arms()
    assert repr(function(a, b)) == repr(function(a[::-1], np.roll(b, 3)))


@pytest.mark.parametrize("name", LOCATION)
@pytest.mark.parametrize("n", [6, 12])
def test_location_moves_and_stretches_with_the_values(name: str, n: int) -> None:
    values = centred(n)
    plain, moved = LOCATION[name](values), LOCATION[name](3.5 * values + 90)
    for field in ("estimate", "low", "high"):
        assert getattr(moved, field) == pytest.approx(3.5 * getattr(plain, field) + 90, abs=1e-8), field


def test_spread_stretches_and_does_not_move() -> None:
    values = centred()
    plain, moved = std_interval(values), std_interval(90 - 3.5 * values)
    assert (moved.low, moved.high) == pytest.approx((3.5 * plain.low, 3.5 * plain.high))


@pytest.mark.parametrize("name", ONE_SAMPLE_TESTS)
def test_scale_and_sign_of_differences_leave_p_alone(name: str) -> None:
    test, values = ONE_SAMPLE_TESTS[name], centred()
    assert test(4 * values).p == pytest.approx(test(values).p)
    assert test(-values).p == pytest.approx(test(values).p)


@pytest.mark.parametrize("name", [*TWO_SAMPLE_TESTS, *SHARES])
def test_common_shift_and_scale_leave_p_and_shares_alone(name: str) -> None:
    function, (a, b) = EVERYTHING_OF_TWO[name], arms()
    plain, moved = function(a, b), function(4 * a + 10, 4 * b + 10)
    for field in ("p", "estimate", "low", "high"):
        if hasattr(plain, field):
            assert getattr(moved, field) == pytest.approx(getattr(plain, field))


@pytest.mark.parametrize("name", [*SHIFTS, "cliff"])
def test_swapped_arms_change_the_sign(name: str) -> None:
    function, (a, b) = EVERYTHING_OF_TWO[name], arms()
    there, back = function(a, b), function(b, a)
    assert (back.estimate, back.low, back.high) == pytest.approx((-there.estimate, -there.high, -there.low))


@pytest.mark.parametrize("name", EVERYTHING_OF_ONE)
def test_missing_values_are_dropped_and_counted(name: str) -> None:
    values = centred()
    whole, holed = (EVERYTHING_OF_ONE[name](v) for v in (values, [*values, np.nan, np.inf, -np.inf]))
    assert (whole.dropped, holed.dropped) == (0, 3)
    for field in fields(whole):
        if field.name != "dropped":
            assert repr(getattr(whole, field.name)) == repr(getattr(holed, field.name))


@pytest.mark.parametrize("name", EVERYTHING_OF_TWO)
def test_missing_values_of_either_arm_are_dropped_and_counted(name: str) -> None:
    a, b = arms()
    assert EVERYTHING_OF_TWO[name]([*a, np.nan], [np.nan, *b]).dropped == 2


@pytest.mark.parametrize("name", [name for name in EVERYTHING_OF_ONE if name != "describe"])
@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [1.5]])
def test_no_seed_and_one_seed_are_no_errors_and_say_why(name: str, values: list[float]) -> None:
    found = EVERYTHING_OF_ONE[name](np.array(values))
    assert found.n <= 1
    unknown = [getattr(found, field) for field in ("low", "p", "better") if hasattr(found, field)]
    assert found.note or np.isfinite(unknown).all()
    if not found.n:
        assert np.isnan(unknown).all() and found.note


@pytest.mark.parametrize("name", EVERYTHING_OF_TWO)
@pytest.mark.parametrize(("a", "b"), [([], []), ([np.nan], [1.0, 2.0, 3.0]), ([1.0], [2.0])])
def test_a_method_that_always_failed_is_no_error(name: str, a: list[float], b: list[float]) -> None:
    found = EVERYTHING_OF_TWO[name](np.array(a), np.array(b))
    assert found.n == (1 if a == [1.0] else 0)
    known = [getattr(found, field) for field in ("p", "high") if hasattr(found, field)]
    assert found.note or np.isfinite(known).all()


@pytest.mark.parametrize("n", [3, 12])
def test_identical_arms_do_not_differ(n: int) -> None:
    arm = arms(n)[0]
    nothing = pair(range(n), arm, range(n), arm).differences
    for test in (*(t(nothing) for t in ONE_SAMPLE_TESTS.values()), *(t(arm, arm) for t in TWO_SAMPLE_TESTS.values())):
        assert test.p == pytest.approx(1.0)
    for function in SHIFTS.values():
        assert function(arm, arm).estimate == pytest.approx(0, abs=1e-12)
    assert probability_of_improvement(arm, arm).estimate == 0.5
    assert probability_of_improvement_paired(nothing).estimate == 0.5
    assert cliffs_delta(arm, arm).estimate == 0
    assert paired_difference(nothing).estimate == hodges_lehmann(nothing).estimate == 0


def test_a_method_listed_twice_ranks_with_itself() -> None:
    scores = np.random.default_rng(3).normal(size=(9, 3))
    doubled = np.column_stack([scores, scores[:, 1]])
    found = nemenyi(doubled)
    assert found.mean_ranks[1] == found.mean_ranks[3] and found.p[1, 3] == pytest.approx(1.0)
    assert any({1, 3} <= set(clique) for clique in found.cliques)
    share = rank_distribution(list(doubled.T), generator(), paired=True, resamples=500).share
    np.testing.assert_array_equal(share[1], share[3])


def test_blocks_and_methods_may_come_in_any_order() -> None:
    scores = np.random.default_rng(3).normal(size=(9, 4))
    found, shuffled = friedman(scores), friedman(scores[::-1, [2, 0, 3, 1]])
    assert shuffled.test.p == pytest.approx(found.test.p)
    np.testing.assert_allclose(shuffled.mean_ranks, found.mean_ranks[[2, 0, 3, 1]])
    assert friedman(7 * scores + 50).test.p == pytest.approx(found.test.p)


def test_profile_of_a_method_that_always_failed() -> None:
    found = performance_profile(np.full(4, np.nan), [0.1, 0.5])
    assert (found.n, found.dropped) == (0, 4) and np.isnan(found.share).all() and found.note
    few = performance_profile([0.2, 0.6, 0.9], [0.5])
    assert few.share == pytest.approx(2 / 3) and np.isnan(few.low).all() and "at least 5" in few.note
