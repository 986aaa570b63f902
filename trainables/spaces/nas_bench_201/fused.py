"""A node of the supernet in few passes over memory: float32 on CUDA, in training mode, in Triton.

For a node x [B, C, H, W] with E outgoing edges, kernels w1 [E C, C, 1, 1] and w3 [E C, C, 3, 3], the edges' mixing
weights m [E, 5] and the sums so far of the nodes they lead to:

    y1, y3 = conv_1x1(relu(x)), conv_3x3(relu(x))                                       [B, E C, H, W]
    out_e  = previous_e + m[e, conv_1x1] norm(y1)_e + m[e, conv_3x3] norm(y3)_e + m[e, skip] x + m[e, pool] pool_3x3(x)

where norm is batch normalisation by the batch's own statistics and _e are edge e's channels. ``reference_node`` is this
in plain torch; ``fused_node`` is the same function, and at float32 differs by rounding alone.

A supernet at paper scale is bound by memory and by launches: 16 channels make convolutions cheap, if only on tensor
cores (cuDNN's float32 convolutions took most of a step), and what surrounds them is a dozen passes a node, forward and
backward. Here a node is three kernels forward and four backward, two more where its weights' gradients are wanted:

    forward    convolve                           y1 and y3, and partial moments of both
               finish_moments                     mean and deviation of y1 and y3; running statistics
               mix                                pools x, normalises, weighs, adds
    backward   partial_products, finish_products  per channel  S = sum g_e;  T = sum g_e norm(y)_e  for y1 and y3;
                                                  for m's gradient also  sum g_e x  and  sum g_e pool(x)
               unmix                              dy = m / deviation (g_e - S / rows - norm(y)_e T / rows);
                                                  sum_e m[e, skip] g_e  and  sum_e m[e, pool] g_e / cells
               convolve_back                      dx, from these two (the second summed over windows) and from dy1 and
                                                  dy3 past the convolutions, where x > 0
               weigh, finish_weights              gradients of w1 and w3
    m's gradient is T summed over channels for the convolutions: weighing a normalised output is weighing its scale.

A custom function learns which of its inputs require a gradient, but not which are asked for. An architecture step asks
for none of w1, w3 and must say so by handing them in detached: ``Supernet.weights_rest``. Nothing is kept for the
backward pass but x, the weights, y1, y3 and their statistics.

Nothing waits for the device, so a step can be captured in a CUDA graph. Sums have a fixed order: same input, same bits.
It differentiates once and says so; second-order methods need the plain node.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.errors import ConfigError
from trainables.spaces.nas_bench_201.genotype import AVG_POOL, CONV_1X1, CONV_3X3, OPERATIONS, SKIP
from trainables.spaces.nas_bench_201.operations import avg_pool_3x3

_TILE = 2048
"""Elements of a node that one program handles."""
_SMALL = 2**19
"""Nodes of no more elements are cut into tiles of half that, so that there are more programs than multiprocessors."""
_WARP = 256
"""Elements of a tile that one warp handles: two 16-byte accesses a thread; with four, registers run short."""
_FEW_REGISTERS = {"maxnreg": 128}
"""For the one kernel that would take a few more: two programs of 8 warps then share a multiprocessor."""
_CHUNK = 8192
"""Elements of partial sums that a program of the second stage, which has 8 warps, adds at a time."""
_PRECISIONS = {False: "tf32x3", True: "tf32"}
"""How tensor cores multiply float32, by whether torch's own convolutions may use TF32: in three parts, else in one."""
_CONVOLVED = 64
"""Rows of a tile of the convolutions, which 4 warps handle."""
_MULTIPROCESSORS = 128
"""About how many there are; what is faster on one device need not be on another, but is right on all."""
_WEIGHERS = 4 * _MULTIPROCESSORS
"""Programs that weights' gradients are spread over, at most but for rounding."""
_LAUNCHING = threading.Lock()
"""Trials run on threads of one process, and triton does not promise that they may launch at the same time."""


class RunningStatistics(NamedTuple):
    """Running means and variances [E C] of both convolutions' outputs; training moves them in place."""

    mean_1x1: Tensor
    var_1x1: Tensor
    mean_3x3: Tensor
    var_3x3: Tensor


