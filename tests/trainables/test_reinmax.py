"""ReinMax: hard samples whose expected gradient is exact for quadratic losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial

from trainables.methods.reinmax import second_order_sample

pytestmark = pytest.mark.trains


def test_expected_gradient_of_a_quadratic_is_exact() -> None:
    generator = np.random.default_rng(0)
    alpha, a, b = generator.normal(size=4), generator.normal(size=(4, 4)), generator.normal(size=4)
    values = np.array([row @ a @ row + b @ row for row in np.eye(4)])
    p = np.exp(alpha) / np.exp(alpha).sum()
    exact = p * (values - p @ values)
    given = torch.tensor(alpha[None], requires_grad=True)
    expected = torch.zeros(1, 4, dtype=torch.float64)
    for index in range(4):
        drawn = torch.eye(4, dtype=torch.float64)[index : index + 1]
        h = second_order_sample(given, drawn, 1.0)
        torch.testing.assert_close(h.detach(), drawn)
        loss = (h[0] @ torch.tensor(a) @ h[0]) + torch.tensor(b) @ h[0]
        expected += p[index] * torch.autograd.grad(loss, given)[0]
    torch.testing.assert_close(expected[0], torch.tensor(exact))


def test_cells_are_drawn_in_proportion_to_the_softmax() -> None:
    search = tiny_trial("reinmax").search
    with torch.no_grad():
        search.alpha.copy_(torch.tensor([0.0, 1.0, -1.0, 0.5, 0.2]).expand(6, 5))
    draws = torch.stack([search.mixing().detach() for _ in range(1500)])
    assert (draws.sum(2) - 1).abs().max() < 1e-6 and (draws.amax(2) - 1).abs().max() < 1e-6
    share = draws.mean((0, 1)) - search.alpha.detach()[0].softmax(0)
    assert share.abs().max() < 0.03, "six standard deviations of 9,000 draws"
