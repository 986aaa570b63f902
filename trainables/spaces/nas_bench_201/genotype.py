"""The 15,625 cells of NAS-Bench-201 as values: genotype <-> string <-> index, and the isomorphism classes.

A cell is a complete DAG on nodes 0 (input), 1, 2, 3 (output); each of its six edges carries one of five operations.

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020,
arXiv:2001.00326, section 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainables.errors import ConfigError

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV_1X1, CONV_3X3, AVG_POOL = range(5)
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""(target, source) of every edge, in the order used by every [6, 5] tensor of this space."""
NUM_CELLS = len(OPERATIONS) ** len(EDGES)
_PLACES = len(OPERATIONS) ** np.arange(len(EDGES) - 1, -1, -1)


@dataclass(frozen=True, order=True)
class Genotype:
    """One discrete cell. ``operations[e]`` indexes OPERATIONS on edge ``EDGES[e]``."""

    operations: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(EDGES) or not all(0 <= o < len(OPERATIONS) for o in self.operations):
            raise ConfigError(
                f"a cell has {len(EDGES)} operations in 0..{len(OPERATIONS) - 1}, but got {self.operations}"
            )

    @classmethod
    def from_string(cls, text: str) -> Genotype:
        """Parse ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``. Raises ConfigError on anything else."""
        found = re.findall(r"\|?([a-z0-9_]+)~([0-9])\|", text)
        names = [name for name, _ in found]
        if (
            len(found) == len(EDGES)
            and set(names) <= set(OPERATIONS)
            and str(cell := cls(tuple(OPERATIONS.index(name) for name in names))) == text
        ):
            return cell
        raise ConfigError(
            f"an architecture string reads |op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op one of "
            f"{', '.join(OPERATIONS)}, but got {text!r}"
        )

    @classmethod
    def from_index(cls, index: int) -> Genotype:
        """The cell at ``index`` (0..15624) of the lexicographic enumeration, first edge most significant."""
        if not 0 <= index < NUM_CELLS:
            raise ConfigError(f"a cell index must be in 0..{NUM_CELLS - 1}, but got {index}")
        return cls(tuple(int(index // place % len(OPERATIONS)) for place in _PLACES))

    @property
    def index(self) -> int:
        """Position in the lexicographic enumeration (not the official benchmark's shuffled index)."""
        return int(np.dot(self.operations, _PLACES))

    def __str__(self) -> str:
        nodes = [
            "".join(f"|{OPERATIONS[o]}~{j}" for o, (i, j) in zip(self.operations, EDGES, strict=True) if i == node)
            for node in (1, 2, 3)
        ]
        return "|+".join(nodes) + "|"

    def isomorphism_key(self) -> str:
        """The benchmark's own reduction string; equal keys make the 6,466 classes.

        Zeroed inputs stay as '#' parts of a sum and expanded skips are not flattened, exactly as the benchmark does:
        6,466 over-counts functionally distinct cells, but it is the number every paper quotes.
        """
        keys = {0: "0"}
        for node in (1, 2, 3):
            parts = []
            for operation, (target, source) in zip(self.operations, EDGES, strict=True):
                if target != node:
                    continue
                if operation == NONE or keys[source] == "#":
                    parts.append("#")
                elif operation == SKIP:
                    parts.append(keys[source])
                else:
                    parts.append(f"({keys[source]})@{OPERATIONS[operation]}")
            keys[node] = "+".join(sorted(parts))
        return keys[3]

    def output_is_connected(self) -> bool:
        """Whether any path of operations other than none leads from the input to the output."""
        alive = {0}
        for operation, (target, source) in zip(self.operations, EDGES, strict=True):
            if operation != NONE and source in alive:
                alive.add(target)
        return 3 in alive

    def neighbours(self) -> list[Genotype]:
        """The 24 cells that differ in exactly one operation, ordered by edge, then operation."""
        return [
            Genotype((*self.operations[:e], o, *self.operations[e + 1 :]))
            for e in range(len(EDGES))
            for o in range(len(OPERATIONS))
            if o != self.operations[e]
        ]


def all_genotypes() -> Iterator[Genotype]:
    """All 15,625 cells in index order."""
    return (Genotype.from_index(index) for index in range(NUM_CELLS))
