"""Intervals and proportions against golden numbers."""

from __future__ import annotations

import numpy as np
import pytest
from statistics_golden import golden

from analysis.statistics.intervals import (
    median_coverage,
    median_interval,
    relative_improvement,
    smallest_n_for_median,
    std_interval,
    t_interval,
    t_multiplier,
)
from analysis.statistics.proportions import proportion_interval


def test_student_t_matches_golden() -> None:
    case = golden("t_interval_small_n")
    for n in range(2, 11):
        assert t_multiplier(n) == case.approx("t_multiplier", str(n))
    three, five = t_interval(case.inputs["n3"]), t_interval(case.inputs["n5"])
    assert three.estimate == case.approx("n3", "mean")
    assert [three.low, three.high] == case.approx("n3", "ci95")
    assert [five.low, five.high] == case.approx("n5", "ci95")
    assert std_interval(case.inputs["n3"]).estimate == case.approx("n3", "sd")
    spread = std_interval(case.inputs["n5"])
    assert [spread.low, spread.high] == case.approx("n5", "sd_ci95_chi2")


def test_median_matches_golden() -> None:
    case = golden("median_order_statistic_ci")
    found = median_interval(case.inputs["x"])
    assert [found.low, found.high] == case.approx("ci")
    assert [found.low, found.high] == case.approx("quantile_test_ci")
    assert median_coverage(10, 2) == case.approx("coverage")
    assert "values 2 and 9 of 10" in found.method and "97.9 %" in found.method
    assert median_coverage(5, 1) == case.approx("max_coverage_n5")
    assert smallest_n_for_median() == case.expected["smallest_n_for_95"]


def test_median_of_five_seeds_has_no_interval_and_says_why() -> None:
    found = median_interval([3.0, 1.0, 2.0, 5.0, 4.0])
    assert found.estimate == 3.0 and np.isnan([found.low, found.high]).all()
    assert found.note == "95 % needs n >= 6; from smallest to largest of 5 covers 93.8 %"
    assert np.isfinite(median_interval(np.arange(6)).low)


def test_two_seeds_have_a_mean_and_no_interval() -> None:
    for interval in (t_interval, std_interval):
        found = interval([90.0, 92.0])
        assert np.isfinite(found.estimate) and np.isnan([found.low, found.high]).all()
        assert found.note == "the interval needs at least 3 values, but there are 2"


def test_equal_values_have_an_interval_without_width_and_say_so() -> None:
    found = t_interval([54.3] * 4)
    assert (found.low, found.high) == (54.3, 54.3)
    assert "no width" in found.note


def test_relative_improvement_is_in_percent_of_the_baseline() -> None:
    found, mean = relative_improvement([88.0, 90.0, 92.0], 87.06), t_interval([88.0, 90.0, 92.0])
    assert found.estimate == pytest.approx(100 * (90 - 87.06) / 87.06)
    assert found.low == pytest.approx(100 * (mean.low - 87.06) / 87.06)


def test_proportions_match_golden() -> None:
    case = golden("collapse_probability")
    for counts in case.inputs["k_n"]:
        found = proportion_interval(*map(int, counts.split("/")))
        assert [found.low, found.high] == case.approx(counts)


def test_a_proportion_without_trials_is_no_error() -> None:
    assert np.isnan(proportion_interval(0, 0).estimate)
