"""DrNAS: the Dirichlet's concentration, its samples and their pathwise gradient, and the two regularisers."""

from __future__ import annotations

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.methods.dirichlet import SampleDirichlet, pathwise_gradient
from trainables.methods.drnas import concentration, kl_to_uniform

CONCENTRATION = [0.5, 1.0, 1.5, 3.0, 0.2]


def sample(c: Tensor, seed: int = 0) -> Tensor:
    p: Tensor = SampleDirichlet.apply(c, torch.Generator().manual_seed(seed))
    return p


def test_concentration_matches_golden() -> None:
    case = golden("drnas.concentration")
    case.check(concentration(case.tensor("alpha")), "concentration")


def test_pathwise_gradient_matches_golden() -> None:
    case = golden("drnas.pathwise_grad")
    alpha = case.tensor("alpha").requires_grad_()
    c = concentration(alpha)
    gradient = pathwise_gradient(case.tensor("x"), c.detach(), case.tensor("dL_dx"))
    case.check(gradient, "dL_dconc")
    case.check(torch.autograd.grad(c, alpha, gradient)[0], "dL_dalpha")


def test_kl_regulariser_matches_golden() -> None:
    case = golden("drnas.kl_reg")
    alpha = case.tensor("alpha")[None].requires_grad_()
    kl = kl_to_uniform(alpha)
    case.check(kl.detach(), "kl_unscaled")
    term = case.inputs["reg_scale"] * kl
    case.check(term.detach(), "term")
    case.check(torch.autograd.grad(term, alpha)[0][0], "grad_alpha")


def test_kl_sums_over_edges_and_vanishes_at_the_uniform_dirichlet() -> None:
    alpha = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(kl_to_uniform(alpha), sum(kl_to_uniform(row[None]) for row in alpha))
    assert kl_to_uniform(torch.zeros(6, 5)) == pytest.approx(0.0, abs=1e-6)


def test_samples_have_the_moments_of_a_dirichlet() -> None:
    c = torch.tensor(CONCENTRATION)
    p, total = sample(c.expand(40_000, -1)), c.sum()
    mean = c / total
    torch.testing.assert_close(p.sum(1), torch.ones(len(p)))
    torch.testing.assert_close(p.mean(0), mean, rtol=0, atol=0.005)
    torch.testing.assert_close(p.var(0), mean * (1 - mean) / (total + 1), rtol=0.05, atol=0)


def test_samples_carry_the_gradient_of_the_expectation() -> None:
    """E[a . p] = a . c / sum c and E[p_0^2] = c_0 (c_0 + 1) / (C (C + 1)) are known, and so are their derivatives."""
    a = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0])
    c = torch.tensor(CONCENTRATION, requires_grad=True)
    p = sample(c.expand(100_000, -1))
    total = c.sum()
    for estimate, exact in (
        ((p * a).sum(1).mean(), (a * c).sum() / total),
        (p[:, 0].square().mean(), c[0] * (c[0] + 1) / (total * (total + 1))),
    ):
        (got,) = torch.autograd.grad(estimate, c, retain_graph=True)
        (expected,) = torch.autograd.grad(exact, c, retain_graph=True)
        torch.testing.assert_close(got, expected, rtol=0.05, atol=0.005)


def test_samples_come_from_the_given_generator_alone() -> None:
    c = torch.tensor(CONCENTRATION).expand(6, -1)
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(3)
    first, second = SampleDirichlet.apply(c, generator), SampleDirichlet.apply(c, generator)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, sample(c, seed=3)) and not torch.equal(first, second)
    assert not torch.equal(first[0], first[1]), "edges are drawn independently"


@pytest.mark.parametrize("value", [-200.0, -20.0, 0.0, 50.0])
def test_extreme_alpha_still_gives_finite_samples_and_gradients(value: float) -> None:
    alpha = torch.full((6, 5), value, requires_grad=True)
    p = sample(concentration(alpha))
    (gradient,) = torch.autograd.grad((p * torch.arange(5)).sum(), alpha)
    assert p.isfinite().all() and gradient.isfinite().all()
    torch.testing.assert_close(p.sum(1), torch.ones(6))


def test_every_forward_pass_draws_and_the_score_does_not() -> None:
    search = tiny_trial("drnas").search
    draws = [search.mixing().detach() for _ in range(3)]
    assert not torch.equal(draws[0], draws[1]) and not torch.equal(draws[1], draws[2])
    assert torch.equal(search.scores(), search.alpha.softmax(1))


def test_kl_joins_the_architecture_gradient_and_l2_the_optimiser() -> None:
    gradients = {}
    for regulariser in ("kl", "l2"):
        search = tiny_trial("drnas", regulariser=regulariser, reg_scale=10.0).search
        batch = search._batch(search.valid_batches, "augmentation.architecture")
        gradients[regulariser] = search.architecture_gradient(batch, batch)[0]
        decay = search.architecture_optimizer.param_groups[0]["weight_decay"]
        assert decay == (10.0 if regulariser == "l2" else 0.0)
    (expected,) = torch.autograd.grad(10.0 * kl_to_uniform(search.alpha), search.alpha)
    torch.testing.assert_close(gradients["kl"] - gradients["l2"], expected, rtol=1e-3, atol=1e-4)
