"""The course of a search against golden numbers."""

from __future__ import annotations

import numpy as np
import pytest
from statistics_golden import golden

from analysis.statistics.anytime import course, early_stopping_regret, onset
from analysis.statistics.intervals import t_interval


def test_regret_course_matches_golden() -> None:
    case = golden("anytime_regret")
    epochs = case.inputs["epochs"]
    regrets = case.inputs["optimum"] - np.array(case.inputs["acc"])
    found = course(epochs, regrets)
    assert found.mean.tolist() == case.approx("mean_regret")
    assert found.se.tolist() == case.approx("se")
    assert regrets[:, -1].tolist() == case.approx("final_regret_per_seed")
    assert early_stopping_regret(regrets).tolist() == case.approx("late_degradation")


def test_every_point_has_the_t_interval_of_the_seeds_known_there() -> None:
    values = np.random.default_rng(0).normal(size=(6, 4))
    values[0, 1] = values[1:4, 2] = np.nan
    values[:, 3] = np.nan
    found = course(range(1, 5), values)
    assert found.n.tolist() == [6, 5, 3, 0]
    for point in range(3):
        expected = t_interval(values[:, point])
        assert found.mean[point] == pytest.approx(expected.estimate)
        assert (found.low[point], found.high[point]) == pytest.approx((expected.low, expected.high))
    assert np.isnan([found.mean[3], found.se[3], found.low[3]]).all()
    two = course([1], values[:2, :1])
    assert np.isfinite(two.se[0]) and np.isnan(two.low[0])


def test_collapse_begins_where_it_no_longer_ends() -> None:
    collapsed = np.array([[0, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], dtype=bool)
    np.testing.assert_array_equal(onset([1, 2, 5, 10, 20], collapsed), [10, np.nan, 1, np.nan])


def test_holes_at_the_end_do_not_hide_the_last_known_regret() -> None:
    regrets = np.array([[5.0, 1.0, 3.0, np.nan], [np.nan] * 4, [4.0, 3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(early_stopping_regret(regrets), [2.0, np.nan, 0.0])
