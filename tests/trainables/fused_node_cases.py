"""The fused node's kernels against the plain node in float64; run by test_fused_node.py in triton's interpreter.

On a machine with CUDA the same file checks the compiled kernels: ``pytest tests/trainables/fused_node_cases.py``.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.spaces.nas_bench_201 import EDGES, OPERATIONS, fused, supernet
from trainables.spaces.nas_bench_201.fused import RunningStatistics, fused_node, reference_node
from trainables.spaces.nas_bench_201.supernet import Supernet
from trainables.spaces.single_path import SinglePath

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
TOLERANCE = 2e-5
torch.backends.cudnn.allow_tf32 = False

SHAPES = [
    # batch, channels, height, width, previous sums (None: there is none) of each edge
    pytest.param(2, 4, 4, 4, [False, False, False], id="first_node"),
    pytest.param(8, 4, 4, 4, [True, True], id="second_node_128_rows"),
    pytest.param(2, 8, 5, 5, [True], id="third_node_odd"),
    pytest.param(3, 3, 5, 3, [True, False, True], id="three_channels_oblong"),
    pytest.param(2, 6, 1, 3, [False, True], id="one_line_high"),
    pytest.param(2, 1, 2, 1, [False, False], id="one_channel"),
    pytest.param(5, 8, 9, 9, [False, True, True], id="several_blocks"),
    pytest.param(3, 24, 7, 6, [False, True, False], id="channels_no_power_of_two"),
    pytest.param(2, 80, 3, 3, [True], id="more_channels_than_a_program_takes"),
]
SMALL = SHAPES[:-3]
"""Of one, two and three edges; the interpreter takes seconds for each of the others."""
EVERYTHING = "x w1 w3 mixing previous"


class Case(NamedTuple):
    """A node's arguments in float64 on CPU, and a gradient for each of its outputs."""

    x: Tensor
    w1: Tensor
    w3: Tensor
    mixing: Tensor
    previous: list[Tensor | None]
    running: RunningStatistics
    upstream: list[Tensor]


def make(batch: int, channels: int, height: int, width: int, previous: list[bool], mean: float = 0.0) -> Case:
    generator = torch.Generator().manual_seed(batch + 10 * channels + 100 * height)
    edges, image = len(previous), (batch, channels, height, width)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).double()

    return Case(
        normal(*image) + mean,
        normal(edges * channels, channels, 1, 1) / channels**0.5,
        normal(edges * channels, channels, 3, 3) / (9 * channels) ** 0.5,
        normal(edges, len(OPERATIONS)),
        [normal(*image) if given else None for given in previous],
        RunningStatistics(*(normal(edges * channels).abs() for _ in range(4))),
        [normal(*image) for _ in previous],
    )


def evaluate(
    node: Callable[..., tuple[Tensor, ...]],
    case: Case,
    dtype: torch.dtype,
    wanted: str = EVERYTHING,
    layout: torch.memory_format = torch.channels_last,
    shared: bool = False,
) -> dict[str, Tensor]:
    """Outputs, gradients of what is wanted (nothing else requires one) and running statistics after the pass."""

    def leaf(name: str, value: Tensor) -> Tensor:
        value = value.to(DEVICE if dtype == torch.float32 else "cpu", dtype, copy=True)
        if value.dim() == 4:
            value = value.contiguous(memory_format=layout)
        return value.requires_grad_(name in wanted.split())

    leaves = {name: leaf(name, getattr(case, name)) for name in ("x", "w1", "w3", "mixing")}
    previous = [None if value is None else leaf("previous", value) for value in case.previous]
    running = RunningStatistics(*(leaf("running", value) for value in case.running))
    outputs = node(**leaves, previous=previous, running=running)
    found = {f"out{e}": output for e, output in enumerate(outputs)}
    inputs = leaves | {f"previous{e}": value for e, value in enumerate(previous) if value is not None}
    inputs = {name: value for name, value in inputs.items() if value.requires_grad}
    if shared:  # one gradient, expanded from a scalar, for all
        gradients = torch.autograd.grad(
            torch.stack([o.square().mean() + o.sum() for o in outputs]).sum(), [*inputs.values()]
        )
    else:
        gradients = torch.autograd.grad(outputs, [*inputs.values()], [leaf("", value) for value in case.upstream])
    found |= {f"d{name}": gradient for name, gradient in zip(inputs, gradients, strict=True)}
    return found | running._asdict()


