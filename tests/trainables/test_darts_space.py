"""The DARTS space against its golden numbers: cells, derivation, networks, and how genotypes are read and written."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

import pytest
import torch
from golden import golden
from torch import Tensor, nn

from trainables.errors import ConfigError
from trainables.spaces import space_named
from trainables.spaces.darts.genotype import EDGES, OPERATIONS, Genotype
from trainables.spaces.darts.network import DiscreteNetwork
from trainables.spaces.darts.supernet import MixedEdge, SearchCell, Supernet
from trainables.spaces.single_path import SinglePath
from trainables.spaces.size import Size, size_of

pytestmark = pytest.mark.trains
SPACE = space_named("darts")
DARTS_V2 = (
    "s3.0 s3.1 / s3.0 s3.1 / skip.0 s3.1 / skip.0 d3.2 | max.0 max.1 / max.1 skip.2 / max.0 skip.2 / max.1 skip.2"
)
PUBLISHED = """Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1),
    ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5],
    reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0),
    ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"""
OF_BENCHMARK = {
    "s5.0 s3.1 / skip.0 s3.2 / s3.2 s3.0 / d5.2 d3.3 | s3.0 s3.1 / avg.1 d3.0 / s3.2 skip.0 / s5.4 avg.3": (
        1_204_906,
        202_774_016,
    ),
    "avg.1 d5.0 / avg.1 s3.0 / avg.1 d3.2 / avg.0 s5.4 | avg.0 avg.1 / s5.0 s5.2 / s5.0 d3.1 / s5.2 max.4": (
        920_618,
        162_428_416,
    ),
    "avg.0 max.1 / skip.0 s5.1 / skip.1 d5.2 / s5.3 s3.4 | avg.1 avg.0 / s3.0 d3.1 / d5.2 max.3 / max.4 avg.0": (
        849_450,
        157_185_536,
    ),
    "s3.1 s3.0 / s3.0 d3.1 / max.1 s3.3 / s3.4 skip.2 | avg.0 avg.1 / d3.0 d5.1 / d3.0 s5.3 / s5.3 skip.2": (
        1_080_682,
        185_087_488,
    ),
    "s3.1 s3.0 / d5.2 skip.1 / s3.3 d5.1 / avg.1 s5.3 | avg.1 d3.0 / s3.2 d3.0 / avg.0 d5.2 / s3.1 s3.4": (
        1_094_442,
        188_036_608,
    ),
    "max.1 avg.0 / s3.0 d5.2 / max.3 avg.1 / max.0 avg.2 | skip.0 skip.1 / avg.1 skip.0 / s5.1 s5.3 / d5.2 avg.1": (
        728_554,
        134_010_368,
    ),
    "d3.0 s5.1 / d3.1 s5.0 / s5.3 s3.0 / avg.3 s3.4 | d3.0 d5.1 / skip.2 s3.0 / skip.1 avg.0 / d3.4 d3.1": (
        1_156_714,
        201_758_208,
    ),
    "s3.0 d5.1 / max.0 skip.1 / avg.2 skip.3 / s3.1 d5.2 | max.1 s3.0 / d5.2 avg.0 / skip.3 s5.1 / s5.1 s5.3": (
        910_378,
        157_660_672,
    ),
    "s3.0 s3.1 / s5.0 d3.1 / max.0 d5.1 / d5.3 s5.4 | d5.1 max.0 / skip.0 s5.1 / s3.1 d5.3 / avg.1 s5.0": (
        1_169_450,
        201_152_000,
    ),
    "d5.1 max.0 / max.1 max.0 / s5.0 d5.1 / max.0 d5.1 | d3.1 avg.0 / max.1 s5.0 / s3.3 avg.2 / d3.0 avg.1": (
        802_858,
        149_329_408,
    ),
    "s3.0 avg.1 / s5.2 max.0 / skip.2 max.3 / s3.1 d3.4 | d5.1 s5.0 / s3.2 d5.1 / d5.3 avg.0 / s3.4 d3.1": (
        973_482,
        167_769_600,
    ),
    "s5.0 s3.1 / skip.1 skip.2 / skip.1 d3.0 / s3.0 skip.3 | max.1 skip.0 / d3.0 max.2 / avg.0 max.3 / s3.4 skip.3": (
        823_146,
        148_526_592,
    ),
}


def parameters(modules: Iterable[nn.Module]) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def size(genotype: Genotype, channels: int, cells: int, classes: int = 10) -> Size:
    return size_of(partial(DiscreteNetwork, genotype, channels, cells, 3, classes), 3, 32)


# genotypes -------------------------------------------------------------------------------------------------------


def test_a_genotype_is_read_as_it_is_published_and_as_it_is_printed() -> None:
    genotype = Genotype.from_string(PUBLISHED)
    assert str(genotype) == DARTS_V2 and Genotype.from_string(DARTS_V2) == genotype
    assert Genotype.from_string(genotype.published) == genotype
    assert Genotype.from_string("DARTS_V2 = " + PUBLISHED.replace("[2, 3, 4, 5]", "range(2, 6)")) == genotype
    assert Genotype.from_string(PUBLISHED.replace("'", '"')) == genotype


def test_the_order_of_a_node_s_two_edges_is_nothing() -> None:
    assert Genotype.from_string(DARTS_V2.replace("s3.0 s3.1", "s3.1 s3.0")) == Genotype.from_string(DARTS_V2)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("|nor_conv_3x3~0|", "a genotype of the DARTS space reads"),
        ("__import__('os').system('true')", "a genotype of the DARTS space reads"),
        (PUBLISHED.replace("('sep_conv_3x3', 0), ", "", 1), "has 8 edges, but got 7"),
        (PUBLISHED.replace("sep_conv_3x3", "sep_conv_9x9", 1), "but got 'sep_conv_9x9'"),
        (PUBLISHED.replace("[2, 3, 4, 5]", "[4, 5]"), "a genotype of the DARTS space reads"),
        (DARTS_V2.replace("d3.2", "d3.7"), "node 5 of a cell of the DARTS space reads 2 different nodes of 0 to 4"),
        (DARTS_V2.replace("s3.0 s3.1", "s3.1 s3.1", 1), "node 2 of a cell of the DARTS space reads 2 different nodes"),
        (DARTS_V2.replace("d3.2", "none.2"), "one of max_pool_3x3"),
        (DARTS_V2.partition("|")[0], "a genotype of the DARTS space reads"),
        ("", "a genotype of the DARTS space reads"),
        ("x" * 100_000, "a genotype of the DARTS space reads"),
    ],
)
def test_what_is_no_genotype_is_refused_in_one_sentence(wrong: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Genotype.from_string(wrong)
    assert sentence in str(refused.value) and len(str(refused.value)) < 1000 and "\n" not in str(refused.value)


def test_random_genotypes_differ_and_reach_everything() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [cast(Genotype, SPACE.random(generator)) for _ in range(400)]
    assert len(set(drawn)) > 395
    assert {name for genotype in drawn for name, _ in genotype.edges} == set(OPERATIONS[1:])
    sources = {(genotype.normal[6][1], genotype.normal[7][1]) for genotype in drawn}
    assert sources == set(itertools.combinations(range(5), 2))
    assert all(Genotype.from_string(str(genotype)) == genotype for genotype in drawn)


def test_one_hot_keeps_two_edges_a_node() -> None:
    genotype = SPACE.parse(DARTS_V2)
    weights = SPACE.one_hot(genotype)
    assert weights.sum() == 16 and (weights[:, 0] == 0).all()
    assert [int(part.sum()) for part in weights.split(SPACE.inputs)] == [2] * 8
    assert SPACE.derive(weights) == genotype
    assert SPACE.chosen(genotype)[:3] == (4, 4, 4) and weights.argmax(dim=1).tolist() == list(SPACE.chosen(genotype))
    assert SPACE.shares(genotype) == {"skip": 25.0, "none": 0.0, "pool": 0.0}


# derivation ------------------------------------------------------------------------------------------------------


def expected_cell(listed: list[list[Any]]) -> tuple[tuple[str, int], ...]:
    return tuple((operation, source) for operation, source in listed)


def test_derivation_matches_golden() -> None:
    case = golden("darts.derive")
    alpha = torch.cat([case.tensor("alpha_normal"), case.tensor("alpha_reduce")])
    expected = Genotype(*(expected_cell(case.expected[kind]) for kind in ("normal", "reduce")))
    assert SPACE.derive(alpha.softmax(dim=1)) == expected


def test_derivation_with_edge_weights_matches_golden() -> None:
    case = golden("pcdarts.derive")
    alpha = torch.cat([case.tensor("alpha_normal"), case.tensor("alpha_reduce")])
    beta = torch.cat([case.tensor("beta_normal"), case.tensor("beta_reduce")])
    weights = torch.cat([part.softmax(0) for part in beta.split(SPACE.inputs)])
    expected = Genotype(*(expected_cell(case.expected[kind]) for kind in ("normal", "reduce")))
    assert SPACE.derive(alpha.softmax(dim=1), weights) == expected


# networks --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_published_cells_have_their_published_numbers_of_parameters() -> None:
    case = golden("darts.param_count")
    for name, listed in case.inputs["genotypes"].items():
        genotype = Genotype(*(expected_cell(listed[kind]) for kind in ("normal", "reduce")))
        assert size(genotype, 36, 20).parameters == case.expected[f"{name}_cifar10_C36_L20"], name
    assert size(SPACE.parse(DARTS_V2), 36, 20, 100).parameters == case.expected["DARTS_V2_cifar100_C36_L20"]


@pytest.mark.parametrize("text", OF_BENCHMARK)
def test_cells_of_the_surrogate_benchmark_have_its_sizes(text: str) -> None:
    """The benchmark's operations normalise without scale and shift, and so does each pooling; it counts more than MACs.

    Namely one for an element that is rectified or normalised, another where that has a scale, nine for one of a pooling
    by 3 x 3, and for the last one 81 a channel.
    """
    genotype = cast(Genotype, SPACE.parse(text))
    with torch.device("meta"):
        network, images = DiscreteNetwork(genotype, 32, 8, 3, 10).eval(), torch.empty(1, 3, 32, 32)
    scaleless = {layer for name, layer in network.named_modules() if ".operations." in name}
    left_out = parameters(layer for layer in scaleless if isinstance(layer, nn.BatchNorm2d))
    besides = 81 * network.classifier.in_features

    def count(layer: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal besides
        if isinstance(layer, nn.ReLU | nn.BatchNorm2d):
            besides += output.numel() * (2 if isinstance(layer, nn.BatchNorm2d) and layer not in scaleless else 1)
        elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
            besides += 10 * output.numel()

    for layer in network.modules():
        layer.register_forward_hook(count)
    network(images)
    found = size(genotype, 32, 8)
    assert (found.parameters - left_out, found.macs + besides) == OF_BENCHMARK[text]


def test_the_supernet_has_its_published_number_of_parameters() -> None:
    case = golden("darts.supernet_params")
    with torch.device("meta"):
        assert parameters([Supernet(16, 8, 3, 10)]) == case.expected["params"]


def filled(count: int, shape: torch.Size, offset: float) -> Tensor:
    return torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + offset).view(shape)


def golden_cell(channels: int, c_0: int, c_1: int, reduces: bool, partial: int = 1) -> SearchCell:
    """A cell whose convolutions hold the golden cases' numbers."""
    cell = SearchCell(c_0, c_1, channels, reduces, False, partial).double()
    with torch.no_grad():
        for preprocessing, offset in ((cell.preprocessing.of_0, 0.5), (cell.preprocessing.of_1, 0.6)):
            weight = next(preprocessing.parameters())
            weight.copy_(filled(weight.numel(), weight.shape, offset))
        for e, edge in enumerate(cell.edges):
            for o, candidate in enumerate(cast(MixedEdge, edge).candidates, start=1):
                for i, weight in enumerate(candidate.parameters()):
                    weight.copy_(filled(weight.numel(), weight.shape, 0.1 * e + 0.01 * o + 0.001 * i))
    return cell


