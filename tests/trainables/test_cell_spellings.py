"""A cell in every spelling that people have of it, through the command line and in tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from trainables.benchmarks.cells import official_index, read_cell
from trainables.benchmarks.table import open_table
from trainables.errors import BenchmarkError
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, Genotype, all_genotypes

NasStudy = Any
REAL_FILE = Path(__file__).parents[2].parent / "shared" / "data" / "nas_bench_201.parquet"
FIRST = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
"""The cell of official index 0, as the benchmark's authors print it."""
NUMBERS = (4, 3, 3, 0, 0, 0)
"""The same in NASLib's numbers, by its published conversion, edge by edge."""
ONE_HOT = [[int(place == number) for place in range(5)] for number in NUMBERS]
TUPLES = (
    (("avg_pool_3x3", 0),),
    (("nor_conv_1x1", 0), ("skip_connect", 1)),
    (("nor_conv_1x1", 0), ("skip_connect", 1), ("skip_connect", 2)),
)
SPELLINGS = {
    "official": FIRST,
    "blanks around +": FIRST.replace("+", " + "),
    "outer blanks": f"  {FIRST}\n",
    "quoted": f"'{FIRST}'",
    "index": "0",
    "NATS file number": "000000",
    "official tuples": str(TUPLES),
    "NASLib tuple": str(NUMBERS),
    "NASLib list without blanks": str(list(NUMBERS)).replace(" ", ""),
    "NASLib array as numpy prints it": "[4 3 3 0 0 0]",
    "NASLib one-hot": str([bit for vector in ONE_HOT for bit in vector]),
    "NASLib nested one-hot of floats": str([[float(x) for x in row] for row in ONE_HOT]),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_read(nas_study: NasStudy, spelling: str) -> None:
    code, out, _ = nas_study("benchmark", "query", SPELLINGS[spelling])
    assert code == 0 and out.startswith(f"{FIRST}\nofficial index 0\n")


def test_a_printed_cell_is_never_wrapped(nas_study: NasStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console.Console.width", 40)
    for arguments in (("query", FIRST), ("info",)):
        _, out, _ = nas_study("benchmark", *arguments)
        cells = [line for line in out.splitlines() if "~" in line]
        assert cells and all(line.count("~") == 6 for line in cells), out


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("15625", "an official index must be in 0..15624, but got 15625"),
        ("403143", "an official index must be in 0..15624, but got 403143"),
        ("(4, 0, 3, 1, 4, 5)", "NASLib writes a cell as 6 numbers in 0..4"),
        ("(4, 0, 3, 1, 4)", "NASLib writes a cell as 6 numbers in 0..4"),
        (str([1, 1, 0, 0, 0] * 6), "their one-hot vector of 30 numbers"),
        ("8:16:24:32:40", "NATS-Bench's size space"),
        ("64-41414-1_02_333", "TransNAS-Bench-101"),
        ("Genotype(normal=[('sep_conv_3x3', 1)], normal_concat=range(2, 6))", "a cell of the DARTS space"),
        (FIRST.replace("avg_pool", "max_pool"), "an architecture string reads"),
        ("", "a cell is written"),
        ("-1", "a cell is written"),
        ("٣", "a cell is written"),
        ("9" * 5000, "a cell is written"),
        ("(" * 5000, "a cell is written"),
    ],
)
def test_what_spells_no_cell_is_named(nas_study: NasStudy, given: str, sentence: str) -> None:
    code, _, err = nas_study("benchmark", "query", "--", given)
    assert code == 2 and sentence in err and err.count("\n") == 1 and len(err) < 600


def test_indices_are_those_of_the_real_table() -> None:
    if not REAL_FILE.exists():
        pytest.skip(f"needs the real NAS-Bench-201 table at {REAL_FILE}")
    table = pd.read_parquet(REAL_FILE, columns=["arch_index", "arch_str"])
    assert [str(read_cell(str(index))) for index in table["arch_index"]] == table["arch_str"].tolist()
    assert official_index(Genotype.from_string(table["arch_str"][4711])) == 4711


def naslib_numbers(cell: Genotype) -> list[int]:
    first, second, third, fourth, fifth, sixth = ({1: 0, 0: 1, 3: 2, 2: 3, 4: 4}[o] for o in cell.operations)
    return [first, second, fourth, third, fifth, sixth]


SPELT: dict[str, Callable[[Genotype], Any]] = {
    "blanks": lambda cell: f" {cell} ".replace("+", " + "),
    "NASLib texts": lambda cell: str(tuple(naslib_numbers(cell))),
    "NASLib lists": naslib_numbers,
}


@pytest.mark.parametrize("spelling", ["arch_index", *SPELT])
def test_tables_spell_cells_as_people_do(tmp_path: Path, spelling: str) -> None:
    expected = open_table().values["cifar100_valid_accuracy"] * 0.99
    if spelling == "arch_index":
        order = [read_cell(str(index)).index for index in range(NUM_CELLS)]
        frame = pd.DataFrame({"arch_index": range(NUM_CELLS), "cifar100_test_accuracy": expected[order]})
    else:
        names = [SPELT[spelling](cell) for cell in all_genotypes()]
        frame = pd.DataFrame({"genotype": names, "cifar100_test_accuracy": expected})
    frame.to_parquet(tmp_path / "mine.parquet")
    found = open_table(tmp_path / "mine.parquet").values["cifar100_test_accuracy"]
    assert found.tolist() == expected.tolist()


def test_a_table_of_another_space_is_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"arch_str": ["64-41414-1_02_333"] * 3, "cifar10_test_accuracy": 50.0})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(BenchmarkError, match=r"mine\.csv has 1 other texts: .* TransNAS-Bench-101"):
        open_table(tmp_path / "mine.csv")
