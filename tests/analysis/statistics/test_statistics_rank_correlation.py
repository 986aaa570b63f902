"""Rank correlations and their jackknife against SciPy, one architecture left out after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.estimate import Estimate
from analysis.statistics.rank_correlation import kendall, sign_products, spearman, tied_pairs, top_precision
from trainables.benchmarks.table import open_table

Pair = tuple[np.ndarray, np.ndarray]
OURS = {stats.kendalltau: kendall, stats.spearmanr: spearman}


def pair(n: int, decimals: int, seed: int = 0) -> Pair:
    """Correlated values; few decimals make ties."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=n)
    return x.round(decimals), (x + generator.normal(size=n)).round(decimals)


@pytest.mark.parametrize("decimals", [9, 0])
@pytest.mark.parametrize("n", [5, 12, 33])
@pytest.mark.parametrize("theirs", OURS, ids=["tau", "rho"])
def test_estimate_and_interval_are_those_of_leaving_one_out(
    theirs: Callable[..., object], n: int, decimals: int
) -> None:
    x, y = pair(n, decimals)
    found: Estimate = OURS[theirs](x, y)
    whole = theirs(x, y).statistic  # type: ignore[attr-defined]
    without = np.array([theirs(np.delete(x, i), np.delete(y, i)).statistic for i in range(n)])  # type: ignore[attr-defined]
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, n - 1) * error / (1 - whole**2)
    expected = [whole, np.tanh(np.arctanh(whole) - half), np.tanh(np.arctanh(whole) + half)]
    assert [found.estimate, found.low, found.high] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("decimals", [9, 0])
def test_sums_of_signs_are_those_of_all_pairs(decimals: int) -> None:
    x, y = pair(41, decimals)
    expected = (np.sign(x[:, None] - x) * np.sign(y[:, None] - y)).sum(axis=0)
    assert sign_products(x, y).tolist() == expected.tolist()
    assert tied_pairs(x) == pytest.approx(((x[:, None] == x).sum() - 41) / (41 * 40))


def test_neither_order_nor_scale_nor_missing_pairs_move_it() -> None:
    x, y = pair(30, 1)
    order = np.random.default_rng(1).permutation(32)
    holed_x, holed_y = np.append(np.exp(x), [np.nan, 3.0])[order], np.append(5 * y, [2.0, np.nan])[order]
    for ours in OURS.values():
        whole, holed = ours(x, y), ours(holed_x, holed_y)
        assert (holed.n, holed.dropped) == (30, 2)
        assert [holed.estimate, holed.low, holed.high] == pytest.approx([whole.estimate, whole.low, whole.high])
        turned = ours(-x, y)
        assert [turned.estimate, turned.low, turned.high] == pytest.approx([-whole.estimate, -whole.high, -whole.low])


@pytest.mark.parametrize("ours", OURS.values())
def test_what_has_no_interval_says_why(ours: Callable[..., Estimate]) -> None:
    perfect = ours(range(20), np.exp(range(20)))
    assert perfect.estimate == pytest.approx(1) and np.isnan(perfect.low) and "in one order" in perfect.note
    few = ours([1, 2, 3, 4], [1, 2, 4, 3])
    assert np.isfinite(few.estimate) and np.isnan(few.low) and "at least 5 architectures" in few.note
    lone = ours([0, 0, 0, 0, 0, 1], [1, 2, 3, 4, 5, 0])
    assert np.isfinite(lone.estimate) and np.isnan(lone.low) and "one architecture alone" in lone.note
    constant = ours([1, 1, 1, 1, 1, 1], range(6))
    assert np.isnan(constant.estimate) and "the same everywhere" in constant.note


def test_top_precision_counts_the_best_that_are_put_first() -> None:
    truth = np.arange(30.0)
    predicted = truth.copy()
    predicted[[27, 0]] = predicted[[0, 27]]  # one of the best three is put last
    assert top_precision(predicted, truth) == pytest.approx(2 / 3)
    assert top_precision(-truth, truth) == 0
    assert top_precision(np.zeros(30), truth) == pytest.approx(0.1)  # of all orders of ties, what chance gives
    assert np.isnan(top_precision(truth[:4], truth[:4]))


def test_the_interval_covers_what_real_cells_have() -> None:
    """Accuracies on CIFAR-10 and ImageNet16-120: skewed and closely tied together. Three standard errors: 0.042."""
    table, cells = open_table(), np.arange(15_625)
    x, y = (table.accuracy(dataset, "valid", cells) for dataset in ("cifar10", "imagenet16_120"))
    generator = np.random.default_rng(0)
    samples = [generator.integers(len(x), size=15) for _ in range(250)]
    for theirs, ours in OURS.items():
        truth = theirs(x, y).statistic  # type: ignore[attr-defined]
        found = [ours(x[i], y[i]) for i in samples]
        assert np.mean([one.low <= truth <= one.high for one in found if np.isfinite(one.low)]) > 0.95 - 0.042
