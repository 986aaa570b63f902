"""Choosing on half of the seeds and scoring on the other half."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from analysis.sensitivity.numbers.crossfit import EXACT_HALVES, halves, in_sample, worst_only
from analysis.statistics.selection import expected_inflation


def best(values: np.ndarray, generator: np.random.Generator) -> float:
    return halves(values, generator).best(np.arange(len(values)))


@pytest.mark.parametrize("n", [6, 11])
def test_it_takes_the_bias_away_that_choosing_adds(n: int) -> None:
    draw = np.random.default_rng(0)
    studies = [90 + draw.normal(size=(15, n)) for _ in range(100)]
    assert np.mean([best(values, draw) for values in studies]) == pytest.approx(90, abs=0.12)
    naive = [in_sample(values.mean(axis=1)).best(np.arange(15)) for values in studies]
    assert np.mean(naive) == pytest.approx(90 + expected_inflation(15, n), abs=0.12)


def test_it_is_the_mean_over_all_halves_written_out() -> None:
    values = np.random.default_rng(1).normal(size=(4, 5))
    expected = []
    for chosen in combinations(range(5), 2):
        rest = [seed for seed in range(5) if seed not in chosen]
        expected.append(values[values[:, chosen].mean(axis=1).argmax(), rest].mean())
    assert best(values, np.random.default_rng(2)) == pytest.approx(np.mean(expected))


def test_a_setting_that_is_truly_better_is_scored_by_all_its_seeds() -> None:
    values = np.random.default_rng(1).normal(size=(4, 6)) + np.array([0, 0, 50, 0])[:, None]
    values[1, :3] = np.nan
    split = halves(values, np.random.default_rng(2))
    assert split.best(np.arange(4)) == pytest.approx(values[2].mean()) and split.chosen_on.shape == (4, 20)
    assert split.ranked(worst_only) < 5
    assert np.isnan(halves(np.full((3, 2), np.nan), np.random.default_rng(2)).best(np.arange(3)))


def test_how_many_halves() -> None:
    draw = np.random.default_rng(0)
    assert halves(np.zeros((2, 10)), draw).chosen_on.shape[1] == EXACT_HALVES
    assert halves(np.zeros((2, 30)), draw).chosen_on.shape[1] == EXACT_HALVES
    with pytest.raises(ValueError, match="from two upwards, but got 1"):
        halves(np.zeros((2, 1)), draw)
