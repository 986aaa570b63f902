"""The NAS-Bench-201 supernet written the slow, obvious way: five modules on each of six edges, NCHW.

It shares nothing with the product's cell but the macro skeleton and the building blocks, which have golden numbers of
their own. The tests hold the product's supernet against it; speed/supernet.py measures the two side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.spaces.nas_bench_201.genotype import EDGES, OPERATIONS
from trainables.spaces.nas_bench_201.mixtures import OUTGOING
from trainables.spaces.nas_bench_201.operations import ReluConvBn, Skeleton
from trainables.spaces.nas_bench_201.supernet import SearchCell, Supernet


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0


def candidate(operation: str, channels: int) -> nn.Module:
    return {
        "none": lambda: Zero(),
        "skip_connect": lambda: nn.Identity(),
        "nor_conv_1x1": lambda: ReluConvBn(channels, channels, 1, affine=False),
        "nor_conv_3x3": lambda: ReluConvBn(channels, channels, 3, affine=False),
        "avg_pool_3x3": lambda: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
    }[operation]()


class ReferenceCell(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleList(candidate(operation, channels) for operation in OPERATIONS) for _ in EDGES
        )

    def forward(self, x: Tensor, mixing: Tensor) -> Tensor:
        nodes = [x]
        for node in (1, 2, 3):
            total = torch.zeros_like(x)
            for e, (target, source) in enumerate(EDGES):
                if target == node:
                    for o, operation in enumerate(self.edges[e]):
                        total = total + mixing[e, o] * operation(nodes[source])
            nodes.append(total)
        return nodes[3]


class ReferenceSupernet(Skeleton):
    def __init__(self, channels: int, cells: int, in_channels: int, classes: int) -> None:
        super().__init__(ReferenceCell, channels, cells, in_channels, classes)


def edge_weights(cell: SearchCell) -> dict[str, Tensor]:
    """The product cell's convolution weights under the reference cell's names."""
    found = {}
    for source, node in enumerate(cell.nodes):
        for kernel, operation in (("1x1", 2), ("3x3", 3)):
            parts = getattr(node, f"conv_{kernel}").weight.split(node.channels)
            found |= {f"edges.{e}.{operation}.1.weight": w for e, w in zip(OUTGOING[source], parts, strict=True)}
    return found


def copy_weights(supernet: Supernet, reference: ReferenceSupernet) -> None:
    """Give the reference the product's weights."""
    state = {k: v for k, v in supernet.state_dict().items() if not k.startswith("stages.")}
    for s, stage in enumerate(supernet.stages):
        for n, cell in enumerate(stage):
            state |= {f"stages.{s}.{n}.{name}": w for name, w in edge_weights(cell).items()}
    missing, unexpected = reference.load_state_dict(state, strict=False)
    assert not unexpected and all("running_" in k or "num_batches" in k for k in missing), (missing, unexpected)
