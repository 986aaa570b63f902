"""A cell in the spellings that people have of it, brought to its Genotype.

- ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``, with blanks anywhere;
- the official index 0..15624, which NAS-Bench-201 and NATS-Bench's topology space share;
- the official package's nested tuples, ``((('op', 0),), (('op', 0), ('op', 1)), ...)``;
- NASLib's six operation numbers, ``(4, 0, 3, 1, 4, 3)``, or their one-hot vector of 30 numbers, flat or nested.

NASLib orders edges by their source node, (1, 2) (1, 3) (1, 4) (2, 3) (2, 4) (3, 4), and numbers operations otherwise
than the benchmark. Other projects write six numbers by other rules; they are not told from these.

Source: NASLib (naslib/search_spaces/nasbench201); that both benchmarks share the index: D-X-Y/NATS-Bench, issue 5.
"""

from __future__ import annotations

import re
from functools import cache

from trainables.benchmarks.builtin import builtin_folder, official_cells
from trainables.errors import ConfigError
from trainables.spaces.nas_bench_201.genotype import (
    AVG_POOL,
    CONV_1X1,
    CONV_3X3,
    EDGES,
    NONE,
    NUM_CELLS,
    OPERATIONS,
    SKIP,
    Genotype,
)

NASLIB_OPERATIONS = (SKIP, NONE, CONV_3X3, CONV_1X1, AVG_POOL)
NASLIB_EDGES = ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2))
"""(target, source), our numbering of nodes."""
FOREIGN = {
    r"\d+(:\d+){4}": "the channels of NATS-Bench's size space, which has other networks",
    r"[\d\w]+-\d+-\d_\d\d_\d\d\d": "a cell of TransNAS-Bench-101, which has four operations",
    r"Genotype\(normal=.*": "a cell of the DARTS space",
}
"""Spellings of other spaces, and what to call them."""


def read_cell(text: str) -> Genotype:
    """The cell that ``text`` spells. Raises ConfigError where it spells none, naming the space if it is of another."""
    compact = re.sub(r"\s+", "", text).strip("'\"")
    if re.fullmatch(r"[0-9]{1,6}", compact):
        return _of_index(int(compact))
    if re.fullmatch(r"[\[(][0-9.,()\[\]]+[\])]", compact):
        return _of_naslib([float(number) for number in re.findall(r"[0-9]+\.?[0-9]*", text)], text)
    if len(pairs := re.findall(r"\(['\"]([a-z0-9_]+)['\"],([0-9])\)", compact)) == len(EDGES):
        first, *others = (f"|{operation}~{source}|" for operation, source in pairs)
        second, third = "".join(others[:2]), "".join(others[2:])
        return Genotype.from_string(f"{first}+{second}+{third}".replace("||", "|"))
    for pattern, space in FOREIGN.items():
        if re.fullmatch(pattern, compact):
            raise ConfigError(f"a cell must be of NAS-Bench-201, but {text!r} is {space}; give a cell of NAS-Bench-201")
    if "~" not in compact:
        raise ConfigError(
            f"a cell is written |op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op one of {', '.join(OPERATIONS)}, as its "
            f"official index 0..{NUM_CELLS - 1}, or as NASLib's six numbers, but got {text[:200]!r}"
        )
    return Genotype.from_string(compact)


def official_index(cell: Genotype) -> int:
    """The index of a cell in NAS-Bench-201 and NATS-Bench."""
    return _order().index(cell)


@cache
def _order() -> tuple[Genotype, ...]:
    return official_cells(builtin_folder())


def _of_index(index: int) -> Genotype:
    if index >= NUM_CELLS:
        raise ConfigError(
            f"an official index must be in 0..{NUM_CELLS - 1}, but got {index}; NASLib's six numbers are written "
            f"(4, 0, 3, 1, 4, 3)"
        )
    return _order()[index]


def _of_naslib(numbers: list[float], text: str) -> Genotype:
    kinds = len(OPERATIONS)
    if len(numbers) == kinds * len(EDGES):
        vectors = [numbers[start : start + kinds] for start in range(0, len(numbers), kinds)]
        if all(sorted(vector) == [0.0] * (kinds - 1) + [1.0] for vector in vectors):
            numbers = [vector.index(1.0) for vector in vectors]
    if len(numbers) != len(EDGES) or not set(numbers) <= set(range(kinds)):
        raise ConfigError(
            f"NASLib writes a cell as {len(EDGES)} numbers in 0..{kinds - 1} or as their one-hot vector of "
            f"{kinds * len(EDGES)} numbers, but got {text[:200]!r}"
        )
    chosen = {edge: NASLIB_OPERATIONS[int(number)] for edge, number in zip(NASLIB_EDGES, numbers, strict=True)}
    return Genotype(tuple(chosen[edge] for edge in EDGES))
