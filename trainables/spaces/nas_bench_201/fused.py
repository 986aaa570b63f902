"""A node of the supernet in few passes over memory: float32 on CUDA, in training mode, in Triton.

For a node x [B, C, H, W] with E outgoing edges, kernels w1 [E C, C, 1, 1] and w3 [E C, C, 3, 3], the edges' mixing
weights m [E, 5] and the sums so far of the nodes they lead to:

    y1, y3 = conv_1x1(relu(x)), conv_3x3(relu(x))                                       [B, E C, H, W]
    out_e  = previous_e + m[e, conv_1x1] norm(y1)_e + m[e, conv_3x3] norm(y3)_e + m[e, skip] x + m[e, pool] pool_3x3(x)

where norm is batch normalisation by the batch's own statistics and _e are edge e's channels. ``reference_node`` is this
in plain torch; ``fused_node`` is the same function, and at float32 differs by rounding alone.

A supernet at paper scale is bound by memory and by launches: 16 channels make convolutions cheap, and what surrounds
them is a dozen passes a node, forward and backward. Here they are three kernels forward and four backward, besides
relu and the convolutions, which stay torch's:

    forward    partial_moments, finish_moments    mean and deviation of y1 and y3; running statistics
               mix                                pools x, normalises, weighs, adds
    backward   partial_products, finish_products  per channel  S = sum g_e;  T = sum g_e norm(y)_e  for y1 and y3;
                                                  for m's gradient also  sum g_e x  and  sum g_e pool(x)
               unmix                              dy = m / deviation (g_e - S / rows - norm(y)_e T / rows);
                                                  sum_e m[e, skip] g_e  and  sum_e m[e, pool] g_e / cells
               join                               dx, from these two (the second summed over windows) and the
                                                  convolutions', which pass where x > 0
    m's gradient is T summed over channels for the convolutions: weighing a normalised output is weighing its scale.

Two autograd functions, the second after the convolutions, and not one with the convolutions inside: a custom function
learns which inputs require a gradient, but not which are asked for, and an architecture step asks for none of w1, w3.
``_Fan`` hands out aliases of relu(x) and x so that its backward pass receives four gradients apart and adds them in one
kernel. Nothing is kept for the backward pass but relu(x), y1, y3, their statistics and, if m requires a gradient, x.

Nothing waits for the device, so a step can be captured in a CUDA graph. Sums have a fixed order: same input, same bits
(as far as cuDNN's convolutions do). It differentiates once and says so; second-order methods need the plain node.
"""

from __future__ import annotations

