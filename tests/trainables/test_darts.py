"""DARTS, and the loop it is the plainest example of: architecture gradients, Adam, and the weight step."""

from __future__ import annotations

import pytest
import torch
from golden import GoldenCase, golden
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.methods.adam_architecture import architecture_adam
from trainables.methods.darts import Darts, DartsConfig, second_order_gradient, unrolled_weights
from trainables.methods.diagnostics import diagnostics
from trainables.methods.differentiable import Batch
from trainables.methods.weight_training import Average, cosine
from trainables.spaces.nas_bench_201.supernet import Supernet

pytestmark = pytest.mark.trains


class ToyDarts(Darts):
    """DARTS on the golden toy problem: (sum_i p_i w_i x_i - y)^2 stands in for the supernet's loss."""

    def __init__(self, order: str, case: GoldenCase) -> None:
        given = case.inputs
        self.config = DartsConfig(order=order, momentum=given["momentum"], weight_decay=given["weight_decay"])
        self.alpha = case.tensor("alpha")[None].requires_grad_()
        self.supernet = Supernet(1, 1, 1, 2)  # which the loss does not read
        self.weights = [case.tensor("w").requires_grad_()]
        self.weight_optimizer = torch.optim.SGD(self.weights, lr=given["eta"], weight_decay=given["weight_decay"])
        self.weight_optimizer.state[self.weights[0]]["momentum_buffer"] = case.tensor("momentum_buffer")
        self.architecture_optimizer = architecture_adam(self.alpha, self.config.arch_lr, self.config.arch_weight_decay)

    def loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        x, y = batch
        return ((mixing[0] * self.weights[0] * x).sum() - y) ** 2, x


def toy_batches(case: GoldenCase) -> tuple[Batch, Batch]:
    return (case.tensor("x_train"), case.tensor("y_train")), (case.tensor("x_val"), case.tensor("y_val"))


@pytest.mark.parametrize("order", ["first", "second"])
def test_architecture_step_matches_golden(order: str) -> None:
    case = golden(f"darts.{order}_order")
    search = ToyDarts(order, case)
    gradient, _, _ = search.architecture_gradient(*toy_batches(case))
    case.check(gradient[0], "grad_alpha")
    search.architecture_step(*toy_batches(case))
    case.check(search.alpha.detach()[0], "alpha_new")
    assert torch.equal(search.weights[0], case.tensor("w"))


def test_unrolled_weights_match_golden() -> None:
    case = golden("darts.second_order")
    search = ToyDarts("second", case)
    gradient = torch.autograd.grad(search.loss(toy_batches(case)[0], search.mixing())[0], search.weights)
    buffers = [case.tensor("momentum_buffer")]
    (unrolled,) = unrolled_weights(
        search.weights, gradient, buffers, *(case.inputs[name] for name in ("eta", "momentum", "weight_decay"))
    )
    case.check(unrolled, "w_unrolled")


def test_architecture_adam_matches_golden() -> None:
    case = golden("adam.arch_step")
    alpha = case.tensor("alpha0").requires_grad_()
    optimizer = architecture_adam(alpha, case.inputs["lr"], case.inputs["weight_decay"])
    for step in (1, 2):
        alpha.grad = case.tensor(f"grad{step}")
        optimizer.step()
        case.check(alpha.detach(), f"alpha{step}")


def test_cosine_matches_golden() -> None:
    case = golden("darts.cosine_lr")
    case.check([cosine(0.025, 0.001, epoch, 50) for epoch in case.inputs["epochs"]], "lr")


# the unrolled gradient -------------------------------------------------------------------------------------------


