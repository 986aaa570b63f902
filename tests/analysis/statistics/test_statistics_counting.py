"""Randomisation tests of more seeds than are gone through: counted on a grid, and their tails, against enumeration."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from analysis.statistics.counting import common_step, count_divisions, count_flips
from analysis.statistics.estimate import HypothesisTest
from analysis.statistics.paired import sign_flip
from analysis.statistics.tails import approximate_divisions, approximate_flips
from analysis.statistics.unpaired import permutation

A = np.array([93.42, 93.89, 93.13, 92.78, 94.03, 93.61, 93.17, 93.74, 92.95, 93.52, 93.80])
B = np.array([93.71, 93.18, 92.14, 93.97, 93.06, 93.83, 92.69, 93.31, 91.84, 93.58, 92.40])
COLLAPSING = 91 + np.arange(60) % 13 / 10 - np.where(np.arange(60) % 20, 0, 80)
TIED = np.array([30, -10, 25, 40, 5, 0, 15, -20, 35, 10, 45, 20, -5, 50, 30, 25, -15, 40, 10, 55]) / 100


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def enumerated_flips(differences: np.ndarray) -> float:
    sums = np.array(list(product([-1, 1], repeat=len(differences)))) @ differences
    return float(np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-9))


def enumerated_divisions(a: np.ndarray, b: np.ndarray) -> float:
    pool = np.concatenate([a, b])
    chosen = np.array(list(combinations(range(len(pool)), len(a))))
    off = np.abs(pool[chosen].sum(axis=1) - len(a) * pool.mean())
    return float(np.mean(off >= off[0] - 1e-9))


def counted_divisions(a: np.ndarray, b: np.ndarray) -> tuple[float, bool]:
    pool = np.concatenate([a, b])
    found = count_divisions(pool, len(a), abs(a.sum() - len(a) * pool.mean()) - 1e-9)
    assert found
    return found.p, found.exact


KINDS = {
    "two decimals": lambda x: x.round(2),
    "means of three": lambda x: (300 * x).round() / 300,
    "tied": lambda x: x.round(),
    "two-valued": lambda x: (x > 0.5) * 1.0,
    "collapsed": lambda x: np.where(x < -0.8, x - 80, x).round(1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_on_a_grid_are_counted_as_enumeration_does(kind: str) -> None:
    """A saddlepoint gives half of p to 2.7 times p."""
    draw = generator()
    for n_a, n_b in ((2, 9), (4, 4), (5, 3), (3, 8), (6, 6)):
        a, b = KINDS[kind](draw.normal(1.5, 1, n_a)), KINDS[kind](draw.normal(0, 1, n_b))
        assert counted_divisions(a, b) == (pytest.approx(enumerated_divisions(a, b), rel=1e-10), True)
        d = KINDS[kind](draw.normal(0.7, 1, n_b + 3)).round(10)
        found = count_flips(d, abs(d.sum()) - 1e-9)
        assert found and (found.p, found.exact) == (pytest.approx(enumerated_flips(d), rel=1e-10), True)


def test_values_on_no_grid_are_never_counted_too_low() -> None:
    draw = generator()
    for n_a, n_b in ((2, 9), (4, 6), (3, 8), (6, 6)):
        a, b = draw.normal(1.5, 1, n_a), draw.normal(0, 1, n_b)
        p, _ = counted_divisions(a, b)
        assert 1 - 1e-10 <= p / enumerated_divisions(a, b) < 1.05
        found = count_flips(a, abs(a.sum()) - 1e-9)
        assert found and 1 - 1e-10 <= found.p / enumerated_flips(a) < 1.05


@pytest.mark.parametrize(
    ("found", "as_extreme", "of"),
    [
        (permutation(A, B, generator()), 90_956, 705_432),
        (permutation(A + 0.8, B, generator()), 62, 705_432),
        (permutation([92.0, 92.1, 92.2], COLLAPSING, generator()), 5_826, 39_711),
        (permutation([11.0, 12.5, 92.0], COLLAPSING, generator()), 521, 39_711),
        (permutation([1.0] * 9 + [0.0], [0.0] * 10, generator()), 22, 184_756),
        (permutation([1.0] * 10, [0.0] * 10, generator()), 2, 184_756),
        (sign_flip(TIED, generator()), 1_640, 2**20),
    ],
)
def test_more_seeds_than_are_gone_through_have_an_exact_p(found: HypothesisTest, as_extreme: int, of: int) -> None:
    """Golden counts of all flips or divisions, made with whole numbers."""
    assert found.p == pytest.approx(as_extreme / of, rel=1e-9)
    assert found.method.startswith("exact")


def test_off_the_grid_the_bound_holds_beyond_what_is_gone_through() -> None:
    a, b = generator(1).normal(2.3, 1, 8), generator(2).normal(0, 1, 12)
    found, exact = permutation(a, b, generator()), enumerated_divisions(a, b)
    assert "counted in steps of" in found.method and exact < 1e-3
    assert exact * (1 - 1e-10) <= found.p < 1.05 * exact


@pytest.mark.parametrize("decimals", [0, 1])
def test_tails_beyond_all_counting_are_those_of_the_count(decimals: int) -> None:
    for n_a, n_b in ((60, 60), (40, 120)):
        a, b = generator(n_b).normal(0.9, 1, n_a).round(decimals), generator(2).normal(0, 1, n_b).round(decimals)
        pool = np.concatenate([a, b])
        reached = abs(a.sum() - n_a * pool.mean()) - 1e-9 * pool.size
        counted = count_divisions(pool, n_a, reached)
        assert counted and counted.exact and counted.p < 1e-3
        assert approximate_divisions(pool, n_a, reached) == pytest.approx(counted.p, rel=0.06)
    d = generator(3).normal(0.4, 1, 200).round(decimals)
    counted = count_flips(d, d.sum() - 1e-9)
    assert counted and counted.exact and counted.p < 1e-3
    assert approximate_flips(d, d.sum() - 1e-9) == pytest.approx(counted.p, rel=0.06)


def test_the_outermost_sum_is_reached_in_as_many_ways_as_there_are_ties() -> None:
    """Of 100 seeds in each arm 12 collapse, all in one: no chance in 10**58, but one in 20,000."""
    pool = np.where(np.arange(200) < 12, 0.0, 1.0)
    reached = 100 - 94 - 1e-6
    counted = count_divisions(pool, 100, reached)
    assert counted and counted.p == pytest.approx(approximate_divisions(pool, 100, reached))
    assert counted.p == pytest.approx(2 * np.prod((100.0 - np.arange(12)) / (200 - np.arange(12))))
    assert approximate_flips(np.ones(3_000) * 0.1, 300 - 1e-6) == 0.0


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([0.0, 0.36, 90.35], 0.01),
        ([0.3333333333, 0.6666666667, 40.3333333333, 0.0566666667], 1 / 300),
        ([12.5, 0.1, 0.0], 0.1),
        ([7.0], 7.0),
    ],
)
def test_the_common_step(values: list[float], step: float) -> None:
    assert common_step(np.array(values)) == pytest.approx(step, rel=1e-8)
