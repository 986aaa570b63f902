"""The supernet and the discrete network against golden numbers and against the same arithmetic written plainly."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from golden import GoldenCase, golden
from reference_supernet import ReferenceCell, ReferenceSupernet, copy_weights, edge_weights
from torch import Tensor, nn

from trainables.errors import ConfigError
from trainables.spaces.nas_bench_201 import EDGES, OPERATIONS, Genotype
from trainables.spaces.nas_bench_201.genotype import AVG_POOL, CONV_1X1, CONV_3X3, NONE, SKIP
from trainables.spaces.nas_bench_201.mixtures import OUTGOING
from trainables.spaces.nas_bench_201.network import DiscreteNetwork
from trainables.spaces.nas_bench_201.operations import ResidualReduction, avg_pool_3x3
from trainables.spaces.nas_bench_201.supernet import SearchCell, Supernet
from trainables.spaces.partial import rejoin
from trainables.spaces.single_path import SinglePath

SHAPES = [
    # channels, cells, image size, batch size
    pytest.param(1, 1, 5, 2, id="one_channel_odd"),
    pytest.param(2, 1, 8, 4, id="even"),
    pytest.param(3, 2, 7, 3, id="two_cells_odd"),
    pytest.param(4, 1, 6, 2, id="even_then_odd"),
]


def wave(shape: tuple[int, ...]) -> Tensor:
    """The golden cases' input: cos(0.37 j + 0.011 j^2) over the flat index j."""
    j = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.cos(0.37 * j + 0.011 * j**2).view(shape)


def fill(weight: Tensor, offset: float) -> None:
    """The golden cases' weights: sin(0.7 j + offset) over the flat index j."""
    j = torch.arange(weight.numel(), dtype=torch.float64)
    with torch.no_grad():
        weight.copy_(torch.sin(0.7 * j + offset).view(weight.shape))


def check_summary(case: GoldenCase, y: Tensor) -> None:
    flat = y.detach().reshape(-1)
    assert list(y.shape) == case.expected["shape"]
    case.check(flat.abs().sum(), "sum_abs")
    case.check(flat.square().sum(), "sum_sq")
    case.check((flat * torch.cos(0.5 * torch.arange(len(flat), dtype=torch.float64))).sum(), "proj_cos_half_j")
    case.check(y[0, 0, 0], "row")
    case.check(y[-1, -1, -1], "last")


@pytest.mark.parametrize("partial", [1, 2])
def test_search_cell_matches_golden(partial: int) -> None:
    case = golden(f"nb201.cell_forward_k{partial}")
    cell = SearchCell(4, case.inputs["k"]).double()
    for name, weight in edge_weights(cell).items():
        _, edge, operation, *_ = name.split(".")
        fill(weight, 0.1 * int(edge) + 0.01 * int(operation))
    alpha = torch.tensor([[math.sin(e + 2 * o) for o in range(5)] for e in range(6)], dtype=torch.float64)
    check_summary(case, cell(wave((2, 4, 5, 5)), alpha.softmax(1)))


def test_reduction_block_matches_golden() -> None:
    block = ResidualReduction(2, 4).double()
    for i, convolution in enumerate((block.conv_a[1], block.conv_b[1], block.shortcut[1])):
        fill(convolution.weight, 0.3 * i)
    check_summary(golden("nb201.reduction_block"), block(wave((2, 2, 6, 6))))


def test_average_pooling_matches_golden() -> None:
    case = golden("nb201.avg_pool")
    case.check(avg_pool_3x3(case.tensor("x")), "y")