def reference_node(
    x: Tensor,
    w1: Tensor,
    w3: Tensor,
    mixing: Tensor,
    previous: Sequence[Tensor | None],
    running: RunningStatistics,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Tensor, ...]:
    """x [B, C, H, W], mixing [E, 5], previous E sums so far or None -> E tensors of x's shape; see the module."""
    channels, edges = x.shape[1], len(mixing)
    active = F.relu(x)
    scale1, scale3 = (mixing[:, o].repeat_interleave(channels) for o in (CONV_1X1, CONV_3X3))
    convolved = F.batch_norm(
        F.conv2d(active, w1), running.mean_1x1, running.var_1x1, scale1, None, True, momentum, eps
    ) + F.batch_norm(
        F.conv2d(active, w3, padding=1), running.mean_3x3, running.var_3x3, scale3, None, True, momentum, eps
    )
    pooled = avg_pool_3x3(x)
    outputs = []
    for e, (edge, so_far) in enumerate(zip(convolved.chunk(edges, dim=1), previous, strict=True)):
        out = torch.addcmul(edge, mixing[e, SKIP].expand(1, 1, 1, 1), x)
        out = torch.addcmul(out, mixing[e, AVG_POOL].expand(1, 1, 1, 1), pooled)
        outputs.append(out if so_far is None else so_far + out)
    return tuple(outputs)


def fused_node(
    x: Tensor,
    w1: Tensor,
    w3: Tensor,
    mixing: Tensor,
    previous: Sequence[Tensor | None],
    running: RunningStatistics,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Tensor, ...]:
    """What ``reference_node`` computes, in float32 and channels last. Raises ConfigError if triton is missing."""
    kernels()
    if len(mixing) > 3 or mixing.shape[1] != len(OPERATIONS):
        raise ValueError(f"a node has up to 3 edges of {len(OPERATIONS)} operations, not {list(mixing.shape)}")
    if any(tensor.dtype != torch.float32 for tensor in (x, w1, w3, mixing, *running)):
        raise ValueError("the fused node computes in float32")
    if x.shape[0] * x.shape[2] * x.shape[3] < 2:
        raise ValueError(f"batch statistics need more than one value a channel, not {list(x.shape)}")
    if x.numel() * len(mixing) >= 2**31:
        raise ValueError(f"the fused node counts elements in 32 bits, too few for {len(mixing)} times {list(x.shape)}")
    so_far = [None if tensor is None else _channels_last(tensor) for tensor in previous]
    outputs: tuple[Tensor, ...] = _Node.apply(
        _channels_last(x), _channels_last(w1), _channels_last(w3), mixing.contiguous(), running, momentum, eps, *so_far
    )
    return outputs


def fusible(x: Tensor) -> bool:
    """Whether x is what the fused node is made for: float32 on CUDA, outside of autocast."""
    return x.is_cuda and x.dtype == torch.float32 and not torch.is_autocast_enabled("cuda")