import functools
import importlib
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
    _kernels()
    if len(mixing) > 3 or mixing.shape[1] != len(OPERATIONS):
        raise ValueError(f"a node has up to 3 edges of {len(OPERATIONS)} operations, not {list(mixing.shape)}")
    if any(tensor.dtype != torch.float32 for tensor in (x, w1, w3, mixing, *running)):
        raise ValueError("the fused node computes in float32")
    if x.shape[0] * x.shape[2] * x.shape[3] < 2:
        raise ValueError(f"batch statistics need more than one value a channel, not {list(x.shape)}")
    if x.numel() * len(mixing) >= 2**31:
        raise ValueError(f"the fused node counts elements in 32 bits, too few for {len(mixing)} times {list(x.shape)}")
    active1, active3, skipped, pooled = _Fan.apply(_channels_last(x))
    y1 = _channels_last(F.conv2d(active1, w1))
    y3 = _channels_last(F.conv2d(active3, w3, padding=1))
    so_far = [None if tensor is None else _channels_last(tensor) for tensor in previous]
    outputs: tuple[Tensor, ...] = _Mix.apply(
        skipped, pooled, y1, y3, mixing.contiguous(), running, momentum, eps, *so_far
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


class _Fan(torch.autograd.Function):
    """x -> relu(x) twice and x twice; adds the four gradients, the last of them summed over 3x3 windows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        active = F.relu(x)
        ctx.save_for_backward(active)
        return active, active.detach(), x.detach(), x.detach()

    @staticmethod
    @_once
    def backward(ctx: Any, active1: Tensor, active3: Tensor, skipped: Tensor, pooled: Tensor) -> Tensor:
        (active,) = ctx.saved_tensors
        layout = _Layout.of(active)
        gradients = [_channels_last(gradient) for gradient in (active1, active3, skipped, pooled)]
        out = torch.empty_like(active)
        _kernels().join[(layout.blocks,)](
            active, *gradients, out, *layout.image, C=layout.channels, LANES=layout.lanes, **layout.tile
        )
        return out


class _Mix(torch.autograd.Function):
    """Everything after the convolutions. ``skipped`` and ``pooled`` are both x, that their gradients come apart."""

    @staticmethod
    def forward(
        ctx: Any,
        skipped: Tensor,
        pooled: Tensor,
        y1: Tensor,
        y3: Tensor,
        mixing: Tensor,
        running: RunningStatistics,
        momentum: float,
        eps: float,
        *previous: Tensor | None,
    ) -> tuple[Tensor, ...]:
        kernels, layout, x, edges = _kernels(), _Layout.of(skipped), skipped, len(mixing)
        sizes, tile = {"C": layout.channels, "LANES": layout.lanes, "E": edges}, layout.tile
        width = edges * layout.channels
        partial = x.new_empty(4, layout.blocks, width)
        kernels.partial_moments[(layout.blocks, edges)](y1, y3, partial, layout.rows, **sizes, **tile)
        statistics = x.new_empty(4, width)
        kernels.finish_moments[(edges, 2)](
            partial, statistics, *running, layout.rows, layout.blocks, momentum, eps,
            **sizes, BLOCK=layout.block, CHUNK=layout.chunk, CHUNKS=layout.chunks, num_warps=8,
        )  # fmt: skip
        outputs = [torch.empty_like(x) for _ in range(edges)]
        given = [tensor is not None for tensor in previous]
        kernels.mix[(layout.blocks,)](
            x, y1, y3, statistics, mixing,
            *_three([x if tensor is None else tensor for tensor in previous]), *_three(outputs), *layout.image,
            **sizes, **{f"ADD{e}": e < edges and given[e] for e in range(3)}, **tile,
        )  # fmt: skip
        ctx.given = given
        ctx.save_for_backward(x if ctx.needs_input_grad[4] else None, y1, y3, statistics, mixing)
        return tuple(outputs)

    @staticmethod
    @_once
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, y1, y3, statistics, mixing = ctx.saved_tensors
        edges, wants_mixing = len(mixing), x is not None
        kernels, upstream = _kernels(), [_channels_last(gradient) for gradient in gradients]
        layout = _Layout.of(upstream[0])
        sizes, tile = {"C": layout.channels, "LANES": layout.lanes, "E": edges}, layout.tile
        products, width = 5 if wants_mixing else 3, edges * layout.channels
        partial = y1.new_empty(products, layout.blocks, width)
        kernels.partial_products[(layout.blocks,)](
            *_three(upstream), y1, y3, x if wants_mixing else y1, statistics, partial, *layout.image,
            **sizes, MIXING=wants_mixing, **tile, **(_FEW_REGISTERS if wants_mixing else {}),
        )  # fmt: skip
        sums, mixing_gradient = y1.new_empty(3, width), torch.empty_like(mixing) if wants_mixing else None
        kernels.finish_products[(edges, products)](
            partial, sums, mixing_gradient if wants_mixing else sums, layout.blocks,
            **sizes, MIXING=wants_mixing, CHUNK=layout.chunk, CHUNKS=layout.chunks, num_warps=8,
        )  # fmt: skip
        dy1, dy3 = torch.empty_like(y1), torch.empty_like(y3)
        skipped, pooled = torch.empty_like(upstream[0]), torch.empty_like(upstream[0])
        kernels.unmix[(layout.blocks,)](
            *_three(upstream), y1, y3, statistics, sums, mixing, dy1, dy3, skipped, pooled, *layout.image,
            1.0 / layout.rows, **sizes, **tile,
        )  # fmt: skip
        so_far = (gradient if given else None for gradient, given in zip(gradients, ctx.given, strict=True))
        return skipped, pooled, dy1, dy3, mixing_gradient, None, None, None, *so_far


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


def _kernels() -> Any:
    try:
        return importlib.import_module("trainables.spaces.nas_bench_201.fused_kernels")
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise ConfigError(
            "the fused node needs triton, which CUDA builds of torch bring and this one lacks; "
            "install it, or leave the supernet unfused with Supernet.fuse(False)"
        ) from None
