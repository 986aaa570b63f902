"""Variance components against simulation and a hand calculation; the bias of picking the best."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.selection import expected_inflation
from analysis.statistics.variance import nested


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def simulated(groups: int, replicates: int, search: float, training: float, seed: int = 0) -> np.ndarray:
    draw = generator(seed)
    return 90 + draw.normal(0, search, (groups, 1)) + draw.normal(0, training, (groups, replicates))


def test_balanced_components_are_those_of_the_anova_table() -> None:
    values = simulated(6, 3, 1.0, 0.5)
    found = nested(values)
    f = stats.f_oneway(*values).statistic
    within = np.mean(values.var(axis=1, ddof=1))
    assert found.training == pytest.approx(within)
    assert found.search == pytest.approx(values.mean(axis=1).var(ddof=1) - within / 3)
    assert found.icc.estimate == pytest.approx((f - 1) / (f + 2))
    assert found.icc.estimate == pytest.approx(found.search / (found.search + found.training))
    assert found.icc.low < found.icc.estimate < found.icc.high


def test_unequal_groups_are_unbiased() -> None:
    found = []
    for seed in range(200):
        values = simulated(10, 3, 1.0, 0.5, seed)
        values[4:, 2] = np.nan
        values[8:, 1:] = np.nan
        found.append(nested(values))
    assert np.mean([f.search_raw for f in found]) == pytest.approx(1.0, abs=0.12)
    assert np.mean([f.training for f in found]) == pytest.approx(0.25, abs=0.02)
    assert {(f.groups, f.values) for f in found} == {(10, 22)}


def test_a_negative_component_is_shown_as_zero_with_its_raw_value() -> None:
    values = np.tile([89.0, 90.0, 91.0], (4, 1))
    found = nested(values)
    assert (found.search, found.training) == (0.0, 1.0) and found.search_raw < 0
    assert "negative" in found.note and found.icc.estimate == 0


def test_rows_without_values_do_not_count_and_too_little_is_no_error() -> None:
    values = np.vstack([simulated(3, 2, 1.0, 0.5), [[np.nan, np.nan]]])
    assert nested(values).groups == 3
    for short in (np.full((3, 2), np.nan), [[90.0, 91.0]], [[90.0], [91.0]]):
        assert np.isnan(nested(short).search) and "two search seeds" in nested(short).note
    assert nested([[1.0, 1.0], [1.0, 1.0]]).training == 0


@pytest.mark.parametrize(("settings", "n", "inflation"), [(5, 5, 0.52), (10, 5, 0.69), (20, 5, 0.84), (20, 10, 0.59)])
def test_inflation_is_that_of_simulated_selection(settings: int, n: int, inflation: float) -> None:
    assert expected_inflation(settings, n) == pytest.approx(inflation, abs=0.005)
    means = generator().normal(size=(4000, settings, n)).mean(axis=2)
    assert means.max(axis=1).mean() == pytest.approx(inflation, abs=0.03)
    assert expected_inflation(1, n) == 0
