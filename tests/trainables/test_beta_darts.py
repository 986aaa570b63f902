"""Beta-DARTS: the decay, its schedule, and that nothing else differs from DARTS."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from golden import GoldenCase, golden
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.methods.adam_architecture import architecture_adam
from trainables.methods.beta_darts import BetaDarts, BetaDartsConfig, beta_decay, decay_weight
from trainables.methods.differentiable import Batch
from trainables.spaces.nas_bench_201.supernet import Supernet

pytestmark = pytest.mark.trains


class ToyBetaDarts(BetaDarts):
    """Beta-DARTS whose loss has the golden case's gradient in alpha, in the middle of a search of 100 epochs."""

    total_epochs = 100

    space = SimpleNamespace(cells=(2,))

    def __init__(self, case: GoldenCase) -> None:
        self.config = BetaDartsConfig()
        self.supernet = Supernet(1, 1, 1, 2)  # which the loss does not read
        self.alpha, self.gradient = case.tensor("alpha").requires_grad_(), case.tensor("grad_task")
        self.architecture_optimizer = architecture_adam(self.alpha, self.config.arch_lr, self.config.arch_weight_decay)
        self.epochs_done = case.inputs["epoch"]

    def loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        return (self.alpha * self.gradient).sum(), batch[0]


def test_decay_and_its_gradient_match_golden() -> None:
    case = golden("beta.reg")
    alpha = case.tensor("alpha").requires_grad_()
    decay = beta_decay(alpha, (len(alpha),))
    case.check(decay.detach(), "loss")
    case.check(torch.autograd.grad(decay, alpha)[0], "grad_alpha")


def test_architecture_step_matches_golden() -> None:
    case = golden("beta.step")
    search = ToyBetaDarts(case)
    assert decay_weight(search.config.decay_final, case.inputs["epoch"], 100) == case.inputs["lambda"]
    batch = (search.gradient, search.gradient)
    case.check(search.architecture_gradient(batch, batch)[0], "total_grad")
    search.architecture_step(batch, batch)
    case.check(search.alpha.detach(), "alpha_new")


def run(method: str, epochs: int, **hyperparameters: Any) -> Tensor:
    search = tiny_trial(method, arch_lr=0.01, protocol="P1", **hyperparameters).search
    for _ in range(epochs):
        search.epoch()
    return search.alpha.detach()


def test_without_decay_it_is_first_order_darts_to_the_bit() -> None:
    darts = {"nesterov": False, "weight_decay": 3e-4}
    assert torch.equal(run("beta_darts", 3, decay_final=0.0), run("darts", 3, **darts))
    assert torch.equal(run("beta_darts", 1), run("darts", 1, **darts)), "the first epoch's weight is 0"
    assert not torch.equal(run("beta_darts", 2), run("darts", 2, **darts))


def test_schedule_is_laid_over_the_epochs_that_run() -> None:
    for epochs in (4, 100):
        weights = [decay_weight(50.0, epoch, epochs) for epoch in range(epochs)]
        assert weights[0] == 0 and weights[-1] == pytest.approx(50.0 * (1 - 1 / epochs))
        assert weights[epochs // 2] == 25.0


def test_descent_on_the_decay_alone_flattens_alpha() -> None:
    alpha = torch.tensor([[2.0, 0.0, -1.0, 1.0, 0.5]], dtype=torch.float64, requires_grad=True)
    spread = [float(alpha.detach().std())]
    for _ in range(20):
        (gradient,) = torch.autograd.grad(beta_decay(alpha, (len(alpha),)), alpha)
        assert (gradient > 0).all() and gradient.argmax() == alpha.argmax()
        with torch.no_grad():
            alpha -= 0.5 * gradient
        spread.append(float(alpha.detach().std()))
    assert all(later < earlier for earlier, later in pairwise(spread))
