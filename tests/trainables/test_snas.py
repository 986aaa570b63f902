"""SNAS: the relaxed sample, both temperatures, and what drives alpha in either variant."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.methods.gumbel import relaxed_sample
from trainables.methods.snas import LARGEST_GRADIENT, single_level_temperature

pytestmark = pytest.mark.trains

SINGLE: dict[str, Any] = {"variant": "single", "tau_start": 1.0, "tau_end": 0.03}


def test_relaxed_samples_and_single_level_temperature_match_golden() -> None:
    case = golden("snas.weights")
    epochs = case.inputs["epochs"]
    taus = [single_level_temperature(1.0, 0.03, epoch, 150) for epoch in epochs]
    case.check(taus, "tau")
    alpha, noise = case.tensor("log_alpha"), case.tensor("gumbel")
    case.check(relaxed_sample(alpha, noise, taus[0]), "weights_tau1")
    case.check(relaxed_sample(alpha, noise, taus[epochs.index(75)]), "weights_tau_e75")


def test_without_noise_at_temperature_one_it_is_first_order_darts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.methods.snas.gumbel_noise", lambda like, generator: torch.zeros_like(like))
    snas = tiny_trial("snas", tau_start=1.0, tau_end=1.0).search
    darts = tiny_trial("darts", protocol="P1", nesterov=False, weight_decay=3e-4).search
    for _ in range(2):
        snas.epoch()
        darts.epoch()
    assert torch.equal(snas.alpha, darts.alpha)
    assert all(torch.equal(a, b) for a, b in zip(snas.weights, darts.weights, strict=True))


def test_bilevel_temperature_reaches_both_ends() -> None:
    search = tiny_trial("snas", epochs=4).search
    taus = []
    for search.epochs_done in range(4):
        taus.append(search.tau())
    assert taus == pytest.approx([10.0, 7.0, 4.0, 1.0])


def test_samples_harden_as_the_temperature_falls() -> None:
    noise = torch.randn(2000, 5, generator=torch.Generator().manual_seed(0))
    largest = [float(relaxed_sample(torch.zeros(5), noise, tau).max(1).values.mean()) for tau in (10.0, 1.0, 0.03)]
    assert largest[0] < 0.3 < largest[1] < 0.9 < largest[2]


def test_single_level_steps_weights_and_alpha_by_one_gradient_of_the_training_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = tiny_trial("snas", **SINGLE, arch_lr=0.1, arch_weight_decay=0.0).search
    train = search._batch(search.train_batches, "augmentation.weights")
    noise = torch.rand(6, 5, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("trainables.methods.snas.gumbel_noise", lambda like, generator: noise)
    loss, _ = search.loss(train, relaxed_sample(search.alpha, noise, 1.0))
    of_alpha, *of_weights = torch.autograd.grad(loss, [search.alpha, *search.weights])
    seen: list[Tensor] = []
    alpha = search.alpha.detach().clone()
    (reported, _), _ = search.steps(train, train)
    assert reported == loss and float(of_alpha.norm()) < LARGEST_GRADIENT
    torch.testing.assert_close(search.alpha.grad, of_alpha)
    torch.testing.assert_close(search.alpha.detach(), alpha - 0.1 * of_alpha.sign(), rtol=0, atol=1e-3)
    norm = torch.cat([g.flatten() for g in of_weights]).norm().clamp_min(search.config.grad_clip)
    seen = [g * search.config.grad_clip / norm for g in of_weights]
    for weight, expected in zip(search.weights, seen, strict=True):
        torch.testing.assert_close(weight.grad, expected, rtol=1e-4, atol=1e-6)


def test_single_level_clips_the_gradient_of_alpha_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    search = tiny_trial("snas", **SINGLE).search
    plain = type(search).loss

    def steep(batch: Any, mixing: Tensor) -> tuple[Tensor, Tensor]:
        loss, logits = plain(search, batch, mixing)
        return loss + 1e4 * mixing[:, 0].sum(), logits

    monkeypatch.setattr(search, "loss", steep)
    train = search._batch(search.train_batches, "augmentation.weights")
    search.steps(train, train)
    assert float(search.alpha.grad.norm()) == pytest.approx(LARGEST_GRADIENT, rel=1e-4)


def test_variants_differ_in_images_start_and_recorded_validation() -> None:
    bilevel, single = tiny_trial("snas").search, tiny_trial("snas", **SINGLE).search
    assert bilevel.alpha.abs().max() < 0.01 and (single.alpha - 1).abs().max() < 0.05
    assert float((single.alpha.detach() - 1).std()) == pytest.approx(0.01, rel=0.5)
    assert single.train_batches.batches_per_epoch == 2 * bilevel.train_batches.batches_per_epoch
    assert "valid_accuracy" in bilevel.epoch() and "valid_accuracy" not in single.epoch()