def check(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = TOLERANCE) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        error = (found[name].detach().cpu().double() - value.detach().double()).abs().max()
        assert float(error) <= tolerance * max(1.0, float(value.detach().abs().max())), name


@pytest.mark.parametrize(("batch", "channels", "height", "width", "previous"), SHAPES)
def test_agrees_with_the_plain_node(
    batch: int, channels: int, height: int, width: int, previous: list[bool], wanted: str = EVERYTHING
) -> None:
    case = make(batch, channels, height, width, previous)
    expected = evaluate(reference_node, case, torch.float64, wanted)
    check(evaluate(fused_node, case, torch.float32, wanted), expected)


@pytest.mark.parametrize("wanted", ["x w1 w3 previous", "x mixing previous"])
@pytest.mark.parametrize(("batch", "channels", "height", "width", "previous"), SMALL)
def test_agrees_with_the_plain_node_where_less_is_wanted(
    batch: int, channels: int, height: int, width: int, previous: list[bool], wanted: str
) -> None:
    test_agrees_with_the_plain_node(batch, channels, height, width, previous, wanted)


def test_agrees_with_plain_node_in_other_memory_formats_and_at_an_expanded_gradient() -> None:
    case = make(2, 4, 3, 3, [False, True, True])
    expected = evaluate(reference_node, case, torch.float64, shared=True)
    check(evaluate(fused_node, case, torch.float32, shared=True), expected)
    check(evaluate(fused_node, case, torch.float32, layout=torch.contiguous_format, shared=True), expected)


def test_statistics_survive_a_large_mean_and_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make(3, 2, 7, 5, [False, True], mean=60.0)
    case = case._replace(w1=case.w1.abs(), w3=case.w3.abs())
    y = F.conv2d(case.x, case.w1)
    assert float((y.mean((0, 2, 3)).abs() / y.std((0, 2, 3))).min()) > 10
    wanted = "x mixing previous"  # w1's gradient is ill-conditioned here: 60 times a sum that is zero but for rounding
    expected = evaluate(reference_node, case, torch.float64, wanted)
    monkeypatch.setattr(fused, "_TILE", 32)  # 14 blocks of 8 rows, the last of them with one
    monkeypatch.setattr(fused, "_WARP", 16)
    monkeypatch.setattr(fused, "_CONVOLVED", 16)  # 7 blocks of 16 rows
    monkeypatch.setattr(fused, "_CHUNK", 8)  # 4 blocks at a time
    check(evaluate(fused_node, case, torch.float32, wanted), expected)


