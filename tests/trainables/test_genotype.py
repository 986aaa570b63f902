"""Cells as values: strings, indices, isomorphism classes, neighbours and connectivity of all 15,625."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from golden import golden

from trainables.errors import ConfigError
from trainables.spaces import space_named
from trainables.spaces.nas_bench_201 import EDGES, NUM_CELLS, OPERATIONS, Genotype
from trainables.spaces.nas_bench_201.genotype import NONE, all_genotypes

ALL_3X3 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"


@cache
def cells() -> list[Genotype]:
    return list(all_genotypes())


def test_enumeration_matches_golden() -> None:
    expected = golden("nb201.enumeration").expected
    assert len(cells()) == len(set(cells())) == NUM_CELLS == expected["total"]
    assert [str(cell) for cell in cells()[:6]] == expected["first_generated"]
    assert len({cell.isomorphism_key() for cell in cells()}) == expected["unique_consider_zero"]["True"]
    assert sum(cell.output_is_connected() for cell in cells()) == expected["output_reachable"]


def test_isomorphism_keys_match_golden() -> None:
    for text, keys in golden("nb201.unique_str").expected.items():
        assert Genotype.from_string(text).isomorphism_key() == keys["True"]


def test_string_matches_golden() -> None:
    case = golden("nb201.string")
    assert str(Genotype(tuple(case.inputs["index"]))) == case.expected["string"]


def test_every_cell_survives_its_string_and_its_index() -> None:
    assert [cell.index for cell in cells()] == list(range(NUM_CELLS))
    texts = [str(cell) for cell in cells()]
    assert len(set(texts)) == NUM_CELLS
    assert [Genotype.from_string(text) for text in texts] == cells()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        ALL_3X3[:-1],
        ALL_3X3 + "|",
        " " + ALL_3X3,
        ALL_3X3 + "\n",
        ALL_3X3.replace("nor_conv_3x3", "sep_conv_3x3", 1),
        ALL_3X3.replace("nor_conv_3x3", "Nor_conv_3x3", 1),
        ALL_3X3.replace("~1", "~0", 1),
        ALL_3X3.replace("|+|", "+", 1),
        ALL_3X3.replace("|+|", "||", 1),
        ALL_3X3.replace("|nor_conv_3x3~2", ""),
        ALL_3X3 + "+" + ALL_3X3,
        "|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    ],
)
def test_anything_else_is_no_architecture_string(text: str) -> None:
    with pytest.raises(ConfigError, match="an architecture string reads") as error:
        Genotype.from_string(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Genotype((0, 1, 2, 3, 4)),
        lambda: Genotype((0, 1, 2, 3, 4, 5)),
        lambda: Genotype((0, 1, 2, 3, 4, -1)),
        lambda: Genotype.from_index(NUM_CELLS),
        lambda: Genotype.from_index(-1),
    ],
)
def test_cells_outside_the_space_are_refused(build: Callable[[], Genotype]) -> None:
    with pytest.raises(ConfigError):
        build()


def test_neighbours_differ_in_exactly_one_operation() -> None:
    for cell in cells()[::97]:
        neighbours = cell.neighbours()
        assert len(set(neighbours)) == golden("nb201.mutation").expected["neighbours"]
        for other in neighbours:
            assert sum(a != b for a, b in zip(cell.operations, other.operations, strict=True)) == 1
            assert cell in other.neighbours()


def test_connectivity_is_that_of_the_four_paths() -> None:
    paths = [[(3, 0)], [(1, 0), (3, 1)], [(2, 0), (3, 2)], [(1, 0), (2, 1), (3, 2)]]
    for cell in cells():
        operation = dict(zip(EDGES, cell.operations, strict=True))
        connected = any(all(operation[edge] != NONE for edge in path) for path in paths)
        assert cell.output_is_connected() == connected


def test_derivation_is_the_argmax_of_every_edge() -> None:
    scores = torch.full((len(EDGES), len(OPERATIONS)), 0.1)
    scores[torch.arange(6), torch.tensor([4, 0, 3, 2, 1, 0])] = 0.6
    assert space_named("nas_bench_201").derive(scores) == Genotype((4, 0, 3, 2, 1, 0))
