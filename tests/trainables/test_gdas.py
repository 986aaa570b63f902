"""GDAS: the hard sample and its gradient, the temperature, and the gradient of operations that did not run."""

from __future__ import annotations

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.methods.gdas import hard_sample
from trainables.methods.gumbel import gumbel_noise, relaxed_sample, temperature
from trainables.spaces import space_named
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spaces.nas_bench_201.genotype import NONE
from trainables.spaces.single_path import SinglePath

pytestmark = pytest.mark.trains


def test_hard_sample_and_its_gradient_match_golden() -> None:
    case = golden("gdas.hardwts")
    alpha, noise, tau = case.tensor("alpha").requires_grad_(), case.tensor("gumbel"), case.inputs["tau"]
    case.check(relaxed_sample(alpha.log_softmax(1), noise, tau).detach(), "probs")
    h = hard_sample(alpha, noise, tau)
    case.check(h.detach(), "hardwts")
    assert h.argmax(1).tolist() == case.expected["index"]
    case.check(torch.autograd.grad(h, alpha, case.tensor("dL_dhardwts"))[0], "grad_alpha")


def test_temperature_matches_golden() -> None:
    case = golden("gdas.tau")
    taus = [temperature(case.inputs["tau_max"], case.inputs["tau_min"], e, 250) for e in case.inputs["epochs"]]
    case.check(taus, "tau")
    assert temperature(10, 0.1, 0, 1) == 10


def test_operations_are_sampled_with_their_softmax_probabilities() -> None:
    """Gumbel-max: the argmax of alpha + noise is a draw from softmax(alpha), whatever the temperature."""
    alpha = torch.tensor([1.0, -1.0, 0.5, 0.0, 2.0])
    noise = gumbel_noise(alpha.expand(20_000, -1).contiguous(), torch.Generator().manual_seed(0))
    frequencies = hard_sample(alpha, noise, 0.3).mean(0)
    torch.testing.assert_close(frequencies, alpha.softmax(0), rtol=0, atol=0.015)
    assert noise.mean() == pytest.approx(0.5772, abs=0.02)


# the single path -------------------------------------------------------------------------------------------------


def architecture_gradient_by_definition(search: object, images: Tensor, labels: Tensor, h: Tensor) -> Tensor:
    """dL/dh [6, 5]: central differences of the loss in float64, moving edge e's weight or its constant."""
    path, gradient = SinglePath.of(h), torch.zeros_like(h)

    def loss(weights: Tensor, constants: Tensor) -> float:
        logits = search.supernet(images, SinglePath(path.operations, weights, constants))  # type: ignore[attr-defined]
        return float(torch.nn.functional.cross_entropy(logits, labels))

    for edge, chosen in enumerate(path.operations):
        step = 1e-6 * torch.eye(6, dtype=h.dtype)[edge]
        of_constant = (loss(path.weights, path.constants + step) - loss(path.weights, path.constants - step)) / 2e-6
        of_weight = (loss(path.weights + step, path.constants) - loss(path.weights - step, path.constants)) / 2e-6
        gradient[edge] = of_constant
        gradient[edge, chosen] = of_weight
    return gradient


def test_operations_that_did_not_run_get_the_gradient_of_a_constant() -> None:
    search = tiny_trial("gdas", channels=3).search
    search.supernet.double()
    images, labels = search._batch(search.valid_batches, "augmentation.architecture")
    h = torch.nn.functional.one_hot(torch.tensor([3, 1, 2, 4, 0, 3]), 5).double().requires_grad_()
    with torch.no_grad():
        expected = architecture_gradient_by_definition(search, images.double(), labels, h.detach())
    loss, _ = search.loss((images.double(), labels), h)
    (gradient,) = torch.autograd.grad(loss, h)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-7)
    edge = gradient[4]
    assert edge[NONE] == 0 and edge[1:].unique().numel() == 1, "none was sampled; the others share one gradient"


def test_weights_first_meet_the_sampled_cell_only() -> None:
    """A weight step moves the running statistics of the sampled operations and no others, yet all weights decay."""
    search = tiny_trial("gdas", weight_decay=0.1).search
    cell = search.supernet.stages[0][0]
    before = {name: value.clone() for name, value in cell.state_dict().items()}
    mixing = search.mixing().detach()
    sampled = space_named("nas_bench_201").derive(mixing)
    search.mixing = lambda: mixing
    search.weight_step(search._batch(search.train_batches, "augmentation.weights"))
    after = cell.state_dict()
    for source, (node, edges) in enumerate(zip(cell.nodes, ((0, 1, 3), (2, 4), (5,)), strict=True)):
        for k, edge in enumerate(edges):
            own = slice(k * node.channels, (k + 1) * node.channels)
            for operation, kind in ((2, "1x1"), (3, "3x3")):
                moved = f"nodes.{source}.norm_{kind}.running_var"
                ran = sampled.operations[edge] == operation
                assert torch.equal(after[moved][own], before[moved][own]) != ran
    for name, value in before.items():
        if name.endswith("weight"):
            assert not torch.equal(after[name], value), "weight decay acts on all weights"


def test_every_forward_pass_samples_and_temperature_falls_over_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    search = tiny_trial("gdas", epochs=3, tau_start=8.0, tau_end=2.0).search
    taus: list[float] = []

    def recording(alpha: Tensor, noise: Tensor, tau: float) -> Tensor:
        taus.append(tau)
        return hard_sample(alpha, noise, tau)

    monkeypatch.setattr("trainables.methods.gdas.hard_sample", recording)
    for _ in range(3):
        search.epoch()
    assert taus == [8.0] * 4 + [5.0] * 4 + [2.0] * 4, "two batches of an architecture and a weight step each"
    cells = {SinglePath.of(search.mixing().detach()).operations for _ in range(5)}
    assert len(cells) > 1 and all(str(Genotype(cell)) for cell in cells)
    assert search.derive() == search.space.derive(search.alpha)