@pytest.mark.parametrize("partial", [1, 4])
@pytest.mark.parametrize("reduces", [False, True], ids=["normal", "reduce"])
def test_the_search_cell_computes_what_the_official_one_does(reduces: bool, partial: int) -> None:
    kind = "reduce" if reduces else "normal"
    case = golden(f"{'darts' if partial == 1 else 'pcdarts'}.cell_forward_{kind}")
    c_0, c_1, channels = 6, 4, 2 if partial == 1 else 8
    cell = golden_cell(channels, c_0, c_1, reduces, partial)

    def images(width: int) -> Tensor:
        j = torch.arange(2 * width * 36, dtype=torch.float64)
        return torch.cos(0.37 * j + 0.011 * j**2).view(2, width, 6, 6)

    e, o = torch.meshgrid(torch.arange(14.0), torch.arange(8.0), indexing="ij")
    mixing = torch.sin(e.double() + 2 * o.double()).softmax(1)
    rows = [list(row.unbind()) for row in torch.cat([mixing, mixing])]
    weights = None
    if partial > 1:
        beta = torch.cos(1.3 * torch.arange(14, dtype=torch.float64))
        weights = list(torch.cat([part.softmax(0) for part in beta.split([2, 3, 4, 5])]).repeat(2))
    out = cell(images(c_0), images(c_1), rows, weights).detach()
    assert list(out.shape) == case.expected["shape"]
    case.check(out.abs().sum(), "sum_abs")
    case.check(out.square().sum(), "sum_sq")
    case.check(
        (out.flatten() * torch.cos(0.5 * torch.arange(out.numel(), dtype=torch.float64))).sum(), "proj_cos_half_j"
    )
    case.check(out[0, 0, 0], "row")
    case.check(out[-1, -1, -1], "last")


