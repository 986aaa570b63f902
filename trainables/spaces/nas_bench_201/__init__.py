"""NAS-Bench-201: 6 edges x 5 operations, 15,625 cells, every one of them with known accuracies.

The networks are in ``supernet`` and ``network``, which import torch.
"""

from __future__ import annotations

from trainables.spaces.nas_bench_201.genotype import EDGES, NUM_CELLS, OPERATIONS, Genotype

__all__ = ["EDGES", "NUM_CELLS", "OPERATIONS", "Genotype"]
