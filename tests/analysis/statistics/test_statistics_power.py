"""Planning against golden numbers, and against the tests it plans for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statistics_golden import golden

from analysis.statistics.intervals import t_multiplier
from analysis.statistics.power import (
    planning_std,
    power_paired,
    power_unpaired,
    seeds_for_half_width,
    seeds_to_detect_paired,
    seeds_to_detect_unpaired,
    smallest_detectable_paired,
    smallest_detectable_unpaired,
)


@pytest.mark.parametrize("effect", ["0.5", "0.8", "1.0", "1.5", "2.0"])
def test_seeds_and_power_match_golden(effect: str) -> None:
    case = golden("power_sample_size")
    paired, unpaired = seeds_to_detect_paired(float(effect)), seeds_to_detect_unpaired(float(effect))
    assert paired.exact == case.approx("n_paired_dz", effect)
    assert unpaired.exact == case.approx("n_per_arm_two_sample", effect)
    assert paired.n == max(6, np.ceil(paired.exact)) and unpaired.n == np.ceil(unpaired.exact)
    assert power_paired(float(effect), 5) == case.approx("power_paired_n5", effect)


def test_smallest_detectable_matches_golden() -> None:
    case = golden("power_sample_size")
    for n in (3, 5, 10):
        assert smallest_detectable_paired(n) == case.approx(f"min_detectable_dz_n{n}")


def test_planned_power_is_what_the_test_has() -> None:
    plan = seeds_to_detect_paired(1.0)
    generator = np.random.default_rng(0)
    p = stats.ttest_1samp(generator.normal(1, 1, (4000, plan.n)), 0.0, axis=1).pvalue
    assert np.mean(p <= 0.05) == pytest.approx(power_paired(1.0, plan.n), abs=0.02)  # three standard errors
    assert power_paired(1.0, plan.n) >= 0.8 > power_paired(1.0, plan.n - 1)


def test_a_family_of_tests_needs_more_seeds() -> None:
    for plan in (seeds_to_detect_paired, seeds_to_detect_unpaired):
        assert plan(1.0, family=6).n > plan(1.0).n
        assert "0.05 / 6" in plan(1.0, family=6).method
    assert seeds_to_detect_paired(50.0).n == 6
    assert seeds_to_detect_paired(50.0, family=6).n == 8
    assert seeds_to_detect_unpaired(50.0).n == 4


def test_effects_too_small_or_too_large_are_no_errors() -> None:
    assert seeds_to_detect_paired(0.0).exact == seeds_to_detect_unpaired(0.0).exact == np.inf
    assert seeds_for_half_width(1.0, 0.0).exact == np.inf
    assert seeds_to_detect_paired(-1.0).n == seeds_to_detect_paired(1.0).n
    assert np.isnan([smallest_detectable_paired(1), smallest_detectable_unpaired(1), planning_std(1.0, 1)]).all()
    assert smallest_detectable_paired(2) > 10
    assert power_unpaired(smallest_detectable_unpaired(7), 7) == pytest.approx(0.8)


@pytest.mark.parametrize("half_width", [0.05, 0.3, 2.0])
def test_half_width_is_reached_with_the_first_n_that_can(half_width: float) -> None:
    plan = seeds_for_half_width(1.0, half_width)
    assert t_multiplier(plan.n) / np.sqrt(plan.n) <= half_width
    assert plan.n == 3 or t_multiplier(plan.n - 1) / np.sqrt(plan.n - 1) > half_width


def test_planning_std_is_a_one_sided_limit() -> None:
    pilot = np.array([93.1, 93.9, 92.4, 94.2, 93.5])
    assert planning_std(pilot.std(ddof=1), 5) == pytest.approx(pilot.std(ddof=1) * np.sqrt(4 / 1.6488), rel=1e-4)
    assert planning_std(1.0, 5) > 1


@pytest.mark.parametrize(("n", "family"), [(2, 180_000), (3_000, 599), (5_001, 599), (200_000, 1)])
def test_large_studies_have_a_smallest_effect(n: int, family: int) -> None:
    for smallest, power in ((smallest_detectable_paired, power_paired), (smallest_detectable_unpaired, power_unpaired)):
        effect = smallest(n, family=family)
        assert effect == np.inf or power(effect, n, 0.05 / family) == pytest.approx(0.8)
