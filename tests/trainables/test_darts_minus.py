"""DARTS-: the auxiliary skip connection, how it fades, and that nothing else differs from DARTS."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tiny_trials import tiny_trial

from trainables.methods.darts_minus import DartsMinus, auxiliary_weight
from trainables.spaces.nas_bench_201.genotype import SKIP
from trainables.spaces.nas_bench_201.supernet import SearchCell

pytestmark = pytest.mark.trains


def darts_minus(**hyperparameters: Any) -> DartsMinus:
    search = tiny_trial("darts_minus", **hyperparameters).search
    assert isinstance(search, DartsMinus)
    return search


def test_the_auxiliary_weight_falls_from_the_first_epoch_to_one_after_the_last() -> None:
    assert [auxiliary_weight(1.0, "linear", epoch, 4) for epoch in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
    half = 0.5 * (1 + math.sqrt(0.5))
    found = [auxiliary_weight(0.8, "cosine", epoch, 4) for epoch in range(5)]
    assert found == pytest.approx([0.8, 0.8 * half, 0.4, 0.8 * (1 - half), 0.0])


def test_every_edge_carries_its_input_once_more() -> None:
    """A cell whose edges are all closed but for an auxiliary skip of beta: node values are sums of multiples of x."""
    search, beta = darts_minus(), 0.5
    search.epochs_done = 1
    search.context = type("Context", (), {"scale": type("Scale", (), {"epochs": 2})})
    added = (search.relaxed() - search.scores()).detach()
    expected = torch.zeros(6, 5)
    expected[:, SKIP] = beta
    torch.testing.assert_close(added, expected)
    x = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    first = beta * x
    second = beta * (x + first)
    torch.testing.assert_close(SearchCell(2)(x, added), beta * (x + first + second))


def test_derivation_does_not_see_the_auxiliary_skip() -> None:
    search = darts_minus()
    with torch.no_grad():
        search.alpha.zero_()
        search.alpha[:, 3] = 0.1
    assert search.relaxed().argmax(1).eq(SKIP).all() and search.current().operations == (3,) * 6


def run(method: str, epochs: int, **hyperparameters: Any) -> torch.Tensor:
    search = tiny_trial(method, arch_lr=0.01, protocol="P1", **hyperparameters).search
    for _ in range(epochs):
        search.epoch()
    return search.alpha.detach()


def test_without_it_it_is_first_order_darts_to_the_bit() -> None:
    darts = {"nesterov": False, "weight_decay": 3e-4}
    assert torch.equal(run("darts_minus", 2, auxiliary=0.0), run("darts", 2, **darts))
    assert not torch.equal(run("darts_minus", 1), run("darts", 1, **darts))
