"""SDARTS: perturbations within their bounds, on the simplex, of the weight step alone; the attack raises the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial

from trainables.methods.sdarts import Sdarts, ascend, simplex

pytestmark = pytest.mark.trains


def search_and_batch(**hyperparameters: Any) -> tuple[Sdarts, Any]:
    search = tiny_trial("sdarts", **hyperparameters).search
    assert isinstance(search, Sdarts)
    return search, search._batch(search.train_batches, "augmentation.weights")


def test_perturbed_rows_are_clamped_and_divided_by_their_sum() -> None:
    rows = np.array([[0.2, 0.5, -0.1, 0.3, 0.4], [1.2, 0.1, 0.0, -0.3, 0.2], [-0.3, -0.1, -0.2, -0.4, -0.1001]])
    expected = np.clip(rows, 0, 1)
    expected[2, 1] = 1
    expected /= expected.sum(axis=1, keepdims=True)
    torch.testing.assert_close(simplex(torch.tensor(rows)), torch.tensor(expected))
    assert expected[0, 1] == pytest.approx(0.5 / 1.4) and expected[1, 0] == pytest.approx(1 / 1.3)


def test_the_attack_ascends_by_signs_within_its_bounds() -> None:
    delta, gradient = torch.tensor([[0.25, -0.29, 0.0]]), torch.tensor([[3.0, -0.001, 0.0]])
    torch.testing.assert_close(ascend(delta, gradient, 0.1, 0.3), torch.tensor([[0.3, -0.3, 0.0]]))


def test_perturbations_grow_over_the_epochs() -> None:
    search, _ = search_and_batch(epochs=10)
    search.context = type("Context", (), {"scale": type("Scale", (), {"epochs": 10})})
    found = []
    for search.epochs_done in range(10):
        found.append(search.epsilon())
    assert found == pytest.approx([0.03 + 0.027 * epoch for epoch in range(10)])


def test_random_perturbations_fill_the_box_around_the_mixing_weights() -> None:
    search, batch = search_and_batch(epsilon=0.1, epsilon_start=0.1)
    draws = torch.stack([search.perturbed(batch) for _ in range(200)])
    torch.testing.assert_close(draws.sum(2), torch.ones(200, 6))
    spread = draws - search.scores().detach()
    assert 0.1 < float(spread.max()) < 0.3 / 0.7 - 0.2 and float(spread.min()) > 0.1 / 1.3 - 0.2
    assert spread.mean((0, 1)).abs().max() < 0.01


def test_the_attack_finds_higher_losses_than_chance_and_leaves_the_network_alone() -> None:
    search, batch = search_and_batch(variant="adversarial", epsilon=0.2, epsilon_start=0.2)
    search.supernet.double()
    search.alpha = search.alpha.detach().double().requires_grad_()
    batch = (batch[0].double(), batch[1])
    before = {name: value.clone() for name, value in search.supernet.state_dict().items()}
    weights = search.scores().detach()
    start = 0.2 * (2 * torch.rand(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1)
    found = search.attacked(batch, weights, start.clone(), 0.2)
    assert all(torch.equal(value, before[name]) for name, value in search.supernet.state_dict().items())
    assert found.abs().max() <= 0.2
    with torch.no_grad():
        losses = [float(search.loss(batch, weights + delta)[0]) for delta in (found, start, torch.zeros_like(start))]
    assert losses[0] > max(losses[1:])


def run(method: str, **hyperparameters: Any) -> Any:
    search = tiny_trial(method, protocol="P1", **hyperparameters).search
    search.epoch()
    return search


def test_without_perturbation_it_is_darts_and_with_one_alpha_is_stepped_without() -> None:
    darts = run("darts", nesterov=False, weight_decay=3e-4)
    plain = run("sdarts", epsilon=0.0, epsilon_start=0.0)
    torch.testing.assert_close(plain.alpha, darts.alpha, rtol=1e-4, atol=1e-7)
    search, batch = search_and_batch()
    expected = torch.autograd.grad(search.loss(batch, search.alpha.softmax(1))[0], search.alpha)[0]
    torch.testing.assert_close(search.architecture_gradient(batch, batch)[0], expected)
    perturbed = run("sdarts", epsilon_start=0.3)
    assert not torch.equal(perturbed.weights[0], darts.weights[0])
