"""SETN: the likeliest cells, weights trained on uniform cells, alpha on the mixture, and the judgement at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial

from trainables.methods.setn import Setn, likeliest
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype

pytestmark = pytest.mark.trains


def setn(**hyperparameters: Any) -> Setn:
    search = tiny_trial("setn", **hyperparameters).search
    assert isinstance(search, Setn)
    return search


def test_likeliest_cells_are_those_of_largest_joint_probability() -> None:
    logs = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).log_softmax(1)
    joint = [sum(logs[e, o].item() for e, o in enumerate(Genotype.from_index(i).operations)) for i in range(NUM_CELLS)]
    expected = np.argsort(-np.array(joint), kind="stable")[:300]
    found = likeliest(logs, 300)
    assert [cell.index for cell in found] == expected.tolist()
    assert found[0].operations == tuple(logs.argmax(1).tolist())
    assert [cell.index for cell in likeliest(torch.zeros(6, 5), 4)] == [0, 1, 2, 3], "the first of equals"


def test_a_weight_step_trains_one_cell_and_clips_nothing() -> None:
    search = setn()
    batch = search._batch(search.train_batches, "augmentation.weights")
    with torch.no_grad():
        search.supernet.classifier.weight.mul_(1e3)  # and so the gradients
    before = [weight.detach().clone() for weight in search.weights]
    search.weight_optimizer.param_groups[0].update(lr=1.0, momentum=0.0, weight_decay=0.0, nesterov=False)
    search.weight_step(batch)
    step = torch.cat([(a - b).flatten() for a, b in zip(before, search.weights, strict=True)])
    gradient = torch.cat([w.grad.flatten() for w in search.weights if w.grad is not None])
    torch.testing.assert_close(step, gradient, rtol=1e-3, atol=1e-5)
    assert gradient.norm() > 20, "anywhere else 5 is the most"


def test_alpha_follows_the_gradient_of_the_mixture() -> None:
    search = setn()
    batch = search._batch(search.valid_batches, "augmentation.architecture")
    expected = torch.autograd.grad(search.loss(batch, search.alpha.softmax(1))[0], search.alpha)[0]
    search.architecture_step(batch, batch)
    assert search.alpha.grad is not None
    torch.testing.assert_close(search.alpha.grad, expected, rtol=1e-3, atol=1e-6)


def test_the_most_accurate_of_the_likeliest_cells_is_derived_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    search = setn(candidates=7, epochs=2)
    asked: list[tuple[int, int]] = []

    def accuracy(cell: Genotype, indices: torch.Tensor, batch_size: int) -> float:
        norms = [module.training for module in search.supernet.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        assert not search.supernet.stem[1].training and sum(norms) == 18, "three nodes' two in each of three cells"
        asked.append((cell.index, len(indices)))
        return float(cell.index % 97)

    monkeypatch.setattr(search, "accuracy", accuracy)
    search.epoch()
    assert not asked and search.current().operations == tuple(search.alpha.argmax(1).tolist())
    search.epoch()
    likely = [cell.index for cell in likeliest(search.alpha.detach().log_softmax(1), 7)]
    assert [cell for cell, _ in asked] == likely and {images for _, images in asked} == {32}
    assert search.derive().index == max(likely, key=lambda index: index % 97)
    assert search.supernet.stem[1].training
