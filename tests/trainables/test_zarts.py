"""ZARTS: perturbations, what the three optimisers make of them, and copies that are fine-tuned beside the supernet."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial

from trainables.methods.zarts import Zarts
from trainables.methods.zeroth_order import best_move, coefficients, halved, perturbations, smoothed_gradient

pytestmark = pytest.mark.trains


def test_coefficients_and_update_match_golden() -> None:
    case = golden("zarts.mgs")
    draws, given = case.tensor("dalpha_samples"), case.inputs
    c = coefficients(
        case.tensor("val_loss_samples"),
        draws,
        case.tensor("grad"),
        sigma=given["sigma"],
        mixture=given["lam"],
        temperature=given["tau"],
    )
    case.check(c, "coeff_corrected")
    case.check(case.tensor("alpha") + torch.tensordot(c, draws, dims=1), "alpha_corrected")
    shifted = case.tensor("val_loss_samples") - given["base_val_loss"]
    same = coefficients(
        shifted, draws, case.tensor("grad"), sigma=given["sigma"], mixture=given["lam"], temperature=given["tau"]
    )
    case.check(same, "coeff_corrected")


def test_sigma_matches_golden() -> None:
    case = golden("zarts.sigma")
    search = tiny_trial("zarts", epochs=50, train_images=32, sigma=case.inputs["sigma0"]).search
    assert isinstance(search, Zarts) and search.warm_up_epochs == 10
    sigmas = []
    for search.epochs_done in case.inputs["epochs"]:
        sigmas.append(search.sigma())
    case.check(sigmas, "sigma")


@pytest.mark.parametrize("mixture", [0.0, 0.25, 1.0])
def test_perturbations_have_the_moments_of_the_mixture(mixture: float) -> None:
    gradient = torch.tensor([[0.4, -0.1], [0.2, 0.0]])
    draws = perturbations(gradient, 20_000, 0.1, mixture, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(0), -(1 - mixture) * gradient, rtol=0, atol=5e-3)
    expected = 0.1**2 + mixture * (1 - mixture) * gradient.square()
    torch.testing.assert_close(draws.var(0), expected, rtol=0.05, atol=0)


def test_weighted_draws_estimate_the_mean_of_the_target() -> None:
    """Self-normalised importance sampling: with L quadratic, exp(-L / temperature) is a Gaussian of known mean."""
    gradient, target, sigma = torch.tensor([[0.1, -0.2]], dtype=torch.float64), torch.tensor([[-0.05, 0.1]]), 0.1
    draws = perturbations(gradient, 100_000, sigma, 0.1, torch.Generator().manual_seed(0))
    losses = (draws - target).square().sum((1, 2))
    c = coefficients(losses, draws, gradient, sigma=sigma, mixture=0.1, temperature=2 * 0.08**2)
    torch.testing.assert_close(torch.tensordot(c, draws, dims=1), target.double(), rtol=0, atol=3e-3)


def test_smoothed_gradient_is_the_gradient_in_expectation() -> None:
    """Exactly so for a quadratic loss at any radius; the error of 60 independent means says how close it must be."""
    point, curvature = torch.tensor([[0.3, -0.2, 0.5]], dtype=torch.float64), torch.tensor([[2.0, 0.5, 1.0]])
    sigma, generator = 0.4, torch.Generator().manual_seed(0)
    estimates = []
    for _ in range(60):
        draws = perturbations(torch.zeros_like(point), 2000, sigma, 0.3, generator)
        losses = (curvature * (point + draws).square()).sum((1, 2)) / 2
        estimates.append(smoothed_gradient(losses, (curvature * point.square()).sum() / 2, draws, sigma))
    found = torch.stack(estimates)
    error = found.std(0) / 60**0.5
    assert ((found.mean(0) - curvature * point).abs() < 4 * error).all() and (error < 0.01).all()


def test_descent_without_gradients_takes_the_best_of_shrinking_perturbations_or_none() -> None:
    draws = torch.ones(4, 2, 3)
    assert halved(draws)[:, 0, 0].tolist() == [1.0, 0.5, 0.25, 0.125]
    losses = torch.tensor([3.0, 1.0, 1.0, 2.0])
    chosen = best_move(losses, torch.tensor(1.5), halved(draws))
    assert torch.equal(chosen, halved(draws)[1]), "the first of equals"
    assert torch.equal(best_move(losses.exp(), torch.tensor(1.5).exp(), halved(draws)), chosen), "only the order counts"
    assert not best_move(losses, torch.tensor(1.0), halved(draws)).any()


# on the supernet -------------------------------------------------------------------------------------------------


def search_and_batches(**hyperparameters: Any) -> tuple[Zarts, Any, Any]:
    search = tiny_trial("zarts", warm_up=0.0, **hyperparameters).search
    assert isinstance(search, Zarts)
    search.epoch()  # so that momentum buffers exist
    train = search._batch(search.train_batches, "augmentation.weights")
    return search, train, search._batch(search.valid_batches, "augmentation.architecture")


def test_copies_are_fine_tuned_like_the_supernet_itself() -> None:
    """A copy at alpha, after a step on a batch, is the supernet after its own weight step on that batch."""
    search, train, valid = search_and_batches()
    untouched = search.fine_tuned_loss(search.alpha.detach(), [], valid)
    fine_tuned = search.fine_tuned_loss(search.alpha.detach(), [train, train], valid)
    for _ in range(2):
        search.weight_step(train)
    with torch.no_grad():
        assert torch.equal(fine_tuned, search.loss(valid, search.scores())[0])
    assert untouched != fine_tuned


def test_architecture_step_leaves_weights_and_momentum() -> None:
    search, train, valid = search_and_batches(interval=1)
    before = {name: value.clone() for name, value in search.supernet.named_parameters()}
    momentum = [search.weight_optimizer.state[w]["momentum_buffer"].clone() for w in search.weights]
    alpha = search.alpha.detach().clone()
    search.architecture_step(train, valid)
    assert (search.alpha != alpha).all()
    assert all(torch.equal(value, before[name]) for name, value in search.supernet.named_parameters())
    after = [search.weight_optimizer.state[w]["momentum_buffer"] for w in search.weights]
    assert all(torch.equal(a, b) for a, b in zip(after, momentum, strict=True))


def test_a_clearly_better_perturbation_is_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    search, train, valid = search_and_batches(interval=1)
    seen: list[torch.Tensor] = []

    def loss(alpha: torch.Tensor, *_: Any) -> torch.Tensor:
        seen.append(alpha)
        return torch.tensor(0.0 if len(seen) == 3 else 100.0)

    monkeypatch.setattr(search, "fine_tuned_loss", loss)
    search.architecture_step(train, valid)
    torch.testing.assert_close(search.alpha.detach(), seen[2])


def test_warm_up_and_interval_decide_when_the_architecture_moves() -> None:
    search = tiny_trial("zarts", warm_up=0.4, epochs=5, interval=4).search  # two weight steps an epoch
    moved = []
    for _ in range(5):
        alpha = search.alpha.detach().clone()
        assert "valid_accuracy" in search.epoch()
        moved.append(not torch.equal(search.alpha, alpha))
    assert moved == [False, False, True, False, True]


@pytest.mark.parametrize("optimizer", ["mgs", "rs", "gld"])
def test_every_optimizer_descends_on_a_quadratic_bowl(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    search = tiny_trial("zarts", warm_up=0.0, interval=1, optimizer=optimizer, fine_tune_steps=0, step_size=0.1).search
    assert isinstance(search, Zarts)
    target = 0.3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    curvature = torch.linspace(0.2, 1.0, 30).view(6, 5)

    def loss(alpha: torch.Tensor, *_: Any) -> torch.Tensor:
        return (curvature * (alpha - target).square()).sum() / 2

    gradients = []

    def gradient(*_: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        gradients.append(curvature * (search.alpha.detach() - target))
        return gradients[-1], loss(search.alpha.detach()), torch.zeros(16, 10)

    monkeypatch.setattr(search, "fine_tuned_loss", loss)
    monkeypatch.setattr(search, "architecture_gradient", gradient)
    batch = search._batch(search.valid_batches, "augmentation.architecture")
    course = [float(loss(search.alpha.detach()))]
    for _ in range(100):
        search.architecture_step(batch, batch)
        course.append(float(loss(search.alpha.detach())))
    assert course[-1] < course[0] / 3
    assert len(gradients) == (100 if optimizer == "mgs" else 0), "the other two never see a gradient"
    assert optimizer != "gld" or all(later <= earlier for earlier, later in pairwise(course))


def test_without_fine_tuning_a_move_is_the_gradient_of_darts_along_the_draws() -> None:
    """As sigma goes to 0, (L_i - L_0) d_i / sigma^2 goes to (g . d_i) d_i / sigma^2: to 1e-6 of it in 30 seeds."""
    search, train, valid = search_and_batches(optimizer="rs", samples=40, fine_tune_steps=0, sigma=1e-8)
    search.supernet.double()
    search.alpha = search.alpha.detach().double().requires_grad_()
    train, valid = (train[0].double(), train[1]), (valid[0].double(), valid[1])
    noise = search.context.streams("architecture.noise")
    position = noise.get_state()
    move = search.move(torch.zeros(6, 5, dtype=torch.float64), valid)
    noise.set_state(position)
    draws = perturbations(torch.zeros(6, 5, dtype=torch.float64), 40, 1.0, 0.0, noise).flatten(1)
    gradient = search.architecture_gradient(train, valid)[0].flatten()
    expected = -draws.T @ (draws @ gradient) / 40
    torch.testing.assert_close(move.flatten(), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
