"""The product's supernet against the slow, obvious one and against other ways to write it, in one run.

    python speed/supernet.py [rounds]

What is timed is a training step: forward, cross-entropy, backward to the shared weights and to the mixing matrix. Times
are CPU times of one thread: on a quiet machine the time on the clock, on a busy one without the waiting for a core. In
every round each variant makes one step, in random order, so that a disturbance hits all alike.

Before that all variants get the same weights and must give the same logits and gradients in double precision. (In
single precision a ReLU input that rounds to the other side of zero moves the gradient by a thousandth.)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from reference_supernet import ReferenceSupernet, copy_weights
from torch import Tensor, nn

from trainables.spaces.nas_bench_201 import EDGES, OPERATIONS
from trainables.spaces.nas_bench_201.mixtures import OUTGOING, NodeMixture
from trainables.spaces.nas_bench_201.operations import Skeleton, avg_pool_3x3
from trainables.spaces.nas_bench_201.supernet import NodeCandidates, SearchCell, Supernet, WeightedBatchNorm

BATCH, CELLS, COLOURS, CLASSES = 64, 1, 3, 10
CHANNELS, SIDES = (8, 16), (8, 16, 32)
ROUNDS, WARM_UP = 25, 3
PLAIN_LAYOUT = ("reference", "product, NCHW")


class ConcatenatedCandidates(NodeCandidates):
    """As in the product, but one batch normalisation over the 1x1 and the 3x3 outputs together."""

    def __init__(self, channels: int, edges: list[int]) -> None:
        super().__init__(channels, edges)
        del self.norm_1x1, self.norm_3x3
        self.norm = WeightedBatchNorm(2 * channels * len(edges))

    def forward(self, x: Tensor, mixing: NodeMixture) -> list[Tensor]:
        active = F.relu(x)
        convolved = torch.cat([self.conv_1x1(active), self.conv_3x3(active)], dim=1)
        scale = torch.cat([mixing.conv_1x1, mixing.conv_3x3]).repeat_interleave(self.channels)
        of_1x1, of_3x3 = self.norm(convolved, scale).chunk(2, dim=1)
        pooled = avg_pool_3x3(x)
        mixed = []
        for k, edge in enumerate((of_1x1 + of_3x3).split(self.channels, dim=1)):
            edge = torch.addcmul(edge, mixing.skip[k].expand(1, 1, 1, 1), x)
            mixed.append(torch.addcmul(edge, mixing.pool[k].expand(1, 1, 1, 1), pooled))
        return mixed


class ConcatenatedCell(SearchCell):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.nodes = nn.ModuleList(ConcatenatedCandidates(channels, edges) for edges in OUTGOING)


def channels_last(net: nn.Module) -> nn.Module:
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def variants(channels: int) -> dict[str, nn.Module]:
    """Name -> network; all with the product's weights."""
    product = Supernet(channels, CELLS, COLOURS, CLASSES)
    references = [ReferenceSupernet(channels, CELLS, COLOURS, CLASSES) for _ in range(2)]
    others = [Skeleton(cell, channels, CELLS, COLOURS, CLASSES) for cell in (SearchCell, ConcatenatedCell)]
    for reference in references:
        copy_weights(product, reference)
    for other in others:
        other.load_state_dict(product.state_dict(), strict=False)
    return {
        "product": product,
        "reference": references[0],
        "reference, channels-last": channels_last(references[1]),
        "product, NCHW": others[0],
        "product, one norm over both": channels_last(others[1]),
    }


def step(net: nn.Module, images: Tensor, labels: Tensor, mixing: Tensor) -> Tensor:
    """One training step without the optimisers; returns the logits."""
    net.zero_grad()
    mixing.grad = None
    logits: Tensor = net(images, mixing)
    F.cross_entropy(logits, labels).backward()
    return logits


def check_agreement(nets: dict[str, nn.Module], images: Tensor, labels: Tensor, mixing: Tensor) -> None:
    """Raises AssertionError where logits or the gradient of the mixing matrix differ from the product's."""
    images, mixing = images.double(), mixing.detach().double().requires_grad_()
    wanted: tuple[Tensor, Tensor | None] | None = None
    for name, net in nets.items():
        logits = step(net.double(), images, labels, mixing).detach()
        got = (logits, mixing.grad)
        wanted = wanted or got
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12, msg=f"{name} differs from the product")
        net.float()


def compare(channels: int, side: int, rounds: int) -> None:
    """Print a line for each variant at one size."""
    torch.manual_seed(0)
    nets = variants(channels)
    images, labels = torch.randn(BATCH, COLOURS, side, side), torch.randint(CLASSES, (BATCH,))
    mixing = torch.randn(len(EDGES), len(OPERATIONS)).softmax(dim=1).requires_grad_()
    check_agreement(nets, images, labels, mixing)
    last = images.contiguous(memory_format=torch.channels_last)
    steps: dict[str, Callable[[], Tensor]] = {
        name: partial(step, net, images if name in PLAIN_LAYOUT else last, labels, mixing) for name, net in nets.items()
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    order = np.random.default_rng(0)
    for round_ in range(WARM_UP + rounds):
        for name in order.permutation(list(steps)):
            start = time.process_time()
            steps[name]()
            if round_ >= WARM_UP:
                times[name].append(time.process_time() - start)
    print(f"\nC={channels}, {side} px")
    ours = np.array(times["product"])
    for name, seconds in times.items():
        pairs = np.array(seconds) / ours
        print(
            f"  {name:30}{1e3 * np.median(seconds):8.1f} ms{np.median(seconds) / np.median(ours):8.2f}x"
            f"{pairs.min():9.2f}..{pairs.max():.2f}"
        )


def main() -> None:
    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(f"training step, batch {BATCH}, {CELLS} cell a stage, one thread, {rounds} rounds, torch {torch.__version__}")
    print("columns: median CPU time; ratio of medians to the product's; lowest..highest ratio within one round")
    for channels in CHANNELS:
        for side in SIDES:
            compare(channels, side, rounds)


if __name__ == "__main__":
    main()
