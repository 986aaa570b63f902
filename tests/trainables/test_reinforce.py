"""REINFORCE: its gradient, its baseline, and what it does to the policy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_table_search import run, searcher

from trainables.methods.reinforce import policy_gradient
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype

pytestmark = pytest.mark.trains

SLOPE = np.array([float(sum(Genotype.from_index(index).operations)) for index in range(NUM_CELLS)])
"""Every edge wants the last operation."""


def test_policy_gradient_is_that_of_the_score_function() -> None:
    alpha = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    operations = torch.tensor([0, 1, 2, 3, 4, 2])
    loss = -2.5 * torch.distributions.Categorical(logits=alpha).log_prob(operations).sum()
    (expected,) = torch.autograd.grad(loss, alpha)
    torch.testing.assert_close(policy_gradient(alpha.detach(), operations, 2.5), expected)


def test_expected_policy_gradient_ascends_the_expected_reward() -> None:
    """Summed over all cells with their probabilities, the gradient is minus that of E[r], with any baseline."""
    alpha = torch.randn(2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    rewards = torch.tensor([[1.0, 4.0, 2.0], [0.0, 3.0, 5.0], [2.0, 2.0, 7.0]], dtype=torch.float64)
    p = alpha.softmax(1)
    (ascent,) = torch.autograd.grad((p[0, :, None] * p[1, None, :] * rewards).sum(), alpha)
    total = torch.zeros_like(ascent)
    for i in range(3):
        for j in range(3):
            advantage = float(rewards[i, j]) - 1.7
            total += (p[0, i] * p[1, j]).detach() * policy_gradient(alpha.detach(), torch.tensor([i, j]), advantage)
    torch.testing.assert_close(total, -ascent)


def test_baseline_is_the_bias_corrected_moving_average() -> None:
    search = searcher("reinforce", momentum=0.9)
    rewards = [50.0, 70.0, 60.0]
    averages = [search.baseline_with(reward) for reward in rewards]
    for count, average in enumerate(averages, start=1):
        weights = 0.9 ** np.arange(count)[::-1]
        assert average == pytest.approx(np.average(rewards[:count], weights=weights))


def test_policy_stays_until_a_reward_differs_from_the_baseline() -> None:
    search = searcher("reinforce", signal=np.full(NUM_CELLS, 64.0), queries=10)
    start = search.alpha.detach().clone()
    assert len(set(run(search))) > 1
    torch.testing.assert_close(search.alpha.detach(), start, rtol=0, atol=1e-6 * 64)


def test_policy_moves_to_the_best_operations() -> None:
    search = searcher("reinforce", signal=SLOPE, queries=500, policy_lr=0.05)
    queried = run(search)
    early, late = SLOPE[queried[:50]].mean(), SLOPE[queried[-50:]].mean()
    assert late > early + 6 and search.alpha.detach().argmax(1).tolist().count(4) >= 4
    assert search.current().index == max(queried, key=lambda cell: SLOPE[cell])


def test_reward_unit_hardly_matters() -> None:
    assert run(searcher("reinforce", signal=SLOPE, queries=40)) == run(
        searcher("reinforce", signal=100 * SLOPE, queries=40)
    )
