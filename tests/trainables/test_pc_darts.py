"""PC-DARTS: edge normalisation, the gradient of both parameters, the warm-up, and the limits in which it is DARTS."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial

from study.loading import parse
from study.plan import Fingerprints, plan
from trainables.errors import ConfigError
from trainables.methods.diagnostics import held_out
from trainables.methods.edge_weights import node_softmax
from trainables.spaces import space_named

pytestmark = pytest.mark.trains

PLAIN: dict[str, Any] = {"partial_channels": 1, "warm_up": 0.0}


def test_edges_are_normalised_node_by_node() -> None:
    case = golden("pcdarts.derive")
    inputs = [len(node) for node in case.expected["beta_normal_softmax"]]
    parts = node_softmax(case.tensor("beta_normal"), inputs).split(inputs)
    for part, expected in zip(parts, case.expected["beta_normal_softmax"], strict=True):
        torch.testing.assert_close(part, torch.tensor(expected, dtype=torch.float64), rtol=case.rtol, atol=case.atol)
    assert space_named("nas_bench_201").inputs == (1, 2, 3)


# limits ----------------------------------------------------------------------------------------------------------


def test_all_channels_without_edge_weights_and_warm_up_is_darts_to_the_last_bit() -> None:
    ours = tiny_trial("pc_darts", **PLAIN, edge_normalisation=False, arch_lr=3e-4).search
    darts = tiny_trial("darts", protocol="P1", nesterov=False, weight_decay=3e-4).search
    for _ in range(2):
        assert ours.epoch() == darts.epoch()
    assert torch.equal(ours.alpha, darts.alpha)
    expected = darts.supernet.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in ours.supernet.state_dict().items())


def test_edge_weights_that_cancel_the_normalisation_give_darts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With q = 1 on all edges the relaxed network is that of DARTS, at the same operations."""
    ours, darts = tiny_trial("pc_darts", **PLAIN).search, tiny_trial("darts").search
    assert torch.equal(ours.scores(), darts.scores())
    images = held_out(ours, 32)[0]
    monkeypatch.setattr(ours, "edge_weights", lambda: torch.ones(6))
    assert torch.equal(ours.forward(images, ours.scores()), darts.forward(images, darts.scores()))


# the search ------------------------------------------------------------------------------------------------------


def test_gradient_of_operations_and_edges_is_that_of_central_differences() -> None:
    search = tiny_trial("pc_darts", channels=4).search
    search.supernet.double()
    search.alpha = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    images, labels = search._batch(search.valid_batches, "augmentation.architecture")
    batch, alpha = (images.double(), labels), search.alpha.detach().clone()
    gradient, *_ = search.architecture_gradient(batch, batch)
    assert gradient[0, 5] == 0, "node 1 has one edge, whose weight is 1 whatever its beta"
    for edge, column in ((1, 5), (4, 5), (5, 5), (0, 3), (3, 1), (5, 4)):
        losses = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                search.alpha.copy_(alpha)
                search.alpha[edge, column] += step
                losses.append(float(search.loss(batch, search.mixing())[0]))
        assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(float(gradient[edge, column]), rel=1e-4, abs=1e-8)


def test_architecture_rests_while_the_weights_warm_up() -> None:
    search = tiny_trial("pc_darts", channels=4, epochs=10).search
    start = search.alpha.detach().clone()
    for epoch in range(5):
        metrics = search.epoch()
        assert "valid_loss" in metrics
        moved = search.alpha.detach() != start
        assert moved.any() == (epoch >= 3), "the first 3 of 10 epochs"
    assert moved[:, :5].all() and moved[1:, 5].all()


def test_weight_step_leaves_no_gradient_on_the_architecture() -> None:
    search = tiny_trial("pc_darts", channels=4).search
    search.weight_step(search._batch(search.train_batches, "augmentation.weights"))
    assert search.alpha.grad is None


def test_a_scale_that_k_does_not_divide_is_refused_before_anything_runs(tiny_study: dict[str, Any]) -> None:
    methods = {"pc_darts": {"partial_channels": [4, 8]}, "gaea": {"variant": "pc_darts", "partial_channels": 8}}
    for name, axes in methods.items():
        with pytest.raises(ConfigError, match="channels 4 and K = 8"):
            plan(parse(tiny_study | {"methods": {name: axes}}), Fingerprints("a" * 16))
    assert plan(parse(tiny_study | {"methods": {"gaea": {"partial_channels": 8}}}), Fingerprints("a" * 16)).trials
