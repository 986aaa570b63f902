"""DARTS-PT: how long it tunes, when and how an edge is projected, and what is trained meanwhile."""

from __future__ import annotations

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial

from trainables.methods.darts_pt import OPEN, DartsPt, project, projection_due, tuning_epochs, without
from trainables.methods.differentiable import DifferentiableSearch
from trainables.spaces.nas_bench_201 import EDGES

pytestmark = pytest.mark.trains


def search_of(epochs: int = 1, **hyperparameters: object) -> DartsPt:
    search = tiny_trial("darts_pt", epochs=epochs, channels=1, train_images=32, **hyperparameters).search
    assert isinstance(search, DartsPt)
    return search


def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs that only pass."""

    def epoch(self: DifferentiableSearch[object]) -> dict[str, float]:  # type: ignore[type-var]
        self.epochs_done += 1
        return {"learning_rate": self.learning_rate()}

    monkeypatch.setattr(DifferentiableSearch, "epoch", epoch)


def test_epochs_and_weights_match_golden() -> None:
    case = golden("dartspt.epochs")
    assert tuning_epochs(len(EDGES), 5) == case.expected["nb201"]
    assert tuning_epochs(14 + 3, 5) + 1 == case.expected["darts"], "the DARTS space: 14 edges, 3 nodes to prune"
    weights = case.tensor("weights")[None]
    case.check(without(weights, 0, case.inputs["removed"])[0], "weights_removed")
    case.check(project(weights, torch.tensor([3]))[0], "weights_projected_to_3")
    assert torch.equal(project(weights, torch.tensor([OPEN])), weights)


@pytest.mark.parametrize("interval", [2, 5, 7])
def test_exactly_one_projection_for_every_edge(interval: int) -> None:
    due = [e for e in range(tuning_epochs(6, interval)) if projection_due(e, 6, interval)]
    assert len(due) == 6 and due[:2] == [0, interval]
    assert interval != 5 or due == [0, 5, 10, 15, 20, 24]


def test_the_operation_whose_removal_hurts_most_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    search = search_of()
    with torch.no_grad():
        search.alpha.normal_(generator=torch.Generator().manual_seed(0))

    def accuracy(mixing: torch.Tensor) -> float:
        removed = (mixing == 0).nonzero()
        assert len(removed) == 1, "nothing else changes"
        intact = search.scores() * (mixing != 0)
        assert torch.equal(mixing, intact)
        return [50.0, 40.0, 30.0, 30.0, 60.0][int(removed[0, 1])]

    monkeypatch.setattr(search, "accuracy", accuracy)
    search.project_an_edge()
    (edge,) = (search.projected != OPEN).nonzero().flatten().tolist()
    assert search.projected[edge] == 2, "the first of equals"
    assert torch.equal(search.scores()[edge], torch.eye(5)[2])


def test_all_edges_are_projected_in_an_order_that_the_seed_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    without_training(monkeypatch)
    orders = []
    for seed in (0, 0, 1):
        search = tiny_trial("darts_pt", seed=seed, epochs=3, channels=1).search
        assert isinstance(search, DartsPt) and search.total_epochs == 3 + 25
        monkeypatch.setattr(search, "accuracy", lambda mixing: 1.0)
        order: list[int] = []
        for _ in range(search.total_epochs):
            search.epoch()
            order += [e for e in (search.projected != OPEN).nonzero().flatten().tolist() if e not in order]
        assert (search.projected != OPEN).all() and search.derive().operations == tuple(search.projected.tolist())
        orders.append(order)
    assert orders[0] == orders[1] != orders[2]


def test_learning_rate_is_a_cosine_then_a_tenth_and_momentum_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    search = search_of(epochs=2)
    rates = [search.epoch()["learning_rate"] for _ in range(2)]
    assert rates == [0.025, pytest.approx(0.013)]
    assert search.weight_optimizer.state
    without_training(monkeypatch)
    assert search.epoch()["learning_rate"] == pytest.approx(0.0025)
    assert not search.weight_optimizer.state


def test_phase_one_is_darts() -> None:
    search, darts = (
        search_of(epochs=2),
        tiny_trial(
            "darts", epochs=2, channels=1, train_images=32, protocol="P1", nesterov=False, weight_decay=3e-4
        ).search,
    )
    for _ in range(2):
        assert search.epoch() == darts.epoch()


def test_blank_never_moves_alpha_but_projects(monkeypatch: pytest.MonkeyPatch) -> None:
    search = search_of(blank=True, tune_epochs=2)
    alpha = search.alpha.detach().clone()
    while search.epochs_done < search.total_epochs:
        assert "valid_accuracy" in search.epoch()
    assert torch.equal(search.alpha, alpha) and (search.projected != OPEN).all()


def test_accuracy_uses_batch_statistics_of_whole_batches_without_gradients() -> None:
    search = search_of()
    search.split.arch_images[-1] = 255  # 16 held-out images, one batch of 16
    with torch.no_grad():
        for norm in (m for m in search.supernet.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.running_mean.fill_(1e6)
    first = search.accuracy(search.scores())
    assert first == search.accuracy(search.scores()) and 0 <= first <= 100