class Network:
    """Two layers whose first is gated by softmax(alpha), on one training and one validation batch."""

    def __init__(self, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(0)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

        self.weights = [draw(4, 3).requires_grad_(), draw(1, 4).requires_grad_()]
        self.buffers = [draw(4, 3), draw(1, 4)]
        self.alpha = draw(4).requires_grad_()
        self.train, self.valid = (draw(6, 3), draw(6, 1)), (draw(6, 3), draw(6, 1))

    def loss(self, batch: Batch, weights: list[Tensor]) -> Tensor:
        hidden = torch.tanh(batch[0] @ weights[0].T) * self.alpha.softmax(0)
        return (hidden @ weights[1].T - batch[1]).square().mean()

    def second_order(self, **settings: float) -> Tensor:
        return second_order_gradient(
            lambda: self.loss(self.train, self.weights),
            lambda: self.loss(self.valid, self.weights),
            self.weights,
            self.buffers,
            self.alpha,
            **settings,
        )


SETTINGS = {"eta": 0.1, "momentum": 0.9, "weight_decay": 3e-4}


def test_second_order_gradient_is_the_derivative_through_the_unrolled_step() -> None:
    problem = Network(torch.float64)
    gradients = torch.autograd.grad(problem.loss(problem.train, problem.weights), problem.weights, create_graph=True)
    ahead = [
        w - 0.1 * (0.9 * b + g + 3e-4 * w) for w, b, g in zip(problem.weights, problem.buffers, gradients, strict=True)
    ]
    (exact,) = torch.autograd.grad(problem.loss(problem.valid, ahead), problem.alpha)
    torch.testing.assert_close(problem.second_order(**SETTINGS), exact, rtol=1e-3, atol=1e-6)


def test_second_order_gradient_is_first_order_at_the_unrolled_weights_when_eta_vanishes() -> None:
    problem = Network(torch.float64)
    (first,) = torch.autograd.grad(problem.loss(problem.valid, problem.weights), problem.alpha)
    torch.testing.assert_close(problem.second_order(**SETTINGS | {"eta": 1e-12}), first)


def test_second_order_gradient_restores_the_weights_to_the_bit() -> None:
    problem = Network(torch.float32)
    before = [w.detach().clone() for w in problem.weights]
    problem.second_order(**SETTINGS)
    assert all(torch.equal(w, b) for w, b in zip(problem.weights, before, strict=True))
    assert all(w.grad is None for w in problem.weights) and problem.alpha.grad is None


# on the supernet -------------------------------------------------------------------------------------------------


def batches(search: Darts) -> tuple[Batch, Batch]:
    return (
        search._batch(search.train_batches, "augmentation.weights"),
        search._batch(search.valid_batches, "augmentation.architecture"),
    )


@pytest.mark.parametrize("order", ["first", "second"])
def test_architecture_step_moves_alpha_only(order: str) -> None:
    search = tiny_trial("darts", order=order).search
    search.epoch()  # so that momentum buffers exist
    weights, alpha = [w.detach().clone() for w in search.weights], search.alpha.detach().clone()
    search.architecture_step(*batches(search))
    assert all(torch.equal(w, b) for w, b in zip(search.weights, weights, strict=True))
    assert (search.alpha != alpha).all()


def test_second_order_uses_the_momentum_of_the_weights() -> None:
    search = tiny_trial("darts", order="second").search
    search.epoch()
    train, valid = batches(search)
    with_momentum, _, _ = search.architecture_gradient(train, valid)
    for state in search.weight_optimizer.state.values():
        state["momentum_buffer"].zero_()
    without, _, _ = search.architecture_gradient(train, valid)
    assert not torch.allclose(with_momentum, without)


@pytest.mark.parametrize("nesterov", [False, True])
def test_weight_step_is_clipped_sgd_and_leaves_alpha(nesterov: bool) -> None:
    """The first step from rest: w - lr (1 + momentum if Nesterov) (clipped gradient + decay * w)."""
    search = tiny_trial("darts", nesterov=nesterov, grad_clip=0.01, weight_decay=0.1, weight_lr=0.5).search
    train, _ = batches(search)
    before, alpha = [w.detach().clone() for w in search.weights], search.alpha.detach().clone()
    gradient = torch.autograd.grad(search.loss(train, search.scores().detach())[0], search.weights)
    norm = torch.cat([g.flatten() for g in gradient]).norm()
    assert norm > 0.01
    search.weight_step(train)
    for w, b, g in zip(search.weights, before, gradient, strict=True):
        step = 0.5 * (1.9 if nesterov else 1.0) * (g * 0.01 / norm + 0.1 * b)
        torch.testing.assert_close(w.detach(), b - step, rtol=1e-4, atol=1e-6)
    assert torch.equal(search.alpha, alpha)


def test_epochs_follow_the_cosine() -> None:
    search = tiny_trial("darts", epochs=4, weight_lr=0.1, weight_lr_min=0.002).search
    rates = [search.epoch()["learning_rate"] for _ in range(4)]
    assert rates == [cosine(0.1, 0.002, epoch, 4) for epoch in range(4)]
    assert search.weight_optimizer.param_groups[0]["lr"] == rates[-1]


def test_derivation_may_pick_none() -> None:
    search = tiny_trial("darts").search
    with torch.no_grad():
        search.alpha.zero_()
        search.alpha[torch.arange(6), torch.tensor([0, 1, 2, 3, 4, 0])] = 1.0
    assert search.derive().operations == (0, 1, 2, 3, 4, 0)


def test_entropy_is_one_at_uniform_and_zero_at_a_corner() -> None:
    search = tiny_trial("darts").search
    with torch.no_grad():
        search.alpha.zero_()
        assert diagnostics(search)["entropy"] == pytest.approx(1.0)
        search.alpha[:, 2] = 1000.0
        assert diagnostics(search)["entropy"] == pytest.approx(0.0, abs=1e-6)


def test_average_weighs_batches_by_their_images() -> None:
    average = Average(torch.device("cpu"))
    average.add(torch.tensor(1.0), torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([1, 1]))
    average.add(torch.tensor(4.0), torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
    assert average.metrics("valid") == {"valid_loss": 2.0, "valid_accuracy": pytest.approx(200 / 3)}
