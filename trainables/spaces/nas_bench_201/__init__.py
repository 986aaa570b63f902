"""NAS-Bench-201: 6 edges x 5 operations, 15,625 cells, every one of them with known accuracies.

The networks are in ``supernet`` and ``network``, which import torch.
"""

from __future__ import annotations

from trainables.later import Tensor, torch
from trainables.spaces.nas_bench_201.genotype import EDGES, NUM_CELLS, OPERATIONS, Genotype
from trainables.spaces.nas_bench_201.mixtures import SinglePath

__all__ = [
    "EDGES",
    "NUM_CELLS",
    "OPERATIONS",
    "Genotype",
    "SinglePath",
    "derive",
    "random_genotype",
]


def derive(scores: Tensor) -> Genotype:
    """scores [6, 5] -> the cell with the best-scored operation on every edge; none may win."""
    return Genotype(tuple(scores.argmax(dim=1).tolist()))


def random_genotype(generator: torch.Generator) -> Genotype:
    """A cell drawn uniformly from all 15,625."""
    return Genotype(tuple(torch.randint(len(OPERATIONS), (len(EDGES),), generator=generator).tolist()))
