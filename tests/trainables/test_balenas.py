"""BaLeNAS: Vadam, what is sampled and what is not, and the training-free choice among samples."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial

from trainables.methods import balenas
from trainables.methods.balenas import BETAS, Balenas, best_by_rank_sum, deviation, vadam_step
from trainables.spaces.nas_bench_201 import Genotype

pytestmark = pytest.mark.trains


def test_vadam_matches_golden() -> None:
    case = golden("balenas.vadam")
    given, steps = case.inputs, case.expected
    assert given["prior_prec"] == given["prec_init"] == 1 and tuple(given["betas"]) == BETAS
    mean, m, s = case.tensor("mu"), torch.zeros(4).double(), torch.zeros(4).double()
    for step, (noise, expected) in enumerate(zip(case.tensor("noise"), steps, strict=True), start=1):
        theta = mean + deviation(s, given["N"]) * noise
        gradient = case.tensor("c") + theta
        mean, m, s = vadam_step(mean, m, s, gradient, step=step, lr=given["lr"], data_points=given["N"])
        got = {"theta_sample": theta, "mu": mean, "exp_avg": m, "s": s, "sigma_next": deviation(s, given["N"])}
        assert got.keys() == expected.keys()
        for name, value in got.items():
            wanted = torch.tensor(expected[name], dtype=torch.float64)
            torch.testing.assert_close(value, wanted, rtol=case.rtol, atol=case.atol)


def test_precision_is_the_prior_at_first_and_grows_with_the_gradient() -> None:
    search = tiny_trial("balenas").search
    assert isinstance(search, Balenas)
    assert torch.equal(deviation(search.s, 25_000), torch.ones(6, 5))
    search.epoch()
    assert (deviation(search.s, 25_000) < 1).all()


def test_samples_follow_q_and_only_the_architecture_step_draws() -> None:
    search = tiny_trial("balenas").search
    assert isinstance(search, Balenas)
    search.s = torch.linspace(0, 1e-3, 30).view(6, 5)
    draws = torch.stack([search.draw("test").detach() for _ in range(4000)])
    torch.testing.assert_close(draws.std(0), deviation(search.s, 25_000), rtol=0.07, atol=0)
    assert ((draws.mean(0) - search.alpha).abs() < 5 * deviation(search.s, 25_000) / 4000**0.5).all()
    assert torch.equal(search.mixing(), search.alpha.softmax(1))


def test_without_noise_the_gradient_is_that_of_darts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With sigma at 0 the step is Adam's on the gradient of softmax(alpha), but for its decay and epsilon."""
    search = tiny_trial("balenas").search
    assert isinstance(search, Balenas)
    monkeypatch.setattr(balenas, "deviation", lambda s, _: torch.zeros_like(s))
    batch = search._batch(search.valid_batches, "augmentation.architecture")
    gradient, alpha = search.architecture_gradient(batch, batch)[0], search.alpha.detach().clone()
    search.architecture_step(batch, batch)
    torch.testing.assert_close(search.s, 1e-3 * gradient.square(), rtol=1e-3, atol=1e-12)
    moving = gradient.abs() > 1e-3
    assert moving.any()
    assert torch.equal((search.alpha - alpha)[moving].sign(), -gradient[moving].sign())


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        (([3.0, 1.0, 2.0], [0.0, 2.0, 1.0]), 0),  # all rank sums are 2: the first
        (([3.0, 1.0, 2.0], [2.0, 1.0, 0.0]), 1),
        (([math.inf, math.inf, 5.0], [0.0, 1.0, 2.0]), 0),
        (([1.0, 1.0, 2.0], [3.0, 2.0, 2.0]), 1),
    ],
)
def test_best_by_rank_sum(scores: tuple[list[float], list[float]], best: int) -> None:
    assert best_by_rank_sum(*scores) == best


# training-free derivation ----------------------------------------------------------------------------------------


def training_free(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Balenas:
    monkeypatch.setattr("trainables.training_free.CROPS", 100)
    search = tiny_trial("balenas", derivation="training_free", epochs=1, **settings).search
    assert isinstance(search, Balenas)
    return search


def test_chosen_cell_is_the_best_of_the_different_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    search, scored = training_free(monkeypatch, candidates=40), []
    with torch.no_grad():  # four edges certain, two undecided: few different cells
        search.alpha.copy_(torch.tensor([[0.0, 50, 0, 0, 0]] * 4 + [[0.0, 0, 50, 50, 0]] * 2))

    def condition(network: Any, images: torch.Tensor) -> float:
        assert images.shape == (16, 1, 8, 8)
        scored.append(network.stages[0][0].genotype)
        return float(sum(scored[-1].operations))

    monkeypatch.setattr("trainables.proxies.ntk_condition", condition)
    monkeypatch.setattr("trainables.proxies.linear_regions", lambda network, images: 7.0)
    assert search.choose() == Genotype((1, 1, 1, 1, 2, 2))
    assert len(scored) == 3 * len(set(scored)) and len(set(scored)) == 4


def test_derivation_happens_once_after_the_last_epoch_and_survives_a_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    search = training_free(monkeypatch, candidates=3)
    assert search.derive() == search.current() and search.chosen is None
    search.epoch()
    assert search.chosen is not None and search.derive() == search.chosen
    resumed = training_free(monkeypatch, candidates=3)
    resumed.load_state_dict(search.state_dict())
    assert resumed.derive() == search.chosen


def test_derivation_by_the_mean_scores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    search = tiny_trial("balenas", epochs=1).search
    monkeypatch.setattr(search, "choose", lambda: pytest.fail("scored cells"))
    search.epoch()
    assert search.derive() == search.current()
