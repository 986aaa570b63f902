"""NAS-Bench-201 cells as graphs whose nodes carry the operations: the form in which a graph network reads a cell.

Eight nodes: 0 the cell's input, 1..6 the six operations in the order of EDGES, 7 the cell's output. An operation is
linked to every operation that starts where it ends. All cells share these links; only the types of 1..6 differ.

Source: jovitalukasik/SVGe (after arch2vec, Yan et al., NeurIPS 2020, arXiv:2006.06936).
"""

from __future__ import annotations

from trainables.later import Tensor, torch
from trainables.spaces.nas_bench_201 import EDGES, NUM_CELLS, OPERATIONS

TYPES = ("output", "input", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none")
OUTPUT, INPUT = 0, 1
NODES = 2 + len(EDGES)
LINKS = ((0, 1), (0, 2), (1, 3), (0, 4), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7))
"""(source, target) of every link, by target."""
_TYPE_OF_OPERATION = [TYPES.index(name) for name in OPERATIONS]
_PLACES = [len(OPERATIONS) ** place for place in reversed(range(len(EDGES)))]


def adjacency() -> Tensor:
    """[8, 8] with 1 at [source, target]."""
    links = torch.zeros(NODES, NODES)
    sources, targets = torch.tensor(LINKS).T
    links[sources, targets] = 1
    return links


def node_types(cells: Tensor) -> Tensor:
    """Indices of cells [B] -> types [B, 8]."""
    operations = cells[:, None] // torch.tensor(_PLACES) % len(OPERATIONS)
    types = torch.tensor(_TYPE_OF_OPERATION)[operations]
    first, last = torch.full_like(types[:, :1], INPUT), torch.full_like(types[:, :1], OUTPUT)
    return torch.cat([first, types, last], dim=1)


def reverse(links: Tensor) -> Tensor:
    """The links [..., N, N] of the graph read from its output: nodes in opposite order, links turned round."""
    return links.flip(-1, -2).mT


def cells_of(types: Tensor, links: Tensor) -> list[int | None]:
    """The index of the cell that each graph (types [B, 8], links [B, 8, 8]) is; None for a graph that is no cell."""
    operation_of_type = torch.full((len(TYPES),), -1)
    operation_of_type[_TYPE_OF_OPERATION] = torch.arange(len(OPERATIONS))
    operations = operation_of_type[types[:, 1:-1]]
    valid = (operations >= 0).all(1) & (types[:, 0] == INPUT) & (types[:, -1] == OUTPUT)
    valid &= (links == adjacency()).flatten(1).all(1)
    indices = (operations * torch.tensor(_PLACES)).sum(1)
    return [index if ok else None for index, ok in zip(indices.tolist(), valid.tolist(), strict=True)]


def all_node_types() -> Tensor:
    """[15625, 8], in index order."""
    return node_types(torch.arange(NUM_CELLS))
