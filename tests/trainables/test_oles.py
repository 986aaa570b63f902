"""OLES: how alike two gradients are, when a convolution stops training, and that it then rests."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial

from trainables.methods.oles import Oles, likeness

pytestmark = pytest.mark.trains


def oles(**hyperparameters: Any) -> Oles:
    search = tiny_trial("oles", **hyperparameters).search
    assert isinstance(search, Oles)
    return search


def test_likeness_is_the_mean_over_a_kernel_of_cosines_over_output_channels() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 3, 4, 3, 3, 3))  # of 3 edges, each 4 output and 3 input channels
    expected = [
        np.mean([x[:, i] @ y[:, i] / np.linalg.norm(x[:, i]) / np.linalg.norm(y[:, i]) for i in range(27)])
        for x, y in zip(a.reshape(3, 4, 27), b.reshape(3, 4, 27), strict=True)
    ]
    found = likeness(torch.tensor(a).flatten(0, 1), torch.tensor(b).flatten(0, 1), 3)
    torch.testing.assert_close(found, torch.tensor(expected))


def decided(search: Oles, values: list[list[float]]) -> list[bool]:
    """Which of the first candidates are trained after comparisons of these likenesses."""
    for row in values:
        search.last = [torch.ones_like(weight) for weight in search.convolutions]
        given = torch.tensor(row + [1.0] * (len(search.likeness) - len(row))).split(search.edges)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trainables.methods.oles.likeness", Mock(side_effect=given))
            search.compare(search.last)
    return search.trained[: len(values[0])].tolist()


def test_one_more_comparison_than_the_window_is_divided_by_the_window() -> None:
    """With a window of 2 three likenesses count: 0.3 each is 0.45 of two, 0.2 each is 0.3."""
    assert decided(oles(window=2), [[0.3, 0.2], [0.3, 0.2]]) == [True, True], "too early to decide"
    assert decided(oles(window=2), [[0.3, 0.2]] * 3) == [True, False]
    assert decided(oles(window=2), [[0.3, 0.2]] * 3 + [[0.0, 1.0]] * 2) == [True, False], "sums restart"
    assert decided(oles(window=2), [[0.3, 0.2]] * 3 + [[0.0, 1.0]] * 3) == [False, False], "and nothing comes back"


@pytest.mark.parametrize("compared", ["accumulated", "validation"])
def test_the_training_gradient_of_the_last_step_meets_the_next_validation_gradient(compared: Any) -> None:
    search = oles(compared=compared)
    batches = [search._batch(search.train_batches, "augmentation.weights") for _ in range(2)]
    search.weight_step(batches[0])
    trained = [gradient.clone() for gradient in search.last]
    validation = torch.autograd.grad(search.loss(batches[1], search.mixing())[0], search.convolutions)
    search.architecture_step(batches[0], batches[1])
    met = [t + v for t, v in zip(trained, validation, strict=True)] if compared == "accumulated" else validation
    expected = torch.cat([likeness(*each) for each in zip(met, trained, search.edges, strict=True)])
    torch.testing.assert_close(search.likeness, expected, rtol=1e-3, atol=1e-3)


def test_what_rests_neither_moves_nor_counts_in_the_clipped_norm() -> None:
    search, other = oles(grad_clip=1e-3), oles(grad_clip=1e-3)
    for each in (search, other):
        each.weight_step(each._batch(each.train_batches, "augmentation.weights"))  # momentum to coast by
    search.trained[search.edges[0] :] = False
    before = [weight.detach().clone() for weight in search.convolutions]
    for each in (search, other):
        each.weight_step(each._batch(each.train_batches, "augmentation.weights"))
    moved = [not torch.equal(a, b) for a, b in zip(search.convolutions, before, strict=True)]
    assert moved == [True] + [False] * (len(moved) - 1)
    others = [weight.grad for weight in search.weights if all(weight is not c for c in search.convolutions[1:])]
    norm = torch.stack([gradient.norm() for gradient in others if gradient is not None]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3), "the others have all of it"


def test_where_nothing_rests_it_is_first_order_darts_to_the_bit() -> None:
    found = []
    for method, settings in (
        ("oles", {"threshold": -1.0, "window": 1}),
        ("darts", {"nesterov": False, "weight_decay": 3e-4}),
        ("oles", {"threshold": 2.0, "window": 1}),
    ):
        search = tiny_trial(method, protocol="P1", **settings).search
        for _ in range(2):
            search.epoch()
        found.append(search)
    assert torch.equal(found[0].alpha, found[1].alpha)
    assert all(torch.equal(a, b) for a, b in zip(found[0].weights, found[1].weights, strict=True))
    assert not found[2].trained.any() and not torch.equal(found[2].weights[0], found[1].weights[0])
