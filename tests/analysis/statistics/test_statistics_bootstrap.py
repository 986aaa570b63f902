"""The bootstrap against full enumeration and scipy."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy import stats
from statistics_golden import golden

from analysis.statistics.bootstrap import (
    EXACT_N,
    bootstrap_interval,
    distinct_resamples,
    resample,
    studentised_interval,
    weighted_quantiles,
)
from analysis.statistics.estimate import FloatArray
from analysis.statistics.intervals import t_interval
from analysis.statistics.summary import iqm, mean


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_enumeration_matches_golden_and_random_resamples_come_near() -> None:
    case = golden("bootstrap_exact_enumeration_n5")
    values = case.inputs["x"]
    found = bootstrap_interval(values, mean, generator(), kind="percentile")
    assert found.estimate == case.approx("mean")
    assert [found.low, found.high] == case.approx("ci95_percentile_mean")
    trimmed = bootstrap_interval(values, iqm, generator(), kind="percentile")
    assert [trimmed.low, trimmed.high] == case.approx("ci95_percentile_iqm")
    assert len(distinct_resamples(5)[0]) == case.expected["distinct_resamples"]
    drawn, weights = resample(np.array(values), mean, generator())
    variance = np.average((drawn - np.mean(values)) ** 2, weights=weights)
    assert np.sqrt(variance) == case.approx("se_boot_exact")
    assert np.sqrt(variance) == case.approx("se_plugin")
    assert stats.sem(values) == case.approx("se_classic")
    student = t_interval(values)
    assert [student.low, student.high] == case.approx("ci95_t")


@pytest.mark.parametrize("n", [1, 2, 3, EXACT_N])
def test_distinct_resamples_count_every_order_once(n: int) -> None:
    indices, weights = distinct_resamples(n)
    assert weights.sum() == n**n
    assert len(indices) == comb(2 * n - 1, n) == len({tuple(row) for row in indices})


def test_weighted_quantiles_are_those_of_the_repeated_values() -> None:
    values, weights = generator().normal(size=40), generator(1).integers(1, 9, size=40)
    probabilities = np.linspace(0, 1, 33)
    expected = np.quantile(np.repeat(values, weights), probabilities)
    np.testing.assert_allclose(weighted_quantiles(values, weights, probabilities), expected)


@pytest.mark.parametrize("name", ["mean", "median", "sd"])
def test_bca_matches_golden(name: str) -> None:
    case = golden("bca_interval")
    statistic = {
        "mean": mean,
        "median": lambda values: np.median(values, axis=-1),
        "sd": lambda values: np.std(values, axis=-1, ddof=1),
    }[name]
    found = bootstrap_interval(case.inputs["x"], statistic, generator(), resamples=99_999)
    assert [found.low, found.high] == case.approx(name)


def test_bca_of_few_seeds_is_scipys_limit() -> None:
    values = np.array([93.1041, 93.9177, 92.4392, 94.2268, 93.5013, 90.1734])
    found = bootstrap_interval(values, mean, generator())
    theirs = stats.bootstrap((values,), np.mean, n_resamples=99_999, method="BCa", rng=generator())
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)


def test_studentised_matches_the_enumeration_of_all_t_statistics() -> None:
    values = np.array([93.1, 93.9, 92.4, 94.2, 93.5])
    samples = np.array(list(product(values, repeat=5)))
    spread = samples.std(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (samples.mean(axis=1) - values.mean()) / (spread / np.sqrt(5))
    t[spread < 1e-9] = np.sign(samples.mean(axis=1) - values.mean())[spread < 1e-9] * np.inf
    low_t, high_t = np.quantile(t, [0.025, 0.975])
    found = studentised_interval(values, generator())
    error = values.std() / np.sqrt(5)
    assert (found.low, found.high) == pytest.approx((values.mean() - high_t * error, values.mean() - low_t * error))


def test_the_same_generator_gives_the_same_interval_and_another_does_not() -> None:
    values = generator().normal(size=12)
    first, same, other = (bootstrap_interval(values, iqm, generator(seed)) for seed in (3, 3, 4))
    assert first == same != other


def test_few_seeds_are_refused_unless_asked_for() -> None:
    values = [90.0, 91.0, 93.0]
    for refused in (bootstrap_interval(values, mean, generator()), studentised_interval(values, generator())):
        assert np.isnan([refused.low, refused.high]).all() and refused.n == 3
        assert refused.note == "the bootstrap needs at least 5 seeds, but there are 3"
    assert np.isfinite(bootstrap_interval(values, mean, generator(), minimum=3).low)
    assert "hold one value only" in studentised_interval(values, generator(), minimum=3).note


def test_a_statistic_that_no_resample_reaches_is_refused_by_bca() -> None:
    def distinct(sample: FloatArray) -> FloatArray:
        return (np.diff(np.sort(sample, axis=-1), axis=-1) > 0).sum(axis=-1) + 1.0

    values = np.arange(20.0)
    refused = bootstrap_interval(values, distinct, generator(), resamples=999)
    assert refused.estimate == 20 and np.isnan(refused.low) and "edge" in refused.note
    assert bootstrap_interval(values, distinct, generator(), kind="percentile", resamples=999).high < 20


def test_equal_values_are_a_point() -> None:
    found = [bootstrap_interval([54.3] * 5, mean, generator(), kind=kind) for kind in ("bca", "percentile")]
    found.append(studentised_interval([54.3] * 5, generator()))
    for interval in found:
        assert (interval.low, interval.high) == pytest.approx((54.3, 54.3))
