"""ENAS: what the controller draws, the gradient that trains it, the learning rate's cycle, the judgement at the end."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_trials import tiny_trial

from trainables.methods.enas import Enas, baseline
from trainables.methods.enas_controller import Controller
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spaces.nas_bench_201.genotype import CONV_3X3
from trainables.streams import seeded

pytestmark = pytest.mark.trains


def enas(**hyperparameters: Any) -> Enas:
    search = tiny_trial("enas", **{"controller_steps": 1, "samples": 2, "candidates": 5} | hyperparameters).search
    assert isinstance(search, Enas)
    return search


def controller(seed: int = 0) -> Controller:
    with seeded(seed):
        return Controller(6, 5).double()


def test_a_draw_says_how_likely_it_was_and_how_much_else_could_have_been() -> None:
    policy, generator = controller(), torch.Generator().manual_seed(0)
    draw = policy.draw(generator)
    p = draw.probabilities
    torch.testing.assert_close(p.sum(1), torch.ones(6, dtype=torch.float64))
    chosen = torch.stack([row[o] for row, o in zip(p, draw.operations, strict=True)])
    torch.testing.assert_close(draw.log_probability, chosen.log().sum())
    torch.testing.assert_close(draw.entropy, -(p * p.log()).sum())
    with torch.no_grad():
        policy.predict.bias.mul_(1e4)
    assert (policy.draw(generator).probabilities.log().diff(dim=1).abs() <= 5 + 1e-9).all(), "logits are in [-2.5, 2.5]"


def test_each_operation_is_drawn_given_those_before_it() -> None:
    """Frequencies of first operations are their probabilities; the second row of probabilities depends on the first."""
    policy, generator = controller(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        policy.embedding.weight.mul_(100)
        policy.predict.weight.mul_(30)
        draws = [policy.draw(generator) for _ in range(400)]
    first = torch.tensor([draw.operations[0] for draw in draws]).bincount(minlength=5) / 400
    assert (first - draws[0].probabilities[0]).abs().max() < 0.1, "four standard deviations"
    second = {draw.operations[0]: draw.probabilities[1] for draw in draws}
    assert len(second) == 5 and torch.stack(list(second.values())).std(0).max() > 0.01


def test_baseline_is_that_of_the_epoch_before_moved_by_a_hundredth() -> None:
    reward, accuracy = torch.tensor(0.6), torch.tensor(0.5)
    assert baseline(reward, accuracy, None, 0.99) == 0.5
    assert float(baseline(reward, accuracy, 0.4, 0.99)) == pytest.approx(0.402)


@pytest.mark.parametrize("last", [None, 0.3])
def test_the_controller_steps_along_the_gradient_of_its_reward(last: float | None, monkeypatch: Any) -> None:
    """With B: -d (R - B) dlog pi - d log pi w dH, d the decay. In the first epoch: R - b = w H."""
    search = enas(entropy_weight=0.05, baseline_decay=0.9, samples=2)
    search.controller.double()
    search.baseline = last
    accuracies = iter([torch.tensor(0.5, dtype=torch.float64), torch.tensor(0.8, dtype=torch.float64)])
    monkeypatch.setattr(search, "reward", lambda cell: next(accuracies))
    twin = torch.Generator()
    twin.set_state(search.context.streams("cells").get_state())
    parameters = list(search.controller.parameters())
    expected = [torch.zeros_like(p) for p in parameters]
    for accuracy in (0.5, 0.8):
        draw = search.controller.draw(twin)
        log = torch.autograd.grad(draw.log_probability, parameters, retain_graph=True)
        entropy = torch.autograd.grad(draw.entropy, parameters, retain_graph=True)
        log_pi, h = float(draw.log_probability.detach()), float(draw.entropy.detach())
        if last is None:
            by_log, by_entropy = 0.05 * h, 0.05 * log_pi
        else:
            by_log, by_entropy = 0.9 * (accuracy + 0.05 * h - last), 0.9 * 0.05 * log_pi
        for total, a, b in zip(expected, log, entropy, strict=True):
            total -= (by_log * a + by_entropy * b) / 2
    norm = torch.stack([g.norm() for g in expected]).norm()
    assert 0 < norm < 5
    search.train_controller()
    for parameter, gradient in zip(parameters, expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)
    b = 0.8 if last is None else 0.9 * last + 0.1 * (0.8 + 0.05 * h)
    assert search.baseline == pytest.approx(b)


@pytest.mark.slow
def test_the_policy_comes_to_draw_what_is_rewarded(monkeypatch: pytest.MonkeyPatch) -> None:
    search = enas(controller_steps=30, samples=10, controller_lr=0.05, entropy_weight=0.0)
    monkeypatch.setattr(search, "reward", lambda cell: torch.tensor(cell.operations.count(CONV_3X3) / 6))
    for _ in range(3):
        search.train_controller()
    assert search.alpha.softmax(1)[:, CONV_3X3].mean() > 0.5, "from a fifth"
    assert search.current() == Genotype((CONV_3X3,) * 6)


def test_the_learning_rate_falls_and_rises_in_cycles() -> None:
    search = enas(half_cycle=10)
    found = []
    for search.epochs_done in range(21):
        found.append(search.learning_rate())
    assert found[::10] == pytest.approx([0.05, 5e-4, 0.05])
    assert found[5::10] == pytest.approx([0.02525, 0.02525])


def test_rewards_change_no_weight_and_the_best_of_the_last_draws_is_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    search = enas(epochs=1, candidates=6)
    before = {name: value.clone() for name, value in search.supernet.state_dict().items()}
    with search.judging(), torch.enable_grad():
        search.train_controller()
    assert all(torch.equal(value, before[name]) for name, value in search.supernet.state_dict().items())
    asked: list[int] = []
    monkeypatch.setattr(search, "accuracy", lambda cell, *_: float((asked.append(cell.index), cell.index % 89)[1]))
    search.epoch()
    assert len(asked) == 6 and search.derive().index == max(asked, key=lambda index: index % 89)