def _once(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a backward pass whose gradients are to be differentiated.

    torch's own ``once_differentiable`` raises only if a later pass comes by. One to alpha need not: it finds its way
    through the softmax that made the mixing weights, and yields a Hessian without what goes through the network.
    """

    @functools.wraps(backward)
    def checked(ctx: Any, *gradients: Tensor) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the fused node differentiates once, but its gradients were asked for with create_graph=True; "
                "compute second derivatives on the plain node, after Supernet.fuse(False)"
            )
        return backward(ctx, *gradients)

    return checked


class _Node(torch.autograd.Function):
    """All of a node; its tensors are channels last."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w1: Tensor,
        w3: Tensor,
        mixing: Tensor,
        running: RunningStatistics,
        momentum: float,
        eps: float,
        *previous: Tensor | None,
    ) -> tuple[Tensor, ...]:
        layout, edges = _Layout.of(x), len(mixing)
        sizes, width = {"C": layout.channels, "E": edges}, edges * layout.channels
        convolved, partial = layout.convolved, x.new_empty(4, layout.convolved, width)
        y1, y3 = (
            torch.empty(
                (len(x), width, *x.shape[2:]), dtype=x.dtype, device=x.device, memory_format=torch.channels_last
            )
            for _ in range(2)
        )
        at_once = _outputs(width, convolved)
        _launch(
            "convolve", (convolved, -(-width // at_once)), x, w1, w3, y1, y3, partial, *layout.image,
            **sizes, **_matrix(at_once), INPUTS=_power(layout.channels, 32),
        )  # fmt: skip
        statistics = x.new_empty(4, width)
        chunk = layout.chunk
        _launch(
            "finish_moments", (edges, 2), partial, statistics, *running, layout.rows, convolved, momentum, eps,
            **sizes, LANES=layout.lanes, BLOCK=_CONVOLVED, CHUNK=chunk, CHUNKS=-(-convolved // chunk), num_warps=8,
        )  # fmt: skip
        outputs = [torch.empty_like(x) for _ in range(edges)]
        given = [tensor is not None for tensor in previous]
        _launch(
            "mix", (layout.blocks,), x, y1, y3, statistics, mixing,
            *_three([x if tensor is None else tensor for tensor in previous]), *_three(outputs), *layout.image,
            **sizes, LANES=layout.lanes, **{f"ADD{e}": e < edges and given[e] for e in range(3)}, **layout.tile,
        )  # fmt: skip
        ctx.given = given
        ctx.save_for_backward(x, w1, w3, y1, y3, statistics, mixing)
        return tuple(outputs)

    @staticmethod
    @_once
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, w1, w3, y1, y3, statistics, mixing = ctx.saved_tensors
        wants_x, wants_w1, wants_w3, wants_mixing = ctx.needs_input_grad[:4]
        layout, edges, upstream = _Layout.of(x), len(mixing), [_channels_last(gradient) for gradient in gradients]
        sizes, lanes, tile = {"C": layout.channels, "E": edges}, {"LANES": layout.lanes}, layout.tile
        products, width = 5 if wants_mixing else 3, edges * layout.channels
        partial = y1.new_empty(products, layout.blocks, width)
        _launch(
            "partial_products", (layout.blocks,), *_three(upstream), y1, y3, x, statistics, partial, *layout.image,
            **sizes, **lanes, MIXING=wants_mixing, **tile, **(_FEW_REGISTERS if wants_mixing else {}),
        )  # fmt: skip
        sums, mixing_gradient = y1.new_empty(3, width), torch.empty_like(mixing) if wants_mixing else None
        _launch(
            "finish_products", (edges, products), partial, sums, mixing_gradient if wants_mixing else sums,
            layout.blocks, **sizes, **lanes, MIXING=wants_mixing, CHUNK=layout.chunk, CHUNKS=layout.chunks, num_warps=8,
        )  # fmt: skip
        so_far = [gradient if given else None for gradient, given in zip(gradients, ctx.given, strict=True)]
        if not (wants_x or wants_w1 or wants_w3):
            return None, None, None, mixing_gradient, None, None, None, *so_far
        dy1, dy3 = torch.empty_like(y1), torch.empty_like(y3)
        skipped, pooled = torch.empty_like(x), torch.empty_like(x)
        _launch(
            "unmix", (layout.blocks,), *_three(upstream), y1, y3, statistics, sums, mixing, dy1, dy3, skipped, pooled,
            *layout.image, 1.0 / layout.rows, **sizes, **lanes, **tile,
        )  # fmt: skip
        dx = _input_gradient(x, w1, w3, dy1, dy3, skipped, pooled) if wants_x else None
        dw1, dw3 = _weight_gradients(x, w1, w3, dy1, dy3) if wants_w1 or wants_w3 else (None, None)
        return dx, dw1, dw3, mixing_gradient, None, None, None, *so_far


def _input_gradient(
    x: Tensor, w1: Tensor, w3: Tensor, dy1: Tensor, dy3: Tensor, skipped: Tensor, pooled: Tensor
) -> Tensor:
    layout, width, dx = _Layout.of(x), len(w1), torch.empty_like(x)
    at_once = _outputs(layout.channels, layout.convolved)
    inputs = _power(width, 64 if at_once < 64 else 32)  # with 64 of both, registers run short
    _launch(
        "convolve_back", (layout.convolved, -(-layout.channels // at_once)),
        x, w1, w3, dy1, dy3, skipped, pooled, dx, *layout.image,
        C=layout.channels, E=width // layout.channels, **_matrix(at_once), INPUTS=inputs,
    )  # fmt: skip
    return dx


def _weight_gradients(x: Tensor, w1: Tensor, w3: Tensor, dy1: Tensor, dy3: Tensor) -> tuple[Tensor, Tensor]:
    layout, width, dw1, dw3 = _Layout.of(x), len(w1), torch.empty_like(w1), torch.empty_like(w3)
    sizes = {"C": layout.channels, "E": width // layout.channels}
    at_once, columns = _power(width, 64), _power(9 * layout.channels, 64)
    blocks3, blocks1 = -(-9 * layout.channels // columns), -(-layout.channels // columns)
    grid = (blocks3 + blocks1, -(-width // at_once))
    steps = -(-layout.convolved * grid[0] * grid[1] // _WEIGHERS)
    chunks, size = -(-layout.convolved // steps), w1.numel() + w3.numel()
    partial = x.new_empty(chunks, size)
    _launch(
        "weigh", (chunks, *grid), x, dy1, dy3, partial, *layout.image,
        **sizes, **_matrix(at_once), COLUMNS=columns, BLOCKS3=blocks3, STEPS=steps,
    )  # fmt: skip
    _launch("finish_weights", (-(-size // 64),), partial, dw1, dw3, **sizes, ROWS=16, COLUMNS=64, CHUNKS=chunks)
    return dw1, dw3


def _power(size: int, most: int) -> int:
    """The power of two that holds ``size``, at least the 16 that tensor cores multiply, at most ``most``."""
    return max(16, min(most, 1 << (size - 1).bit_length()))


def _outputs(columns: int, blocks: int) -> int:
    """How many columns of a matrix product a program yields: up to 64, fewer where multiprocessors would idle."""
    at_once = _power(columns, 64)
    while at_once > 16 and blocks * -(-columns // at_once) < _MULTIPROCESSORS:
        at_once //= 2
    return at_once


def _matrix(outputs: int) -> dict[str, Any]:
    """What the kernels of the convolutions share."""
    precision = _PRECISIONS[torch.backends.cudnn.allow_tf32]
    return {"BLOCK": _CONVOLVED, "OUTPUTS": outputs, "PRECISION": precision, "num_warps": 4, "num_stages": 3}


@dataclass(frozen=True)
class _Layout:
    """How a node [B, C, H, W] is cut: ``blocks`` of ``block`` rows each, C channels in ``lanes``, a power of 2."""

    rows: int
    height: int
    width: int
    channels: int
    lanes: int
    block: int
    warps: int

    @classmethod
    def of(cls, x: Tensor) -> _Layout:
        batch, channels, height, width = x.shape
        lanes = 1 << (channels - 1).bit_length()
        tile = _TILE if x.numel() > _SMALL else _TILE // 2
        return cls(batch * height * width, height, width, channels, lanes, max(1, tile // lanes), tile // _WARP)

    @property
    def blocks(self) -> int:
        return -(-self.rows // self.block)

    @property
    def convolved(self) -> int:
        """Blocks of the convolutions."""
        return -(-self.rows // _CONVOLVED)

    @property
    def tile(self) -> dict[str, int]:
        return {"BLOCK": self.block, "num_warps": self.warps}

    @property
    def chunk(self) -> int:
        return max(1, _CHUNK // self.lanes)

    @property
    def chunks(self) -> int:
        return -(-self.blocks // self.chunk)

    @property
    def image(self) -> tuple[int, int, int]:
        return self.rows, self.height, self.width


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _three(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Kernels take three edges' pointers; the ones past the last are never followed."""
    return [*tensors, *[tensors[-1]] * (3 - len(tensors))]


def _launch(kernel: str, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
    with _LAUNCHING:
        getattr(kernels(), kernel)[grid](*arguments, **constants)


def kernels() -> Any:
    """The module of the kernels. Raises ConfigError if triton is missing."""
    try:
        return importlib.import_module("trainables.spaces.nas_bench_201.fused_kernels")
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise ConfigError(
            "searches on a GPU need triton, which CUDA builds of torch bring and this one lacks; install it, or set "
            "resources.gpu to 0"
        ) from None
