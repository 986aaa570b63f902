"""Ranks over blocks against Demšar's example and scikit-posthocs; rank distributions; the Bayesian test."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statistics_golden import golden

from analysis.statistics.bayes import PRIOR, signed_rank
from analysis.statistics.ranks import cliques, friedman, mean_ranks, nemenyi, rank_distribution


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_friedman_and_nemenyi_match_demsar() -> None:
    case = golden("friedman_nemenyi_demsar2006")
    scores, methods = np.array(case.inputs["scores"]), case.inputs["methods"]
    found, pairs = friedman(scores), nemenyi(scores)
    assert dict(zip(methods, found.mean_ranks, strict=True)) == case.approx("mean_ranks")
    assert found.test.statistic == case.approx("friedman_chi2_tie_corrected")
    assert found.test.p == case.approx("friedman_p_tie_corrected")
    assert found.kendall_w == case.approx("kendall_W")
    assert pairs.critical_difference == case.approx("nemenyi_cd_alpha05")
    p = {f"{methods[i]}|{methods[j]}": pairs.p[i, j] for i, j in combinations(range(4), 2)}
    assert p == case.approx("nemenyi_p")


def test_bars_of_the_diagram_join_what_does_not_differ() -> None:
    case = golden("friedman_nemenyi_demsar2006")
    found = nemenyi(np.array(case.inputs["scores"]))
    assert found.cliques == [[3, 1, 2, 0]]
    distances = np.abs(np.subtract.outer(found.mean_ranks, found.mean_ranks))
    at_ten_percent = distances <= case.expected["nemenyi_cd_alpha10"]
    assert cliques(at_ten_percent, found.mean_ranks) == [[3, 1, 2], [2, 0]]
    apart = np.eye(3, dtype=bool)
    assert cliques(apart, np.array([1.0, 2.0, 3.0])) == []
    chain = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=bool)
    assert cliques(chain, np.array([2.0, 1.0, 3.0])) == [[1, 0], [1, 2]]


def test_cliques_are_all_largest_groups_and_many_methods_take_no_time() -> None:
    draw = generator()
    for _ in range(20):
        alike = np.triu(draw.random((7, 7)) < 0.6, 1)
        alike |= alike.T | np.eye(7, dtype=bool)
        groups = [set(g) for size in range(2, 8) for g in combinations(range(7), size) if alike[np.ix_(g, g)].all()]
        largest = [g for g in groups if not any(g < other for other in groups)]
        found = cliques(alike, np.arange(7.0))
        assert sorted(map(sorted, found)) == sorted(map(sorted, largest)) == found
    assert cliques(np.ones((40, 40), dtype=bool), np.arange(40.0)) == [list(range(40))]


def test_few_blocks_are_refused_with_the_reason() -> None:
    scores = generator().normal(size=(3, 4))
    found, pairs = friedman(scores), nemenyi(scores)
    assert np.isnan([found.test.p, pairs.critical_difference]).all() and pairs.cliques == []
    assert found.test.note == pairs.note == "the test needs at least 5 blocks, but there are 3"
    assert found.mean_ranks.sum() == 10
    assert friedman(generator().normal(size=(9, 2))).test.note == "the test needs at least 3 methods, but there are 2"
    assert "there are 0" in friedman(np.full((4, 3), np.nan)).test.note


def test_full_agreement_and_full_ties() -> None:
    agreed = np.arange(3) + 10.0 * np.arange(6)[:, None]
    assert friedman(agreed).kendall_w == pytest.approx(1)
    assert friedman(np.ones((6, 3))).test.p == 1.0


def test_a_block_with_a_hole_is_left_out() -> None:
    scores = generator().normal(size=(8, 3))
    holed = np.vstack([scores, [1.0, np.nan, 2.0]])
    assert friedman(holed).test.dropped == 1
    np.testing.assert_array_equal(mean_ranks(holed), mean_ranks(scores))


def test_rank_distribution_of_clear_and_of_equal_methods() -> None:
    seeds = generator().normal(size=12)
    found = rank_distribution([seeds, seeds + 5, seeds], generator(), paired=True)
    np.testing.assert_allclose(found.share, [[0, 0.5, 0.5], [1, 0, 0], [0, 0.5, 0.5]])
    apart = rank_distribution([seeds, seeds + 5, seeds[:7]], generator(), paired=False)
    np.testing.assert_allclose(apart.share.sum(axis=1), 1)
    np.testing.assert_allclose(apart.share.sum(axis=0), 1)
    assert apart.n == 7 and 0 < apart.share[0, 1] < 1


def test_rank_distribution_of_pairs_leaves_out_incomplete_seeds() -> None:
    found = rank_distribution([[1.0, 2.0, np.nan], [2.0, 3.0, 4.0]], generator(), paired=True)
    assert (found.n, found.dropped) == (2, 1)
    assert "at least 2 seeds" in rank_distribution([[1.0], [2.0]], generator(), paired=False).note


def test_bayesian_signed_rank_is_the_double_sum() -> None:
    differences = np.array([0.3, -0.1, 0.2, 0.5, 0.1, 0.4])
    margin = 0.1
    at = np.append(0.0, differences)
    sums = np.add.outer(at, at).round(10)
    above = (sums > 2 * margin) + 0.5 * (sums == 2 * margin)
    below = (sums < -2 * margin) + 0.5 * (sums == -2 * margin)
    wins = np.zeros(3)
    for weights in generator(1).dirichlet([PRIOR, *np.ones(6)], size=20_000):
        better, worse = weights @ above @ weights, weights @ below @ weights
        wins[np.argmax([better, 1 - better - worse, worse])] += 1
    found = signed_rank(differences, margin, generator(2))
    assert (found.better, found.equivalent, found.worse) == pytest.approx(tuple(wins / 20_000), abs=0.015)
    assert found.better + found.equivalent + found.worse == pytest.approx(1)


def test_bayesian_signed_rank_follows_the_data() -> None:
    differences = generator().normal(1, 0.5, 12)
    assert signed_rank(differences, 0.2, generator()).better > 0.99
    assert signed_rank(-differences, 0.2, generator()).worse > 0.99
    assert signed_rank(differences, 5.0, generator()).equivalent > 0.99
    halves = signed_rank(np.append(differences, -differences), 0.0, generator())
    assert halves.better == pytest.approx(0.5, abs=0.02)
    many = generator(5).normal(0.25, 1, 40)
    one_sided = stats.wilcoxon(many, alternative="greater").pvalue  # with no margin P(worse) comes near it
    assert signed_rank(many, 0.0, generator()).worse == pytest.approx(one_sided, abs=0.02)


def test_three_seeds_convince_the_bayesian_test_of_anything_so_it_is_refused() -> None:
    differences = [0.1, 0.2, 0.3]
    assert "at least 5 pairs" in signed_rank(differences, 0.0, generator()).note
    assert signed_rank(differences, 0.0, generator(), minimum=3).better > 0.93
