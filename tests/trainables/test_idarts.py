"""iDARTS: the Neumann series, the implicit term, and when an architecture step is due."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.methods.hessian import dominant_eigenvalue, hessian
from trainables.methods.idarts import Idarts, implicit_term, neumann_series

pytestmark = pytest.mark.trains


def test_series_term_and_hypergradient_match_golden() -> None:
    case = golden("idarts.hypergrad")
    w, alpha = case.tensor("w").requires_grad_(), case.tensor("alpha").requires_grad_()

    def loss(which: str) -> Tensor:
        return ((alpha.softmax(0) * w * case.tensor(f"x_{which}")).sum() - case.inputs[f"y_{which}"]) ** 2

    eta, terms = case.inputs["eta"], case.inputs["K"]
    v, direct = torch.autograd.grad(loss("val"), [w, alpha])
    gradients = torch.autograd.grad(loss("train"), [w], create_graph=True)
    s = neumann_series(gradients, [w], [v], eta, terms)
    term = implicit_term(gradients, alpha, s)
    case.check(v, "v")
    case.check(s[0], "s")
    case.check(term, "hvp_exact")
    case.check(term, "hvp_official_finite_diff")
    case.check(direct, "direct_grad")
    case.check(direct - eta * term, "grad_alpha_exact")
    case.check(w.detach(), "w_expected_if_restored")


def test_long_series_is_the_implicit_hypergradient_of_a_quadratic() -> None:
    """L_train = w' A w / 2 - w' B alpha has w*(alpha) = A^-1 B alpha, so dL_valid(w*)/dalpha is known."""
    generator = torch.Generator().manual_seed(0)
    root, b, c = (torch.randn(3, 3, generator=generator, dtype=torch.float64) for _ in range(3))
    a, alpha = root @ root.T + torch.eye(3), torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)

    def valid(weights: Tensor) -> Tensor:
        return (c @ weights).square().sum()

    (exact,) = torch.autograd.grad(valid(torch.linalg.solve(a, b @ alpha)), alpha)
    w = torch.linalg.solve(a, b @ alpha).detach().requires_grad_()
    v = torch.autograd.grad(valid(w), [w])
    gradients = torch.autograd.grad(w @ a @ w / 2 - w @ b @ alpha, [w], create_graph=True)
    eta = 0.1
    term = implicit_term(gradients, alpha, neumann_series(gradients, [w], v, eta, 1000))
    torch.testing.assert_close(-eta * term, exact)


def test_hessian_and_its_largest_eigenvalue() -> None:
    x = torch.tensor([[0.5, -1.0], [2.0, 0.0]], dtype=torch.float64, requires_grad=True)
    loss = (x[0, 0] ** 3) + 2 * x[0, 1] * x[1, 0] - 5 * x[1, 1] ** 2
    expected = torch.tensor([[3.0, 0, 0, 0], [0, 0, 2, 0], [0, 2, 0, 0], [0, 0, 0, -10]], dtype=torch.float64)
    torch.testing.assert_close(hessian(loss, x), expected)
    loss = (x[0, 0] ** 3) + 2 * x[0, 1] * x[1, 0] - 5 * x[1, 1] ** 2
    assert dominant_eigenvalue(loss, x) == pytest.approx(3.0), "not -10, which is larger in magnitude"


# on the supernet -------------------------------------------------------------------------------------------------


def search_and_batches(**hyperparameters: Any) -> tuple[Idarts, Any, Any]:
    search = tiny_trial("idarts", **hyperparameters).search
    assert isinstance(search, Idarts)
    train = search._batch(search.train_batches, "augmentation.weights")
    return search, train, search._batch(search.valid_batches, "augmentation.architecture")


def test_gradient_agrees_with_finite_differences_through_one_inner_step() -> None:
    """At K = 0 it is dL_valid/dalpha - eta d<dL_train/dw, v>/dalpha; the last term by central differences of alpha."""
    search, train, valid = search_and_batches(terms=0)
    search.supernet.double()
    search.alpha = search.alpha.detach().double().requires_grad_()
    train, valid = (train[0].double(), train[1]), (valid[0].double(), valid[1])
    gradient, _, _ = search.architecture_gradient(train, valid)
    *v, direct = torch.autograd.grad(search.loss(valid, search.mixing())[0], [*search.weights, search.alpha])

    def inner(alpha: Tensor) -> Tensor:
        gradients = torch.autograd.grad(search.loss(train, alpha.softmax(1))[0], search.weights)
        return torch.stack([(g * x).sum() for g, x in zip(gradients, v, strict=True)]).sum()

    eta = search.weight_optimizer.param_groups[0]["lr"]
    for edge, operation in ((0, 1), (3, 2), (5, 3)):
        step = torch.zeros_like(search.alpha.detach())
        step[edge, operation] = 1e-7  # at 1e-5 a ReLU changes sign in between in one seed of thirteen
        change = (inner(search.alpha.detach() + step) - inner(search.alpha.detach() - step)) / 2e-7
        implicit = (direct - gradient)[edge, operation]
        torch.testing.assert_close(implicit, eta * change, rtol=1e-4, atol=0)  # 4e-6 at most over 40 seeds


def test_gradient_is_first_order_darts_where_the_learning_rate_vanishes() -> None:
    search, train, valid = search_and_batches()
    search.weight_optimizer.param_groups[0]["lr"] = 0.0
    (first_order,) = torch.autograd.grad(search.loss(valid, search.mixing())[0], search.alpha)
    torch.testing.assert_close(search.architecture_gradient(train, valid)[0], first_order)


def test_architecture_steps_leave_the_weights_and_come_every_inner_steps() -> None:
    search, train, valid = search_and_batches(inner_steps=3)
    moved = []
    for _ in range(7):
        alpha, weights = search.alpha.detach().clone(), [w.detach().clone() for w in search.weights]
        search.architecture_step(train, valid)
        assert all(torch.equal(w, before) for w, before in zip(search.weights, weights, strict=True))
        moved.append(not torch.equal(search.alpha, alpha))
        search.weight_step(train)
        assert not torch.equal(search.weights[0], weights[0]), "inner steps really train the weights"
    assert moved == [True, False, False, True, False, False, True]
