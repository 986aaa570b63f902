"""The drawing of a cell is well-formed, complete and says the same in words."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import torch
from synthetic_store import genotype

from analysis.robustness.cells import LOOKS, cell_svg, describe
from trainables.spaces import SPACES, space_named
from trainables.spaces.nas_bench_201.genotype import EDGES, OPERATIONS, Genotype

SVG = "{http://www.w3.org/2000/svg}"
SPACE = space_named("nas_bench_201")


@pytest.mark.parametrize("index", [0, 1, 7777, 15624])
def test_every_edge_is_drawn_with_its_label(index: int) -> None:
    cell = Genotype.from_string(genotype(index))
    root = ET.fromstring(cell_svg(SPACE.graphs(cell)[0]))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert sorted(texts) == sorted([*(LOOKS[OPERATIONS[o]].label for o in cell.operations), "in", "1", "2", "out"])
    assert [path.get("stroke") for path in root.iter(f"{SVG}path")] == [
        LOOKS[OPERATIONS[o]].colour for o in cell.operations
    ]
    assert len(list(root.iter(f"{SVG}polygon"))) == sum(OPERATIONS[o] != "none" for o in cell.operations)


def test_labels_do_not_overlap_and_lie_inside() -> None:
    root = ET.fromstring(cell_svg(SPACE.graphs(Genotype((3,) * 6))[0]))
    left, top, width, height = map(float, str(root.get("viewBox")).split())
    boxes = []
    for text in root.iter(f"{SVG}text"):
        x, y, half = float(str(text.get("x"))), float(str(text.get("y"))), 3.8 * len(str(text.text))
        assert left <= x - half and x + half <= left + width
        assert top <= y - 12 and y + 3 <= top + height
        boxes.append((x - half, x + half, y - 12, y + 3))
    for i, a in enumerate(boxes):
        assert not any(a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3] for b in boxes[i + 1 :])


def test_words_name_each_edge_once_from_source_to_target() -> None:
    words = describe(SPACE.graphs(Genotype((0, 1, 2, 3, 4, 0)))[0])
    assert words.count(" to ") == len(EDGES)
    assert "in to 1 none" in words and "1 to 2 conv 1×1" in words and "1 to out pool 3×3" in words


@pytest.mark.parametrize("name", SPACES)
def test_cells_of_every_space_can_be_drawn(name: str) -> None:
    space = SPACES[name]
    for seed in range(5):
        for graph in space.graphs(space.random(torch.Generator().manual_seed(seed))):
            root = ET.fromstring(cell_svg(graph))
            left, top, width, height = map(float, str(root.get("viewBox")).split())
            assert len(list(root.iter(f"{SVG}path"))) == len(graph.edges)
            for text in root.iter(f"{SVG}text"):
                assert left <= float(str(text.get("x"))) <= left + width
                assert top <= float(str(text.get("y"))) <= top + height
            assert all(operation in LOOKS for _, _, operation in graph.edges)
            assert describe(graph).startswith(f"{graph.title} cell".strip().capitalize())
