"""The training-free proxies: golden values, what they leave untouched, and cells on which they must not stumble."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from golden import golden
from torch import Tensor, nn

from trainables import proxies
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spaces.nas_bench_201.network import DiscreteNetwork

UNLABELLED: list[Callable[..., float]] = [
    proxies.synflow,
    proxies.jacob_cov,
    proxies.naswot,
    proxies.ntk_condition,
    proxies.linear_regions,
]
LABELLED: list[Callable[..., float]] = [proxies.grad_norm, proxies.snip, proxies.grasp, proxies.fisher]


class GoldenNetwork(nn.Sequential):
    """The network of the golden cases, with the parameters written there."""

    def __init__(self, norm: bool) -> None:
        layers: list[nn.Module] = [nn.Conv2d(1, 2, 3, padding=1, bias=False)]
        if norm:
            layers.append(nn.BatchNorm2d(2))
        layers += [nn.ReLU(), nn.Conv2d(2, 3, 1, bias=False), nn.ReLU()]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)]
        super().__init__(*layers)
        self.double()
        weights = [m.weight for m in self if isinstance(m, nn.Conv2d | nn.Linear)]
        drawn = torch.sin(0.7 * torch.arange(sum(w.numel() for w in weights), dtype=torch.float64) + 0.3)
        with torch.no_grad():
            for weight, values in zip(weights, drawn.split([w.numel() for w in weights]), strict=True):
                weight.copy_(values.view_as(weight))
            self[-1].bias.copy_(torch.tensor([0.1, -0.2]))


def golden_images() -> Tensor:
    k = torch.arange(64, dtype=torch.float64)
    return torch.cos(0.37 * k + 0.011 * k * k).view(4, 1, 4, 4)


def network_of(cell: str | int, channels: int = 2, cells: int = 1) -> DiscreteNetwork:
    genotype = Genotype.from_index(cell) if isinstance(cell, int) else Genotype.from_string(cell)
    network = DiscreteNetwork(genotype, channels, cells, 1, 10)
    proxies.initialise(network, "fan_in", torch.Generator().manual_seed(0))
    return network


def batch(size: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(size, 1, 8, 8, generator=generator), torch.randint(10, (size,), generator=generator)


# golden values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [False, True])
def test_synflow_matches_golden(norm: bool) -> None:
    """With or without batch normalisation, which the score leaves out."""
    case = golden("zc.synflow")
    assert sum(case.expected["per_layer"]) == pytest.approx(case.expected["synflow"])
    case.check(proxies.synflow(GoldenNetwork(norm), golden_images()), "synflow")


def test_jacob_cov_matches_golden() -> None:
    golden("zc.jacob_cov").check(proxies.jacob_cov(GoldenNetwork(True), golden_images()), "jacob_cov")


def test_naswot_matches_golden() -> None:
    case = golden("zc.naswot")
    case.check(proxies.relu_agreement(GoldenNetwork(True), golden_images()), "K")
    case.check(proxies.naswot(GoldenNetwork(True), golden_images()), "score")


def test_ntk_matches_golden() -> None:
    case = golden("zc.ntk")
    case.check(proxies.ntk_eigenvalues(GoldenNetwork(True), golden_images()), "eigenvalues")
    case.check(proxies.ntk_condition(GoldenNetwork(True), golden_images()), "cond")


def test_linear_regions_match_golden() -> None:
    case = golden("zc.linear_regions")
    case.check(proxies.distinct_patterns(case.tensor("patterns")), "n_LR")


# independent checks ----------------------------------------------------------------------------------------------


def test_gradient_proxies_of_a_linear_classifier_are_known_in_closed_form() -> None:
    images, labels = batch()
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    nn.init.normal_(network[1].weight, generator=torch.Generator().manual_seed(2))
    x, w, b = images.double().flatten(1), network[1].weight.detach(), network[1].bias.detach()
    delta = ((x @ w.T + b).softmax(1) - F.one_hot(labels, 10)) / len(x)
    gradient = delta.T @ x

    def grasp_direction(step: float) -> Tensor:
        moved = w + step * gradient
        return (((x @ moved.T + b).softmax(1) - F.one_hot(labels, 10)) / len(x)).T @ x

    images = images.double()
    assert proxies.grad_norm(network, images, labels) == pytest.approx(float(gradient.norm()))
    assert proxies.snip(network, images, labels) == pytest.approx(float((w * gradient).abs().sum()))
    logits = x @ w.T + b
    expected = float((logits * delta).square().mean(0).sum() / 2)
    assert proxies.fisher(network, images, labels) == pytest.approx(expected)
    product = (grasp_direction(1e-5) - grasp_direction(-1e-5)) / 2e-5
    assert proxies.grasp(network, images, labels) == pytest.approx(-float((w * product).sum()), rel=1e-5)


def test_linear_regions_of_two_units_on_a_line() -> None:
    """Two ReLUs with kinks at 0 and 1 cut the line into three regions."""
    network = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[0].bias.copy_(torch.tensor([0.0, -1.0]))
    assert proxies.linear_regions(network, torch.linspace(-2, 3, 50)[:, None]) == 3


def test_relu_functions_count_as_relu_modules_do() -> None:
    """The head of the discrete network calls F.relu; 3 stages of no operation leave it and the reductions' four."""
    skips = "|skip_connect~0|+|skip_connect~0|none~1|+|skip_connect~0|none~1|none~2|"
    agreement = proxies.relu_agreement(network_of(skips), batch(4)[0])
    units = (
        2 * 64 + 4 * 16 + 4 * 16 + 8 * 4 + 8 * 4
    )  # reductions read 2 and 4 channels at 8x8 and 4x4, the head 8 at 2x2
    assert torch.equal(agreement.diagonal(), torch.full((4,), float(units), dtype=torch.float64))


# purity ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proxy", UNLABELLED + LABELLED, ids=lambda f: f.__name__)
def test_proxies_leave_the_network_and_its_gradients_alone_and_repeat_to_the_bit(proxy: Callable[..., float]) -> None:
    network, data = network_of(1234).eval(), batch()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    arguments: Any = data if proxy in LABELLED else data[:1]
    random_state = torch.get_rng_state()
    scores = {proxy(network, *arguments) for _ in range(2)}
    assert len(scores) == 1 and torch.equal(torch.get_rng_state(), random_state)
    assert not network.training and all(p.grad is None and p.requires_grad for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("cell", [0, 5**6 - 1, 3 * 5**5, 2 * 5**3], ids=["none", "pool", "dead_end", "unreached"])
@pytest.mark.parametrize("proxy", UNLABELLED + LABELLED, ids=lambda f: f.__name__)
def test_degenerate_cells_get_a_score(proxy: Callable[..., float], cell: int) -> None:
    data = batch()
    assert not math.isnan(proxy(network_of(cell), *(data if proxy in LABELLED else data[:1])))


def test_initialise_is_a_function_of_its_generator() -> None:
    first, second = network_of(1234), network_of(1234)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    fan_out = network_of(1234)
    proxies.initialise(fan_out, "fan_out", torch.Generator().manual_seed(0))
    stem = fan_out.stem[0].weight
    assert stem.std() < first.stem[0].weight.std(), "one input channel, two output channels"