def test_channels_are_rejoined_in_the_golden_order() -> None:
    case = golden("drnas.channel_shuffle")
    channels = case.tensor("channels").view(1, -1, 1, 1)
    for partial in (2, 4):
        processed, bypassed = channels.tensor_split([8 // partial], dim=1)
        case.check(rejoin(processed, bypassed).flatten(), f"groups{partial}")


CLASSES = {"cifar10": (10, 32), "cifar100": (100, 32), "ImageNet16-120": (120, 16)}


@pytest.mark.parametrize("dataset", CLASSES)
def test_parameters_and_multiply_adds_are_those_of_the_benchmark(dataset: str) -> None:
    case, (classes, size) = golden("nb201.param_count"), CLASSES[dataset]
    for text, expected in case.expected.items():
        network = DiscreteNetwork(Genotype.from_string(text), case.inputs["C"], case.inputs["N"], 3, classes).eval()
        parameters = sum(p.numel() for p in network.parameters())
        macs = multiply_adds(network, torch.zeros(1, 3, size, size))
        assert {"params": parameters, "conv_linear_macs": macs} == expected[dataset], text


@torch.no_grad()
def multiply_adds(network: nn.Module, images: Tensor) -> int:
    """Of convolutions and the classifier; a bias counts once."""
    counts: list[int] = []

    def count(module: nn.Module, _: Any, output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            counts.append(output.numel() * module.weight[0].numel())
        elif isinstance(module, nn.Linear):
            counts.append(output.numel() * (module.in_features + 1))

    for module in network.modules():
        module.register_forward_hook(count)
    network(images)
    return sum(counts)


# the product's supernet and the plain one ------------------------------------------------------------------------


def pair(channels: int, cells: int) -> tuple[Supernet, ReferenceSupernet]:
    """The two supernets in float64 with the same weights; the affine parameters are not at their initial values."""
    torch.manual_seed(channels + cells)
    supernet = Supernet(channels, cells, in_channels=2, classes=3).double()
    reference = ReferenceSupernet(channels, cells, in_channels=2, classes=3).double()
    with torch.no_grad():
        for parameter in supernet.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    copy_weights(supernet, reference)
    return supernet, reference


def problem(size: int, batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and a mixing matrix (a leaf) drawn at random."""
    generator = torch.Generator().manual_seed(size)
    images = torch.randn(batch, 2, size, size, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (batch,), generator=generator)
    mixing = torch.randn(len(EDGES), len(OPERATIONS), generator=generator, dtype=torch.float64).softmax(1)
    return images, labels, mixing.requires_grad_()


def in_reference_layout(supernet: Supernet, reference: ReferenceSupernet, values: list[Tensor]) -> dict[str, Tensor]:
    """``values`` (one for each of the supernet's parameters) under the names of the reference's parameters."""
    carrier, copied = copy.deepcopy(supernet), copy.deepcopy(reference)
    with torch.no_grad():
        for parameter, value in zip(carrier.parameters(), values, strict=True):
            parameter.copy_(value)
    copy_weights(carrier, copied)
    return {name: parameter.detach() for name, parameter in copied.named_parameters()}


def assert_equal_parameters(
    supernet: Supernet, reference: ReferenceSupernet, ours: list[Tensor], theirs: list[Tensor]
) -> None:
    mapped = in_reference_layout(supernet, reference, ours)
    for (name, value), expected in zip(mapped.items(), theirs, strict=True):
        torch.testing.assert_close(
            value, expected, rtol=1e-9, atol=1e-11, msg=lambda text, name=name: f"{name}: {text}"
        )


def running_statistics(supernet: Supernet) -> dict[str, Tensor]:
    """The running statistics of the candidates' batch normalisations under the reference's names."""
    found = {}
    for s, stage in enumerate(supernet.stages):
        for n, cell in enumerate(stage):
            for source, node in enumerate(cell.nodes):
                for kernel, operation in (("1x1", CONV_1X1), ("3x3", CONV_3X3)):
                    norm = getattr(node, f"norm_{kernel}")
                    for statistic in ("running_mean", "running_var"):
                        parts = getattr(norm, statistic).split(node.channels)
                        for e, part in zip(OUTGOING[source], parts, strict=True):
                            found[f"stages.{s}.{n}.edges.{e}.{operation}.2.{statistic}"] = part
    return found


@pytest.mark.parametrize(("channels", "cells", "size", "batch"), SHAPES)
def test_supernet_equals_the_plain_one(channels: int, cells: int, size: int, batch: int) -> None:
    supernet, reference = pair(channels, cells)
    images, labels, mixing = problem(size, batch)
    gradients = []
    for network in (supernet, reference):
        logits = network(images, mixing)
        weights = list(network.parameters())
        gradients.append((logits, torch.autograd.grad(F.cross_entropy(logits, labels), [mixing, *weights])))
    (ours, (our_mixing, *our_weights)), (theirs, (their_mixing, *their_weights)) = gradients
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(our_mixing, their_mixing, rtol=1e-9, atol=1e-11)
    assert our_mixing[:, NONE].eq(0).all() and our_mixing[:, 1:].ne(0).all()
    assert_equal_parameters(supernet, reference, our_weights, their_weights)

    state = reference.state_dict()
    shared = {name: value for name, value in supernet.state_dict().items() if not name.startswith("stages.")}
    for name, value in (running_statistics(supernet) | shared).items():
        torch.testing.assert_close(value, state[name], rtol=1e-10, atol=1e-12)


def test_supernet_equals_the_plain_one_in_eval_mode() -> None:
    supernet, reference = pair(2, 1)
    for size in (8, 7, 9):  # gives the running statistics something to hold
        images, _, mixing = problem(size, 4)
        supernet(images, mixing), reference(images, mixing)
    supernet.eval(), reference.eval()
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    logits = supernet(images, mixing)
    torch.testing.assert_close(logits, reference(images, mixing), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(supernet(images[:1], mixing), logits[:1], rtol=1e-10, atol=1e-12)
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


def test_second_derivatives_equal_those_of_the_plain_supernet() -> None:
    """Hessian-vector products in the weights and the mixed ones, which unrolled and implicit gradients rest on."""
    supernet, reference = pair(2, 1)
    images, labels, mixing = problem(5, 3)
    generator = torch.Generator().manual_seed(1)
    vector = [torch.randn(w.shape, generator=generator, dtype=torch.float64) for w in supernet.parameters()]
    mapped = in_reference_layout(supernet, reference, vector)
    products = []
    for network, v in ((supernet, vector), (reference, list(mapped.values()))):
        weights = list(network.parameters())
        loss = F.cross_entropy(network(images, mixing), labels)
        gradient = torch.autograd.grad(loss, weights, create_graph=True)
        slope = sum((g * x).sum() for g, x in zip(gradient, v, strict=True))
        products.append(torch.autograd.grad(slope, [mixing, *weights]))
    (our_mixing, *ours), (their_mixing, *theirs) = products
    torch.testing.assert_close(our_mixing, their_mixing, rtol=1e-8, atol=1e-10)
    assert_equal_parameters(supernet, reference, ours, theirs)


def test_search_cell_is_twice_differentiable() -> None:
    torch.manual_seed(0)
    cell = SearchCell(1).double()
    x = torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    mixing = torch.rand(6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(cell, (x, mixing))
    assert torch.autograd.gradgradcheck(cell, (x, mixing))


# partial channels and edge weights --------------------------------------------------------------------------------


def plain_partial_cell(cell: ReferenceCell, x: Tensor, mixing: Tensor, edges: Tensor, partial: int) -> Tensor:
    """Every edge by itself: candidates, bypass, shuffle, weight. ``cell``'s candidates are C/K channels wide."""
    nodes, width = [x], x.shape[1] // partial
    order = [group * width + channel for channel in range(width) for group in range(partial)]
    for node in (1, 2, 3):
        total = torch.zeros_like(x)
        for e, (target, source) in enumerate(EDGES):
            if target == node:
                passing = nodes[source][:, :width]
                mixed = sum(mixing[e, o] * operation(passing) for o, operation in enumerate(cell.edges[e]))
                total = total + edges[e] * torch.cat([mixed, nodes[source][:, width:]], dim=1)[:, order]
        nodes.append(total)
    return nodes[3]


@pytest.mark.parametrize("partial", [1, 2, 4])
def test_partial_channels_and_edge_weights_equal_the_plain_ones(partial: int) -> None:
    generator = torch.Generator().manual_seed(partial)
    cell, reference = SearchCell(8, partial).double(), ReferenceCell(8 // partial).double()
    reference.load_state_dict(edge_weights(cell), strict=False)
    x, mixing = wave((3, 8, 5, 5)), torch.rand(6, 5, generator=generator, dtype=torch.float64).requires_grad_()
    edges = torch.rand(6, generator=generator, dtype=torch.float64).requires_grad_()
    found = []
    for y in (cell(x, mixing, edges), plain_partial_cell(reference, x, mixing, edges, partial)):
        found.append((y, *torch.autograd.grad((y * wave(tuple(y.shape))).sum(), [mixing, edges])))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("partial", [1, 2])
def test_edge_weights_of_one_change_no_bit(partial: int) -> None:
    supernet = Supernet(4, 1, 3, 5, partial=partial)
    images, mixing = wave((4, 3, 8, 8)).float(), torch.full((6, 5), 0.2)
    assert torch.equal(supernet(images, mixing), supernet(images, mixing, torch.ones(6)))


def test_partial_search_cell_is_twice_differentiable() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    cell = SearchCell(2, 2).double()
    x, mixing, edges = (
        torch.rand(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 2, 3, 3), (6, 5), (6,))
    )
    assert torch.autograd.gradcheck(cell, (x, mixing, edges), fast_mode=True)
    assert torch.autograd.gradgradcheck(cell, (x, mixing, edges), fast_mode=True)


def test_partial_channels_must_divide() -> None:
    with pytest.raises(ConfigError, match=r"channels 6 and K = 4; set scale\.channels to a multiple of 4"):
        Supernet(6, 1, 3, 10, partial=4)


def test_float32_supernet_is_the_float64_one_up_to_rounding() -> None:
    supernet, _ = pair(4, 1)
    images, _, mixing = problem(8, 8)
    exact = supernet(images, mixing)
    torch.testing.assert_close(supernet.float()(images.float(), mixing.float()), exact.float(), rtol=1e-3, atol=1e-4)


# the discrete network ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operations",
    [
        (CONV_3X3, CONV_1X1, CONV_3X3, SKIP, AVG_POOL, CONV_1X1),
        (SKIP, NONE, AVG_POOL, CONV_3X3, NONE, SKIP),
        (NONE, NONE, CONV_3X3, NONE, CONV_1X1, AVG_POOL),
    ],
)
def test_discrete_network_is_the_supernet_at_a_corner_of_the_simplex(operations: tuple[int, ...]) -> None:
    """With shared weights, and affine parameters at their initial values, which change nothing."""
    genotype = Genotype(operations)
    supernet, _ = pair(3, 2)
    discrete = DiscreteNetwork(genotype, 3, 2, in_channels=2, classes=3).double()
    state = discrete.state_dict()
    state |= {name: value for name, value in supernet.state_dict().items() if not name.startswith("stages.")}
    for s, stage in enumerate(supernet.stages):
        for n, cell in enumerate(stage):
            weights = edge_weights(cell)
            for e, operation in enumerate(operations):
                if operation in (CONV_1X1, CONV_3X3):
                    found = weights[f"edges.{e}.{operation}.1.weight"]
                    state[f"stages.{s}.{n}.convolutions.{e}.1.weight"] = found
    discrete.load_state_dict(state)
    images, _, _ = problem(7, 4)
    corner = F.one_hot(torch.tensor(operations), len(OPERATIONS)).double()
    torch.testing.assert_close(discrete(images), supernet(images, corner), rtol=1e-10, atol=1e-12)


def test_cell_without_a_path_sees_nothing_of_its_input() -> None:
    network = DiscreteNetwork(Genotype((NONE,) * 6), channels=2, cells=1, in_channels=1, classes=4)
    logits = network(torch.randn(3, 1, 8, 8))
    assert logits.isfinite().all() and torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("operations", [(3, 1, 2, 4, 0, 3), (2, 2, 3, 3, 2, 1), (0, 4, 1, 0, 3, 2), (0,) * 6])
@pytest.mark.parametrize(("channels", "partial"), [(3, 1), (4, 2)])
def test_single_path_is_the_mixture_at_a_one_hot_corner(
    channels: int, partial: int, operations: tuple[int, ...], training: bool
) -> None:
    torch.manual_seed(0)
    supernet = Supernet(channels, 1, 3, 7, partial=partial).double().train(training)
    images = wave((4, 3, 8, 8))
    onehot = F.one_hot(torch.tensor(operations), len(OPERATIONS)).double()
    edges = None if partial == 1 else wave((6,))
    gradients = []
    for mixing in (onehot, SinglePath.of(onehot)):
        logits = supernet(images, mixing, edges)
        of_weights = torch.autograd.grad(logits.square().sum(), supernet.parameters(), allow_unused=True)
        gradients.append([logits, *of_weights])
    for mixture, alone in zip(*gradients, strict=True):
        torch.testing.assert_close(alone if alone is not None else torch.zeros_like(mixture), mixture)
