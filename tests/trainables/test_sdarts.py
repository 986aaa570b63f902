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


def test_the_attack_ascends_by_signs_within_its_bounds_and_on_the_simplex() -> None:
    centre, weights = torch.tensor([[0.2, 0.5, 0.3]]), torch.tensor([[0.45, 0.25, 0.3]])
    gradient = torch.tensor([[3.0, -0.001, 0.0]])
    moved = torch.tensor([[0.5, 0.2, 0.3]])  # 0.55 and 0.15, each no further than 0.3 from the centre
    torch.testing.assert_close(ascend(weights, gradient, centre, 0.1, 0.3), moved)
    beyond = ascend(weights, gradient, centre, 0.1, 0.7)
    torch.testing.assert_close(beyond, torch.tensor([[0.55, 0.15, 0.3]]))
    torch.testing.assert_close(ascend(weights, gradient, centre, 0.4, 0.7), torch.tensor([[0.85, 0.0, 0.3]]) / 1.15)


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


def attack(**hyperparameters: Any) -> tuple[Sdarts, Any, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A search in double precision, a batch, the mixing weights, where an attack starts and where it arrives."""
    search, batch = search_and_batch(variant="adversarial", epsilon=0.2, epsilon_start=0.2, **hyperparameters)
    search.epoch()
    search.supernet.double()
    search.alpha = search.alpha.detach().double().requires_grad_()
    batch = (batch[0].double(), batch[1])
    weights = search.scores().detach()
    noise = torch.rand(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = simplex(weights + 0.2 * (2 * noise - 1))
    return search, batch, weights, start, search.attacked(batch, weights, start.clone(), 0.2)


def test_the_attack_finds_higher_losses_than_chance_and_leaves_the_network_alone() -> None:
    search, batch, weights, start, found = attack()
    before = {name: value.clone() for name, value in search.supernet.state_dict().items()}
    assert torch.equal(search.attacked(batch, weights, start.clone(), 0.2), found)
    assert all(torch.equal(value, before[name]) for name, value in search.supernet.state_dict().items())
    assert search.supernet.training
    torch.testing.assert_close(found.sum(1), torch.ones(6, dtype=torch.float64))
    search.supernet.eval()
    with torch.no_grad():
        losses = [float(search.loss(batch, mixing)[0]) for mixing in (found, start, weights)]
    assert losses[0] > max(losses[1:])


def test_an_attack_that_lowers_the_loss_is_given_up() -> None:
    search, batch, weights, start, _ = attack()

    def peak(sign: int) -> Any:
        return lambda batch, mixing: (-sign * (mixing - weights).square().sum(), mixing)

    search.loss = peak(1)  # highest at the mixing weights themselves
    assert torch.equal(search.attacked(batch, weights, start.clone(), 0.2), weights)
    search.loss = peak(-1)
    assert not torch.equal(search.attacked(batch, weights, start.clone(), 0.2), weights)


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
