"""The facts that the reports' defaults rest on, by a short simulation; speed/calibration.py is the long one.

Every rate has a standard error of sqrt(p (1 - p) / REPETITIONS), 1.1 points at 5 % and 2.5 at 50 %; margins are three.
"""

from __future__ import annotations

import numpy as np
import pytest
from calibration import (
    BEGIN,
    END,
    INTERVAL_SHIFT,
    PAGE,
    SHARES,
    SIZES,
    coverage,
    proportion_coverage,
    proportion_error,
    rejections,
)
from calibration_checks import ONE_ARM, TESTS, TWO_ARMS
from calibration_worlds import NAMES, Arms, worlds

REPETITIONS = 400
MARGIN = 0.033
"""Three standard errors of a rate of 5 or 95 %."""


def world(name: str, shift: float = 0.0) -> Arms:
    return worlds(shift)[name]


def covered(name: str, title: str, n: int, repetitions: int = REPETITIONS) -> float:
    check = (ONE_ARM | TWO_ARMS)[name]
    return coverage(check, world(title, INTERVAL_SHIFT if name in TWO_ARMS else 0.0), n, repetitions)[0]


def rejected(name: str, title: str, n: int, repetitions: int = REPETITIONS) -> float:
    return rejections(TESTS[name], world(title), n, repetitions)


@pytest.mark.parametrize("n", SIZES)
def test_student_t_covers_normal_outcomes(n: int) -> None:
    assert abs(covered("mean: Student t", "normal", n) - 0.95) < MARGIN
    assert abs(covered("paired, mean difference: Student t", "normal", n) - 0.95) < MARGIN
    assert covered("difference of means: Welch", "normal", n) > 0.95 - MARGIN


def test_the_bootstrap_does_not_cover_at_three_seeds_and_falls_short_at_five() -> None:
    for kind in ("percentile", "BCa"):
        assert covered(f"mean: {kind} bootstrap", "normal", 3) < 0.85
        assert covered(f"mean: {kind} bootstrap", "normal", 5) < 0.95 - MARGIN
        assert covered(f"mean: {kind} bootstrap", "normal", 5) < covered("mean: Student t", "normal", 5)


def test_no_interval_of_the_mean_covers_where_some_seeds_collapse() -> None:
    for name in ("Student t", "percentile bootstrap", "BCa bootstrap"):
        assert covered(f"mean: {name}", "bimodal", 3) < 0.6
        assert covered(f"mean: {name}", "bimodal", 5) < 0.8


def test_seeds_drawn_anew_in_each_data_set_make_too_narrow_an_interval() -> None:
    stratified = covered("mean over data sets: percentile, stratified", "normal", 10)
    whole = covered("mean over data sets: percentile, whole seeds", "normal", 10)
    assert stratified < whole - 0.05
    assert abs(covered("mean over data sets: Student t of the seeds' means", "normal", 10) - 0.95) < MARGIN


@pytest.mark.parametrize("title", NAMES[:-1])
def test_order_statistics_cover_the_median_whatever_the_outcomes(title: str) -> None:
    for n in (10, 20):
        assert covered("median: order statistics", title, n) > 0.95 - MARGIN


@pytest.mark.parametrize("title", NAMES)
def test_newcombe_covers_the_probability_of_improvement(title: str) -> None:
    for n in (5, 10):
        assert covered("P(A > B): Newcombe", title, n) > 0.88


@pytest.mark.slow
@pytest.mark.parametrize("title", NAMES[:-1])
@pytest.mark.parametrize("name", ["paired: sign-flip", "unpaired: permutation"])
def test_exact_tests_keep_their_level_whatever_the_outcomes(name: str, title: str) -> None:
    for n in SIZES:
        assert rejected(name, title, n) < 0.05 + MARGIN


def test_wilcoxon_keeps_its_level_where_outcomes_tie() -> None:
    assert rejected("paired: Wilcoxon signed-rank", "skewed", 10) < 0.05 + MARGIN


def test_exact_paired_tests_never_reject_below_six_seeds() -> None:
    for name in ("paired: sign-flip", "paired: Wilcoxon signed-rank"):
        assert rejected(name, "normal", 3, 50) == rejected(name, "normal", 5, 50) == 0
    assert rejected("paired: sign-flip", "normal", 10) > 0


def test_holm_keeps_the_level_of_the_family() -> None:
    name = "paired: sign-flip, any of 3 pairs under Holm"
    assert rejected(name, "normal", 10) < 0.05 + MARGIN
    assert rejected(name, "bimodal", 10) < 0.05 + MARGIN


def test_three_seeds_would_convince_the_bayesian_test_too_often() -> None:
    name = "paired: Bayesian signed-rank, P >= 0.975 for either"
    assert rejected(name, "normal", 3, 200) > 0.1


def test_clopper_pearson_and_the_exact_tests_of_proportions_never_err_too_often() -> None:
    for share in SHARES:
        assert min(proportion_coverage("clopper-pearson", share, n) for n in SIZES) >= 0.95
        assert proportion_error("fisher", share, 5) <= proportion_error("boschloo", share, 5) <= 0.05
    assert min(proportion_coverage("wilson", share, n) for n in SIZES for share in SHARES) < 0.95


@pytest.mark.parametrize("n", [3, 20])
@pytest.mark.parametrize("title", NAMES)
def test_every_check_runs_in_every_world(title: str, n: int) -> None:
    for check in (ONE_ARM | TWO_ARMS).values():
        share, refused = coverage(check, world(title), n, 2)
        assert np.isnan(share) == (refused == 1)
    for test in TESTS.values():
        assert 0 <= rejections(test, world(title), n, 2) <= 1


def test_the_page_has_every_check() -> None:
    measured = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    missing = [name for name in ONE_ARM | TWO_ARMS | TESTS if f"| {name} |" not in measured]
    assert missing == [], "run: python speed/calibration.py"