@pytest.mark.parametrize("programs", [1, 6, 100])
def test_weights_gradients_in_one_or_many_chunks(programs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make(3, 10, 5, 9, [False, False])
    expected = evaluate(reference_node, case, torch.float64, "w1 w3")
    monkeypatch.setattr(fused, "_CONVOLVED", 16)
    monkeypatch.setattr(fused, "_WEIGHERS", programs)
    check(evaluate(fused_node, case, torch.float32, "w1 w3"), expected)


def test_same_input_gives_the_same_bits() -> None:
    case = make(4, 5, 6, 6, [True, True, False])
    first, second = (evaluate(fused_node, case, torch.float32) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_asking_for_second_derivatives_raises() -> None:
    case = make(2, 2, 3, 3, [False])
    x, w1, w3, mixing = (value.to(DEVICE, torch.float32).requires_grad_() for value in case[:4])
    running = RunningStatistics(*(value.to(DEVICE, torch.float32) for value in case.running))
    (out,) = fused_node(x, w1, w3, mixing, [None], running)
    with pytest.raises(RuntimeError, match="differentiates once"):
        torch.autograd.grad(out.square().sum(), mixing, create_graph=True)
    torch.autograd.grad(out.square().sum(), x)


def test_weights_that_rest_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernet, "fusible", lambda x: True)
    launched: list[str] = []
    launch = fused._launch

    def record(kernel: str, *args: Any, **constants: Any) -> None:
        launched.append(kernel)
        launch(kernel, *args, **constants)

    monkeypatch.setattr(fused, "_launch", record)
    network = Supernet(2, 1, 3, 4).to(DEVICE)
    network.fuse()
    images = torch.randn(2, 3, 4, 4, device=DEVICE)
    alpha = torch.randn(len(EDGES), len(OPERATIONS), device=DEVICE, requires_grad=True)
    stem = next(network.stem.parameters())

    def loss() -> Tensor:
        return network(images, alpha.softmax(1)).square().sum()

    expected, kernel = torch.autograd.grad(loss(), [alpha, stem])
    assert launched.count("weigh") == launched.count("finish_weights") == 9
    launched.clear()
    with network.weights_rest():
        resting = loss()
    found, still = torch.autograd.grad(resting, [alpha, stem])
    assert "weigh" not in launched and launched.count("convolve_back") == 9
    assert torch.equal(found, expected) and torch.equal(still, kernel)
    with network.weights_rest(), network.weights_rest():
        pass
    loss().backward()
    assert launched.count("weigh") == 9 and all(weight.grad is not None for weight in network.parameters())


def test_weights_gradients_have_their_memory_format() -> None:
    case = make(2, 4, 3, 3, [False, True])
    x, w1, w3, mixing = (value.to(DEVICE, torch.float32) for value in case[:4])
    running = RunningStatistics(*(value.to(DEVICE, torch.float32) for value in case.running))
    w1, w3 = (w.contiguous(memory_format=torch.channels_last).requires_grad_() for w in (w1, w3))
    outputs = fused_node(x, w1, w3, mixing, [None, None], running)
    for weight, gradient in zip((w1, w3), torch.autograd.grad(outputs[0].square().sum(), (w1, w3)), strict=True):
        assert gradient.stride() == weight.stride()


@pytest.mark.parametrize("partial", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_fused_supernet_is_the_plain_one(partial: int, weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernet, "fusible", lambda x: True)
    torch.manual_seed(1)
    plain = Supernet(2, 1, 3, 5, partial=partial).to(DEVICE)
    network = copy.deepcopy(plain)
    network.fuse()
    images, labels = torch.randn(4, 3, 6, 6, device=DEVICE), torch.tensor([0, 1, 2, 3], device=DEVICE)
    alpha = torch.randn(len(EDGES), len(OPERATIONS), device=DEVICE, requires_grad=True)
    edges = torch.rand(len(EDGES), device=DEVICE, requires_grad=True) if weighted else None
    calls = []
    monkeypatch.setattr(supernet, "fused_node", lambda *args: calls.append(args) or fused_node(*args))

    def gradients(model: Supernet) -> list[Tensor]:
        wanted = [alpha, *model.parameters(), *([edges] if edges is not None else [])]
        return [*torch.autograd.grad(F.cross_entropy(model(images, alpha.softmax(1), edges), labels), wanted)]

    expected = gradients(plain)
    assert not calls
    for found, value in zip(gradients(network), expected, strict=True):
        torch.testing.assert_close(found, value, rtol=1e-3, atol=1e-4)
    assert len(calls) == 9
    assert plain.state_dict().keys() == network.state_dict().keys()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=1e-3, atol=1e-4)

    path = SinglePath.of(F.one_hot(torch.arange(6, device=DEVICE) % 5, 5).float())
    network(images, path)
    network.eval()(images, alpha.softmax(1))
    network.train().fuse(False)
    network(images, alpha.softmax(1))
    assert len(calls) == 9
