"""Expected running times against their definition, and against runs whose true time is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.running_time import expected_running_time


def test_it_is_all_budget_per_success_with_whole_runs_left_out() -> None:
    spent, reached = np.array([10.0, 20, 50, 50, 35]), np.array([1, 1, 0, 0, 1], dtype=bool)
    found = expected_running_time(spent, reached)
    assert found.estimate == 165 / 3 and found.n == 5
    logs = np.log([(165 - b) / (3 - r) for b, r in zip(spent, reached, strict=True)])
    half = stats.t.ppf(0.975, 4) * np.sqrt(4 * np.var(logs))
    assert [found.low, found.high] == pytest.approx([55 * np.exp(-half), 55 * np.exp(half)])
    longer = expected_running_time([*spent, np.nan], [*reached, True])
    assert (longer.estimate, longer.n, longer.dropped) == (55, 5, 1)


@pytest.mark.parametrize(
    ("spent", "reached", "estimate", "note"),
    [
        ([], [], np.nan, "at least 1 runs"),
        ([50, 50, 50], [0, 0, 0], np.inf, "no run reached"),
        ([10, 50, 50], [1, 0, 0], 110, "needs two runs that reached"),
        ([10, 20], [1, 1], 15, "at least 3 runs"),
        ([10, 10, 10], [1, 1, 1], 10, "spent the same"),
        ([0, 0, 0], [1, 1, 1], 0, "spent the same"),
        ([0, 0, 9], [1, 1, 1], 3, "spent the same"),
    ],
)
def test_what_has_no_interval_says_why(spent: list[float], reached: list[int], estimate: float, note: str) -> None:
    found = expected_running_time(spent, reached)
    assert found.estimate == pytest.approx(estimate, nan_ok=True)
    assert np.isnan(found.low) and np.isnan(found.high) and note in found.note


@pytest.mark.parametrize("cut", [1.0, 3.0])
def test_the_interval_covers_the_time_of_runs_without_memory(cut: float) -> None:
    """Exponential times of mean 1: wherever they are cut, the expected running time is 1. Three standard errors."""
    generator = np.random.default_rng(0)
    times = generator.exponential(size=(600, 10))
    found = [expected_running_time(np.minimum(own, cut), own <= cut) for own in times]
    given = [one for one in found if np.isfinite(one.low)]
    assert len(given) > 590 and np.mean([one.low <= 1 <= one.high for one in given]) > 0.95 - 0.027
