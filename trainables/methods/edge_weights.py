"""Weights on whole edges that sum to 1 over the incoming edges of every node, shared by PC-DARTS and GAEA PC-DARTS.

Edges are ordered by their target, so those that enter one node lie side by side; ``inputs`` counts them node by node.

Source: Xu et al., "PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search", ICLR 2020,
arXiv:1907.05737, section 3.3 (edge normalisation).
"""

from __future__ import annotations

from collections.abc import Sequence

from trainables.later import Tensor, torch


def node_softmax(beta: Tensor, inputs: Sequence[int]) -> Tensor:
    """beta [E] -> q [E], a softmax over the edges of each node (not over all edges)."""
    return torch.cat([part.softmax(dim=0) for part in beta.split(list(inputs))])


def node_normalise(edges: Tensor, inputs: Sequence[int]) -> Tensor:
    """Positive edges [E] -> the same divided by the sum over the edges of each node."""
    return torch.cat([part / part.sum() for part in edges.split(list(inputs))])
