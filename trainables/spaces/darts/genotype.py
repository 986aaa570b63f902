"""The cells of the DARTS space as values, and the two ways they are written.

A cell has two inputs, nodes 0 and 1 (what the last but one and the last cell put out), and four nodes 2 ... 5 of two
edges each: an operation on an earlier node. Its output is nodes 2 ... 5 side by side. A genotype is two such cells.

    Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ...], normal_concat=range(2, 6), reduce=[...], ...)
    skip.0 s3.1 / s3.0 d3.2 / ... | max.0 max.1 / ...          one node after another, by source; normal | reduce

The first is how the field publishes cells: eight (operation, source), two a node. It is read, never evaluated.

Source: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv:1806.09055, section 2.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainables.errors import ConfigError, shown

OPERATIONS = (
    "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect",
    "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
)  # fmt: skip
SHORT = ("none", "max", "avg", "skip", "s3", "s5", "d3", "d5")
"""The operations' names in the short text, in the order of OPERATIONS."""
INPUTS, NODES = 2, (2, 3, 4, 5)
"""Nodes that are inputs, and those that are computed."""
EDGES = tuple((node, source) for node in NODES for source in range(node))
"""(target, source) of the 14 edges of a cell, in the order of every tensor's rows."""
KEPT = 2
"""Edges that enter each node of a discrete cell."""

Edge = tuple[str, int]
"""An operation and the node that it reads."""
Cell = tuple[Edge, ...]
"""Eight edges, two a node, by source."""


@dataclass(frozen=True, order=True)
class Genotype:
    """One architecture. Raises ConfigError for what is none."""

    normal: Cell
    reduce: Cell

    def __post_init__(self) -> None:
        for kind in ("normal", "reduce"):
            object.__setattr__(self, kind, _ordered(getattr(self, kind)))

    @classmethod
    def from_string(cls, text: str) -> Genotype:
        """Read either way of writing. Raises ConfigError."""
        found = _published(text) if "Genotype" in text or "normal" in text else _short(text)
        if found is None:
            raise ConfigError(
                "a genotype of the DARTS space reads Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range("
                "2, 6), reduce=[...], reduce_concat=range(2, 6)) or s3.1 skip.0 / ... | max.0 max.1 / ..., with "
                f"operations of {', '.join(OPERATIONS[1:])}, but got {shown(text)}"
            )
        return found

    def __str__(self) -> str:
        return " | ".join(_short_text(cell) for cell in (self.normal, self.reduce))

    @property
    def published(self) -> str:
        """As the field writes it."""
        normal, reduce = ([(operation, source) for operation, source in cell] for cell in (self.normal, self.reduce))
        concat = f"range({NODES[0]}, {NODES[-1] + 1})"
        return f"Genotype(normal={normal}, normal_concat={concat}, reduce={reduce}, reduce_concat={concat})"

    @property
    def edges(self) -> Cell:
        """All sixteen, the normal cell's first."""
        return self.normal + self.reduce


def _ordered(cell: Cell) -> Cell:
    """The same cell with each node's edges by source."""
    if len(cell) != KEPT * len(NODES):
        raise ConfigError(f"a cell of the DARTS space has {KEPT * len(NODES)} edges, but got {len(cell)}: {cell}")
    ordered: list[Edge] = []
    for node, start in zip(NODES, range(0, len(cell), KEPT), strict=True):
        edges = sorted(cell[start : start + KEPT], key=lambda edge: edge[1])
        sources = [source for _, source in edges]
        if not all(0 <= source < node for source in sources) or len(set(sources)) < KEPT:
            raise ConfigError(
                f"node {node} of a cell of the DARTS space reads {KEPT} different nodes of 0 to {node - 1}, but got "
                f"{' and '.join(map(str, sources))}"
            )
        for operation, _ in edges:
            if operation not in OPERATIONS[1:]:
                raise ConfigError(
                    f"an operation of a cell of the DARTS space is one of {', '.join(OPERATIONS[1:])}, but got "
                    f"{shown(operation)}"
                )
        ordered += edges
    return tuple(ordered)


def _short_text(cell: Cell) -> str:
    edges = [f"{SHORT[OPERATIONS.index(operation)]}.{source}" for operation, source in cell]
    return " / ".join(" ".join(edges[start : start + KEPT]) for start in range(0, len(edges), KEPT))


def _short(text: str) -> Genotype | None:
    cells = []
    for part in text.split("|"):
        words = [node.split() for node in part.split("/")]
        found = [re.fullmatch(r"([a-z0-9]+)\.([0-9])", word) for node in words for word in node]
        if [len(node) for node in words] != [KEPT] * len(NODES) or not all(m and m[1] in SHORT for m in found):
            return None
        cells.append(tuple((OPERATIONS[SHORT.index(m[1])], int(m[2])) for m in found if m))
    return Genotype(*cells) if len(cells) == 2 else None


_PAIRS = r"\[((?:\((?:'[a-z0-9_]+'|\"[a-z0-9_]+\"),[0-9]\),?)*)\]"
_CONCAT = r"(?:range\(2,6\)|\[2,3,4,5\]|\(2,3,4,5\))"
_PUBLISHED = re.compile(
    rf"(?:[a-zA-Z0-9_]+=)?Genotype\(normal={_PAIRS},normal_concat={_CONCAT},reduce={_PAIRS},reduce_concat={_CONCAT},?\)"
)


def _published(text: str) -> Genotype | None:
    match = _PUBLISHED.fullmatch(re.sub(r"\s+", "", text))
    if match is None:
        return None
    cells = (re.findall(r"\(['\"]([a-z0-9_]+)['\"],([0-9])\)", listed) for listed in match.groups())
    return Genotype(*(tuple((operation, int(source)) for operation, source in cell) for cell in cells))
