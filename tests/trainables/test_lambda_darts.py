"""Lambda-DARTS: the alignment of the cells' gradients, and the weights' gradient of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial

from trainables.methods.lambda_darts import LambdaDarts, layer_alignment

pytestmark = pytest.mark.trains


def search_and_batch(**hyperparameters: Any) -> tuple[LambdaDarts, Any]:
    search = tiny_trial("lambda_darts", **hyperparameters).search
    assert isinstance(search, LambdaDarts)
    return search, search._batch(search.train_batches, "augmentation.weights")


def test_alignment_is_the_mean_cosine_over_pairs() -> None:
    g = np.array([[[1.0, 2.0], [0.0, -1.0]], [[0.5, 0.1], [0.3, 2.0]], [[-1.0, 0.0], [4.0, 0.2]]])
    flat = [x.ravel() for x in g]
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = np.mean([flat[a] @ flat[b] / np.linalg.norm(flat[a]) / np.linalg.norm(flat[b]) for a, b in pairs])
    assert float(layer_alignment(torch.tensor(g))) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(-0.08179162006832562)
    assert float(layer_alignment(torch.tensor(g[:1]).repeat(4, 1, 1))) == pytest.approx(1.0)


def test_alignment_of_signs_is_the_mean_over_pairs_of_the_share_that_agrees() -> None:
    g = np.array([[[1.0, 2.0], [0.0, -1.0]], [[0.5, 0.1], [0.3, 2.0]], [[-1.0, 0.0], [4.0, 0.2]]])
    flat = [x.ravel() for x in g]
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = np.mean([flat[a] @ flat[b] / (abs(flat[a]) @ abs(flat[b])) for a, b in pairs])
    assert float(layer_alignment(torch.tensor(g), "sign")) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(-0.31922398589065254)


def test_the_alignment_grows_from_nothing_to_its_weight_in_the_last_epoch() -> None:
    search, _ = search_and_batch(epochs=5, alignment=0.2)
    found = []
    for search.epochs_done in range(5):
        found.append(search.strength())
    assert found == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])


def test_equal_copies_are_the_shared_mixing_and_their_gradients_add_up_to_its() -> None:
    search, batch = search_and_batch(cells=2)
    mixing = search.scores().detach().requires_grad_()
    own = mixing.detach().repeat(6, 1, 1).requires_grad_()
    shared, apart = search.loss(batch, mixing)[0], search.loss(batch, own)[0]
    torch.testing.assert_close(shared, apart)
    (expected,), (found,) = torch.autograd.grad(shared, mixing), torch.autograd.grad(apart, own)
    torch.testing.assert_close(found.sum(0), expected)


@pytest.mark.parametrize("measure", ["cosine", "sign"])
@pytest.mark.parametrize("epsilon", [0.0, 1e-8])
def test_weights_descend_on_the_loss_minus_the_alignment(measure: Any, epsilon: float) -> None:
    """Along a random direction of the weights, by central differences of both."""
    search, batch = search_and_batch(alignment=2.0, measure=measure, epochs=2)
    search.config, search.epochs_done = search.config.model_copy(update={"epsilon": epsilon}), 1
    search.supernet.double()
    search.alpha = search.alpha.detach().double().requires_grad_()
    batch, mixing = (batch[0].double(), batch[1]), search.scores().detach()
    search.weight_backward(batch, mixing)
    generator = torch.Generator().manual_seed(0)
    direction = [torch.randn(w.shape, generator=generator, dtype=torch.float64) for w in search.weights]
    found = sum(float((w.grad * d).sum()) for w, d in zip(search.weights, direction, strict=True))

    def objective(step: float) -> float:
        with torch.no_grad():
            for w, d in zip(search.weights, direction, strict=True):
                w += step * d
        own = mixing.repeat(3, 1, 1).requires_grad_()
        loss = search.loss(batch, own)[0]
        (gradients,) = torch.autograd.grad(loss, own)
        with torch.no_grad():
            for w, d in zip(search.weights, direction, strict=True):
                w -= step * d
        return float(loss.detach()) - 2.0 * float(layer_alignment(gradients, measure))

    assert found == pytest.approx((objective(1e-7) - objective(-1e-7)) / 2e-7, rel=1e-4)


def test_without_alignment_it_is_first_order_darts() -> None:
    found = []
    for method, settings in (
        ("lambda_darts", {"alignment": 0.0}),
        ("darts", {"nesterov": False, "weight_decay": 3e-4}),
        ("lambda_darts", {"alignment": 1.0}),
    ):
        search = tiny_trial(method, protocol="P1", arch_lr=1e-4, **settings).search
        search.epoch()
        search.epoch()
        found.append(search.weights[0].detach())
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)
    assert (found[2] - found[1]).abs().max() > 1e-4