def test_a_path_is_the_mixture_of_one_hot_rows() -> None:
    torch.manual_seed(0)
    supernet, images = Supernet(4, 3, 3, 10).double(), torch.randn(4, 3, 8, 8, dtype=torch.float64)
    for edges in (None, torch.rand(28, dtype=torch.float64)):
        mixing = torch.eye(8, dtype=torch.float64)[torch.randint(8, (28,))]
        torch.testing.assert_close(supernet(images, SinglePath.of(mixing), edges), supernet(images, mixing, edges))


def test_the_mixture_at_one_hot_weights_is_the_discrete_cell_without_its_scales() -> None:
    """An edge that is not kept adds nothing, and a kept one its operation, followed by the supernet's normalisation."""
    genotype = SPACE.parse(
        "s3.0 d5.1 / s5.0 s3.1 / d3.0 s3.1 / s3.0 d3.2 | s3.0 d5.1 / s5.0 s3.1 / d3.0 s3.1 / s3.0 d3.2"
    )
    supernet, network = Supernet(4, 3, 3, 10).double(), SPACE.network(genotype, 4, 3, 3, 10).double()
    with torch.no_grad():
        network.stem.load_state_dict(supernet.stem.state_dict())
        network.classifier.load_state_dict(supernet.classifier.state_dict())
        for own, discrete in zip(supernet.cells, network.cells, strict=True):
            cell = genotype.reduce if own.first_row else genotype.normal
            discrete.preprocessing.load_state_dict(own.preprocessing.state_dict(), strict=False)
            for place, (name, source) in enumerate(cell):
                edge = own.edges[EDGES.index((2 + place // 2, source))]
                candidate = edge.candidates[OPERATIONS.index(name) - 1]
                discrete.operations[place].load_state_dict(candidate.state_dict(), strict=False)
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(network(images), supernet(images, SPACE.one_hot(genotype).double()))


def test_odd_images_pass() -> None:
    supernet = Supernet(4, 3, 1, 10, partial=2)
    mixing = torch.full((28, 8), 1 / 8)
    assert supernet(torch.randn(2, 1, 9, 9), mixing).shape == (2, 10)
    assert SPACE.network(SPACE.parse(DARTS_V2), 4, 3, 1, 10)(torch.randn(2, 1, 9, 9)).shape == (2, 10)
