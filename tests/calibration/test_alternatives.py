"""The statistics that are measured and not used, by definition, enumeration and the numbers of the libraries."""

from __future__ import annotations

import numpy as np
import pytest
from alternatives import (
    PROPORTION_INTERVALS,
    brunner_munzel_interval,
    compare_proportions,
    iman_davenport,
    mean_of_stratified_seeds,
    mean_of_whole_seeds,
)

from analysis.statistics.bootstrap import bootstrap_interval
from analysis.statistics.summary import mean

A = np.array([93.42, 93.89, 93.13, 92.78, 94.03, 93.61, 93.17, 93.74, 92.95, 93.52])
B = np.array([93.71, 93.18, 92.14, 93.97, 93.06, 93.83, 92.69, 93.31, 91.84, 93.58])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_whole_seeds_stay_together() -> None:
    """Data sets that are copies of each other bring no information; drawn apart they seem to."""
    one = generator().normal(90, 1, size=10)
    copies = np.repeat(one[:, None], 5, axis=1)
    alone = bootstrap_interval(one, mean, generator(1), kind="percentile", resamples=999)
    together, apart = (draw(copies, generator(1), 999) for draw in (mean_of_whole_seeds, mean_of_stratified_seeds))
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert apart.high - apart.low < 0.6 * (alone.high - alone.low)
    assert np.isnan(mean_of_stratified_seeds(copies[:4], generator(), 999).low)


def test_brunner_munzel_interval_is_statsmodels() -> None:
    found = brunner_munzel_interval(A, B, logit=False)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.6, 0.316194702, 0.883805298))
    logit = brunner_munzel_interval(A, B, logit=True)
    centre = (np.log(logit.low / (1 - logit.low)) + np.log(logit.high / (1 - logit.high))) / 2
    assert centre == pytest.approx(np.log(0.6 / 0.4))
    separate = brunner_munzel_interval(A + 9, B, logit=True)
    assert separate.estimate == 1 and np.isnan(separate.low)
    assert np.isnan(brunner_munzel_interval(np.ones(3), np.ones(3), logit=False).low)


def test_iman_davenport_is_that_of_demsars_example() -> None:
    assert iman_davenport(9.278571428571437, 14, 4) == pytest.approx((3.686313032, 0.019823006))
    assert iman_davenport(12.0, 6, 3) == (float("inf"), 0.0)


@pytest.mark.parametrize(
    ("kind", "none_of_five", "four_of_ten"),
    [
        ("clopper-pearson", (0, 0.52182), (0.12155, 0.73762)),
        ("wilson", (0, 0.43448), (0.16818, 0.68733)),
        ("jeffreys", (0.00009, 0.37938), (0.15307, 0.69632)),
    ],
)
def test_proportion_intervals(kind: str, none_of_five: tuple[float, ...], four_of_ten: tuple[float, ...]) -> None:
    interval = PROPORTION_INTERVALS[kind]
    assert interval(0, 5) == pytest.approx(none_of_five, abs=1e-5)
    assert interval(4, 10) == pytest.approx(four_of_ten, abs=1e-5)


@pytest.mark.parametrize(("kind", "p"), [("fisher", 0.08669), ("barnard", 0.04219), ("boschloo", 0.04219)])
def test_two_proportions(kind: str, p: float) -> None:
    assert compare_proportions(4, 0, 10, kind) == pytest.approx(p, abs=1e-5)
    assert compare_proportions(0, 0, 5, kind) == compare_proportions(5, 5, 5, kind) == 1
