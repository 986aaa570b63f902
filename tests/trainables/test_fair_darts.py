"""FairDARTS: gates, the zero-one loss and its gradient, and what derivation reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial

from trainables.methods.fair_darts import FairDarts, zero_one_loss
from trainables.spaces.nas_bench_201.genotype import AVG_POOL, NONE

pytestmark = pytest.mark.trains


def fair_darts(**hyperparameters: float) -> FairDarts:
    search = tiny_trial("fair_darts", **hyperparameters).search
    assert isinstance(search, FairDarts)
    return search


def test_zero_one_loss_and_its_gradient_are_the_papers() -> None:
    alpha = np.array([[0.3, -0.2, 1.5, -2.0], [0.01, 0.02, -0.03, 0.0]])
    gate = 1 / (1 + np.exp(-alpha))
    loss = -((gate - 0.5) ** 2).sum() / alpha.size
    gradient = -2 * (gate - 0.5) * gate * (1 - gate) / alpha.size
    given = torch.tensor(alpha, requires_grad=True)
    found = zero_one_loss(given.sigmoid())
    assert found.item() == pytest.approx(loss, abs=1e-15) and loss == pytest.approx(-0.031746570989549)
    torch.testing.assert_close(torch.autograd.grad(found, given)[0], torch.tensor(gradient))


def test_descent_on_it_opens_gates_above_a_half_and_closes_those_below() -> None:
    alpha = torch.tensor([0.5, -0.5, 0.1, -0.1], requires_grad=True)
    for _ in range(2000):
        (gradient,) = torch.autograd.grad(zero_one_loss(alpha.sigmoid()), alpha)
        with torch.no_grad():
            alpha -= 2 * gradient
    assert (alpha.detach().sigmoid().round(decimals=1) == torch.tensor([1.0, 0.0, 1.0, 0.0])).all()


def test_gates_mix_as_they_are_and_are_compared_as_shares() -> None:
    search = fair_darts()
    with torch.no_grad():
        search.alpha.fill_(-1.0)
        search.alpha[:, AVG_POOL - 1] = 2.0
    weights = search.mixing().detach()
    assert weights[:, NONE].eq(0).all() and float(weights[3, AVG_POOL]) == pytest.approx(1 / (1 + np.exp(-2)))
    assert float(weights.sum(1)[0]) > 1.6, "gates are no shares of a whole"
    torch.testing.assert_close(search.scores().detach(), weights / weights.sum(1, keepdim=True))
    assert search.current().operations == (AVG_POOL,) * 6


def test_the_search_begins_with_half_open_gates_and_moves_them_by_the_releases_adam() -> None:
    search = fair_darts()
    assert search.gates().eq(0.5).all()
    (group,) = search.architecture_optimizer.param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (3e-3, (0.9, 0.999), 1e-3)


def test_architecture_gradient_adds_the_weighted_loss_to_that_of_the_validation_loss() -> None:
    search = fair_darts(zero_one=3.0)
    with torch.no_grad():
        search.alpha.add_(torch.linspace(-1, 1, 24).view(6, 4))
    batch = search._batch(search.valid_batches, "augmentation.architecture")
    plain = torch.autograd.grad(search.loss(batch, search.mixing())[0], search.alpha)[0]
    (added,) = torch.autograd.grad(3 * zero_one_loss(search.alpha.sigmoid()), search.alpha)
    torch.testing.assert_close(search.architecture_gradient(batch, batch)[0], plain + added)
    assert added.abs().max() > 0.01
