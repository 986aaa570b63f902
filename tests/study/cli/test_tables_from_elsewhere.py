"""Tables that others wrote, through the command line: what was once let in, or led to a wrong verdict, and siblings."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.results.accuracies import slug

NasStudy = Callable[..., tuple[int, str, str]]
TRUST = Path(__file__).parents[3].parent / "shared" / "inputs" / "trust"


@pytest.fixture
def given(tmp_path: Path) -> Callable[[str], Path]:
    """A file of the inputs that failed, or the lines of one, copied to where pages may be written."""

    def find(text: str) -> Path:
        path = tmp_path / "t.csv"
        if "," in text or ";" in text:
            path.write_text(text, encoding="utf-8")
        elif not (TRUST / text).exists():
            pytest.skip(f"no {TRUST / text}: this input is NOT tested")
        else:
            path.write_bytes((TRUST / text).read_bytes())
        return path

    return find


def rows(**values: Any) -> str:
    """A table of methods, each with the values of its seeds 0, 1, ..., or a mapping of them."""
    lines = ["method,seed,dataset,acc"]
    for method, own in values.items():
        lines += [f"{method},{s},d,{v}" for s, v in (own.items() if isinstance(own, dict) else enumerate(own))]
    return "\n".join(lines)


def csv_of(page: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(page.with_name("t_files") / f"{name}.csv", dtype=str, keep_default_na=False)


REFUSED = {
    "err_rate.csv": "no value of column 'acc' of {} reaches 50 (the largest is 32); say --lower-is-better, or",
    "mixscale.csv": "those of A on d in column 'acc' of {} lie between",
    rows(A=["93", "92"], B=["91", "0.9"]) + "\nA,0,e,0.9\nA,1,e,0.91\nB,0,e,90": "those of A on e in column 'acc'",
    rows(A=["93", "92"], B=["91", "0.92"]): "one of B on d in column 'acc' of {} is 0.92, and a hundred times that",
    "method,seed,dataset,hp.lr,acc\nA,0,d,1,93\nA,1,d,1,92\nA,0,d,2,0.93\nA,1,d,2,0.92": "those of A (hp.lr=2) on d in",
    rows(**{"A\x1b[31m": ["93"], "B": ["92"]}): "column 'method' of {} has 'A\\x1b[31m'; write it without control",
    "method,seed,dataset,a\x07cc\nA,0,d,93": "{} has 'a\\x07cc'; write it without control characters",
    "method,seed,dataset,hp.lr,acc\nA,0,d,\ufeff1,93\nA,1,d,2,92": "column 'hp.lr' of {} has '\\ufeff1'; write",
    rows(**{"A": ["93"], "A\u200b": ["92"]}): "names must differ in more than capitals",
    "method;seed;dataset;acc\nA;0;d;98,5\nA;1;d;1.093": "'1.093' in column 'acc' of {} may have decimals or thousands",
    "method\tseed\tdataset\tacc\tx,\nA\t0\td\t1,093\t\nA\t1\td\t98\t": "'1,093' in column 'acc' of {} may have",
    "PK\x03\x04,": "{} is an Excel file or another archive; save the table in it as CSV",
    "method,seed,dataset,hp.a,acc\nA,0,d,9007199254740993,93": "up to 2^53, but 'hp.a' of {} has 9007199254740993",
    "ragged.csv": "row 1 of {} has 6 instead of 4 (a,0,7,90,60,5.5)",
    "method,seed,dataset,acc\nA,0,d,93\nA,1,d": "row 2 of {} has 3 instead of 4 (A,1,d)",
    "method,seed,dataset,acc,acc \nA,0,d,93,94": "{} has 'acc' 2 times; rename or drop one",
    "seed_128_bit.csv": "a seed is at most 2^63 - 1 = 9223372036854775807, but {} has 2403651273861",
    "method,seed,dataset,acc\nA,9223372036854775808,d,93": "has 9223372036854775808; number the seeds",
    "method,seed,dataset,acc\nA,1e300,d,93": "a seed is a whole number from 0, but {} has '1e300'",
    "method,seed,dataset,acc\nA,-1,d,93": "a seed is a whole number from 0, but {} has '-1'",
    rows(A=["93"], B=["-1e308"]): "has -1e+308; mend it",
    rows(A=["93"], B=["NA"]): "must hold numbers, but {} has 'NA' in it; leave the field of a failed run empty",
    'method,seed,dataset,acc\nA,0,d,"93,1"': "has '93,1' in it; leave the field of a failed run empty, and",
    rows(DARTS=["93"], darts=["92"]): "column 'method' of {} has 'DARTS' and 'darts'; write both alike, or rename one",
    "method,seed,dataset,acc\nA,0,cifar10,93\nA,1,CIFAR-10,93": "column 'dataset' of {} has 'cifar10' and 'CIFAR-10'",
    "method,seed,dataset,acc\nPC-DARTS,0,d,93\nPC\u2011DARTS,1,d,93": "column 'method' of {} has 'PC-DARTS' and",
    "method,seed,dataset,hp.a,acc\nA,0,d,1,93\nA,0,d,2,92\nA (a=1),0,d,,91": "'A' and 'A (a=1)' both make 'A (a=1)'",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_leaves_something_open_is_refused(nas_study: NasStudy, given: Callable[[str], Path], text: str) -> None:
    table = given(text)
    code, _, err = nas_study("compare", "--table", str(table), "--value", "acc", "-o", str(table.with_suffix(".html")))
    assert code == 2 and REFUSED[text].format(table) in err and err.count("\n") == 1, err
    assert [path.name for path in table.parent.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("column", ["error", "val_loss", "testNLL", "CELoss", "FLOPs", "macs_m"])
def test_a_column_named_after_a_loss_asks_for_the_direction(nas_study: NasStudy, tmp_path: Path, column: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(rows(A=["60", "61"], B=["70", "71"]).replace("acc", column))
    code, _, err = nas_study("compare", "--table", str(table), "--value", column)
    assert code == 2 and "say --lower-is-better, or --higher-is-better if it is so" in err
    assert nas_study("compare", "--table", str(table), "--value", column, "--higher-is-better")[0] == 0


@pytest.mark.parametrize(
    "text", ["err_rate.csv", rows(A=[f"{0.1 + s / 99:.4f}" for s in range(8)], B=[f"{3 + s}" for s in range(8)])]
)
def test_less_is_better_where_that_is_said(nas_study: NasStudy, given: Callable[[str], Path], text: str) -> None:
    table = given(text)
    page = table.with_suffix(".html")
    asked = ["--table", str(table), "--value", "acc", "--lower-is-better", "-o", str(page)]
    assert nas_study("compare", *asked)[0] == 0
    verdicts = csv_of(page, "tables/verdicts")
    assert verdicts[["a", "b"]].to_numpy().tolist() == [["A", "B"]] and float(verdicts["difference"][0]) > 0
    arms = csv_of(page, "tables/arms")
    assert arms["arm"].tolist() == ["A", "B"] and 0 < float(arms["mean"][0]) < float(arms["mean"][1])
    words = page.read_text()
    assert "lower is better." in words and "B − A (points), above 0 A is better" in words and "P(A &lt; B)" in words
    assert "d acc, lower is better" in words and "share of seeds below τ" in words and "acc (%)" not in words
    assert nas_study("report", *asked)[0] == 0
    words = (table.parent / "t_files/t.md").read_text()
    assert "A has the lowest mean: " in words and "lower is better" in words and "%)" not in words.partition("##")[0]
    worst = csv_of(page, "tables/headline")
    assert worst["variant"].tolist() == ["A", "B"] and float(worst["worst"][0]) > float(worst["d acc mean"][0])
    code, _, err = nas_study("report", *asked, "--collapse-below", "50")
    assert code == 2 and "lower is better; leave it out" in err


def test_the_best_setting_is_the_lowest_where_less_is_better(nas_study: NasStudy, tmp_path: Path) -> None:
    table, page = tmp_path / "t.csv", tmp_path / "t.html"
    lines = [f"A,{s},d,{lr},{10 * lr + s / 8}" for lr in (1, 2, 3) for s in range(4)]
    table.write_text("\n".join(["method,seed,dataset,hp.lr,error", *lines]))
    asked = ["--table", str(table), "--value", "error", "-o", str(page), "--default", "lr=2"]
    assert nas_study("sensitivity", *asked)[0] == 2
    assert nas_study("sensitivity", *asked, "--lower-is-better")[0] == 0
    overview = csv_of(page, "tables/overview")
    assert float(overview["best setting"][0]) == pytest.approx(10 + 1.5 / 8)
    assert float(overview["tuning gain (points)"][0]) == pytest.approx(10)
    budget = csv_of(page, "figures/best_of_k")
    assert (budget["expected"].astype(float).diff().dropna() < 0).all() and float(budget["expected"].iloc[-1]) > 0
    effects = csv_of(page, f"figures/effects_{slug('A')}")
    assert effects["mean"].astype(float).tolist() == pytest.approx([10 + 1.5 / 8, 20 + 1.5 / 8, 30 + 1.5 / 8])
    assert (effects["low"].astype(float) < effects["mean"].astype(float)).all()
    words = page.read_text()
    assert "lower is better" in words and "higher is better" not in words and "(%)" not in words.partition("Where")[0]


def test_a_margin_wider_than_all_values_is_said(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    table = given(rows(A=[f"{0.1 + s / 99:.4f}" for s in range(8)], B=[f"{0.3 + s / 50}" for s in range(8)]))
    asked = ["--table", str(table), "--value", "acc", "--lower-is-better", "-o", str(table.with_suffix(".html"))]
    assert nas_study("compare", *asked)[0] == 0
    assert (
        "The margin of 0.5 is wider than all values lie apart (0.3400)" in (table.parent / "t_files/t.md").read_text()
    )
    assert nas_study("compare", *asked, "--margin", "0.1")[0] == 0
    assert "is wider than all values" not in (table.parent / "t_files/t.md").read_text()


def test_a_direction_is_of_tables(nas_study: NasStudy) -> None:
    code, _, err = nas_study("compare", "results", "--lower-is-better")
    assert code == 2 and "are of the values of a table, but no table is given" in err


ABSENT = rows(A=range(90, 98), B={s: 80 + s for s in range(6)}, C={s: "" if s < 3 else 85 + s for s in range(8)})


def test_what_is_absent_is_said(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    table = given("absent_rows.csv")
    page = table.with_suffix(".html")
    asked = ["--table", str(table), "--value", "acc", "-o", str(page)]
    assert nas_study("compare", *asked)[0] == 0
    assert csv_of(page, "tables/arms")["seeds without a row"].tolist() == ["0", "3"]
    words = (table.parent / "t_files/t.md").read_text()
    assert "7 of 10" in words and "Seeds of the others without a row: B (3 of 10)" in words
    assert nas_study("report", *asked)[0] == 0
    words = (table.parent / "t_files/t.md").read_text()
    assert "7 of 10" in words and "7 of 7" not in words and "Seeds of the others without a row: B (3 of 10)" in words


def test_a_missing_value_is_no_value(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    table = given(ABSENT + "".join(f"\nC,{s},e,60" for s in range(8)))
    page = table.with_suffix(".html")
    assert nas_study("report", "--table", str(table), "--value", "acc", "-o", str(page))[0] == 0
    words = (table.parent / "t_files/t.md").read_text()
    assert "5 of 8" in words and "6 of 8" in words and "Without a value of d acc: C (3 of 8)" in words
    assert "22 runs, of which 19 have a value of d acc, 3 have none" in words
    assert "<dt>with a value</dt><dd>19</dd>" in page.read_text()


def test_methods_with_seeds_of_their_own_lack_none(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    table = given(rows(A={s: 90 + s / 9 for s in range(5)}, B={s + 50: 80 + s / 9 for s in range(9)}))
    page = table.with_suffix(".html")
    assert nas_study("compare", "--table", str(table), "--value", "acc", "-o", str(page))[0] == 0
    assert csv_of(page, "tables/arms")["seeds without a row"].tolist() == ["0", "0"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("text_names.csv", ["001", "1", "1e3", "NA", "None"]),
        (rows(**{" nan ": ["93"], "0x10": ["92"], "TRUE": ["91"], "16": ["90"]}), ["nan", "0x10", "TRUE", "16"]),
    ],
)
def test_names_are_text(nas_study: NasStudy, given: Callable[[str], Path], text: str, names: list[str]) -> None:
    table = given(text)
    page = table.with_suffix(".html")
    assert nas_study("report", "--table", str(table), "--value", "acc", "-o", str(page))[0] == 0
    assert csv_of(page, "tables/headline")["variant"].tolist() == names


def test_settings_are_numbers_where_all_are(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    lines = ["method,seed,dataset,hp.lr,hp.op,acc", "A,0,d,0.10,001,93", "A,1,d,0.1,001,92", "A,0,d,1e-3,1,91"]
    table = given("\n".join(lines))
    page = table.with_suffix(".html")
    assert nas_study("report", "--table", str(table), "--value", "acc", "-o", str(page))[0] == 0
    assert csv_of(page, "tables/headline")["variant"].tolist() == ["A (lr=0.1, op=001)", "A (lr=0.001, op=1)"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_decimal_commas_are_read(
    nas_study: NasStudy, given: Callable[[str], Path], separator: str
) -> None:
    lines = ["\ufeffmethod;seed;dataset;hp.lr;acc", " A ;0;d;0,1;93,25", "A;1;d;0,1;93,75", "1,5;0;d;1;92"]
    table = given("\n".join(lines).replace(";", separator) + "\n")
    page = table.with_suffix(".html")
    assert nas_study("report", "--table", str(table), "--value", "acc", "-o", str(page))[0] == 0
    assert csv_of(page, "tables/headline")[["variant", "d acc mean (%)"]].to_numpy().tolist() == [
        ["A", "93.5"],
        ["1,5", "92.0"],
    ]


@pytest.mark.parametrize(
    "text",
    ["equal_slugs.csv", "method,seed,dataset,acc\n" + "".join(f"A,{s},{d},9{s}\n" for s in "01" for d in "甲乙")],
)
def test_names_that_look_alike_have_figures_of_their_own(
    nas_study: NasStudy, given: Callable[[str], Path], text: str
) -> None:
    table = given(text)
    page = table.with_suffix(".html")
    assert nas_study("report", "--table", str(table), "--value", "acc", "-o", str(page))[0] == 0
    drawn = list((table.parent / "t_files/figures").glob("seeds_*.svg"))
    assert len({path.read_text() for path in drawn}) == len(drawn) == 2


@pytest.mark.parametrize("text", ["formula.csv", rows(**{"+A1": ["93", "94"], "-2+3": ["92", "91"]})])
@pytest.mark.parametrize("command", ["compare", "report"])
def test_no_csv_file_holds_a_formula(
    nas_study: NasStudy, given: Callable[[str], Path], text: str, command: str
) -> None:
    table = given(text)
    asked = ["--table", str(table), "--value", "acc", "-o", str(table.with_suffix(".html"))]
    assert nas_study(command, *asked)[0] == 0
    cells = [
        cell
        for path in (table.parent / "t_files").rglob("*.csv")
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
        for cell in row
    ]
    begun = [cell for cell in cells if cell[:1] in set("=+-@")]
    assert len(cells) > 50 and all(float(cell) < 0 for cell in begun)


def test_one_mean_is_rounded_once(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    values = [97.12, 97.89, 97.88, 97.82, 96.08, 97.5, 97.4, 97.31]  # their mean is 97.375: sums differ in the last bit
    table = given(rows(A=values, B=[90 + v / 100 for v in values]))
    shown = []
    for command, name in (("report", "headline"), ("compare", "arms")):
        asked = ["--table", str(table), "--value", "acc", "-o", str(table.with_suffix(".html"))]
        assert nas_study(command, *asked)[0] == 0
        line = (table.parent / f"t_files/tables/{name}.md").read_text().splitlines()[-2]
        shown.append(line.split("|")[3].split()[0])
    assert shown[0] == shown[1]


def test_the_value_that_most_rows_have_is_looked_at(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    lines = ["method,seed,dataset,hp.lr,acc", "B,0,a,1,93"]
    lines += [f"A,{s},b,{lr},{90 + lr + s / 9}" for s in range(3) for lr in (1, 2)]
    table = given("\n".join(lines))
    asked = ["sensitivity", "--table", str(table), "--value", "acc", "-o", str(table.with_suffix(".html"))]
    assert nas_study(*asked)[0] == 0
    assert "No b acc is known of B" in (table.parent / "t_files/t.md").read_text()
    code, _, err = nas_study(*asked, "--column", "a:acc")
    assert code == 2 and "choose one of these with --column: value:b:acc" in err


def test_a_comparison_says_which_values_would_do(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    table = given("method,seed,dataset,acc\nA,0,a,93\nA,0,b,92\nB,0,b,91\nB,1,b,92")
    code, _, err = nas_study("compare", "--table", str(table), "--value", "acc", "--column", "a:acc")
    assert code == 2 and "but 1 have a a acc; choose one of these with --column: value:b:acc" in err, err


@pytest.mark.parametrize(
    ("default", "sentence"),
    [
        ("lrr=1,wd=1", "--default: unknown hyperparameter 'lrr'; did you mean 'lr'?"),
        ("lr=1", "of A it names lr and not wd; name all"),
        ("lr=1,wd=1,fixed=2", "fixed of A was 1 only, and not 2; leave it out"),
        ("lr=1,wd=1,lr=2", "gives each hyperparameter one value, but lr has two"),
        ("lr=1e3,wd=1", "A has no {'lr': 1000.0, 'wd': 1}"),
        ("lr=1,wd=7", "must be among those that were run"),
    ],
)
def test_a_default_is_a_setting(nas_study: NasStudy, given: Callable[[str], Path], default: str, sentence: str) -> None:
    lines = [f"A,{s},d,{lr},{wd},1,{90 + lr + s / 9}" for s in range(3) for lr in (1, 2) for wd in (1, 2)]
    table = given("\n".join(["method,seed,dataset,hp.lr,hp.wd,hp.fixed,acc", *lines]))
    code, _, err = nas_study("sensitivity", "--table", str(table), "--value", "acc", "--default", default)
    assert code == 2 and sentence in err, err


def test_a_page_has_the_decimals_that_its_unit_needs(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    table = given(rows(A=[f"{0.0351 + s / 1e6}" for s in range(8)], B=[f"{0.0348 + s / 1e6}" for s in range(8)]))
    page = table.with_suffix(".html")
    asked = ["--table", str(table), "--value", "acc", "--lower-is-better", "--margin", "0.0001", "-o", str(page)]
    assert nas_study("compare", *asked)[0] == 0
    words = page.with_name("t_files").joinpath("t.md").read_text()
    assert "every seed lower, by 0.0003000 points on average (95 % interval 0.0002974 to 0.0003026" in words
    assert "| B | 8 of 8 | 0.0348035 ± 0.0000024 |" in words and "| 1.00 |" in words and "1.00 δ" in words
    assert nas_study("report", *asked)[0] == 0
    assert "B has the lowest mean: 0.0348035 ± 0.0000024" in page.with_name("t_files").joinpath("t.md").read_text()


def test_a_sentence_agrees_with_the_numbers_beside_it(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    ends = {
        rows(A=range(60, 68), B=range(60, 68)): "A against B on d acc: equal on average (95 % interval",
        rows(
            A=range(60, 68), B=range(61, 69)
        ): "56 % of all pairs of their seeds higher, by 1.00 points",  # 7 of 64 tie
        rows(A=[90, 91, 92, 93, 94, 95], B=[89, 88, 87, 86, 85, 1]): "the interval of their difference holds 0: A − B.",
    }
    for text, sentence in ends.items():
        table = given(text)
        code, _, err = nas_study(
            "compare", "--table", str(table), "--value", "acc", "-o", str(table.with_suffix(".html"))
        )
        assert (code, err) == (0, "") and sentence in (table.parent / "t_files/t.md").read_text()


def test_one_arm_without_spread_is_no_warning(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    table = given(rows(A=[90.1] * 8, B=[90 + s / 100 for s in range(8)]))
    assert nas_study("compare", "--table", str(table), "--value", "acc", "-o", str(table.with_suffix(".html")))[2] == ""


COLUMNS = {
    "acc": [pd.to_timedelta([90, 91], "s"), [True, False], pd.to_datetime(["2020-01-01", "2020-01-02"])],
    "method": [[{"a": 1}, {"a": 2}], [["A"], ["B"]], [b"\xff", b"\xfe"]],
    "hp.lr": [[[1], [2]], [b"\xff", b"\xfe"]],
}


@pytest.mark.parametrize(("column", "values"), [(c, v) for c, own in COLUMNS.items() for v in own])
def test_a_parquet_column_is_what_it_is_read_as(
    nas_study: NasStudy, tmp_path: Path, column: str, values: list[Any]
) -> None:
    frame = pd.DataFrame({"method": ["A", "B"], "seed": [0, 0], "dataset": "d", "acc": [90.0, 91.0]})
    frame.assign(**{column: values}).to_parquet(tmp_path / "t.parquet")
    code, _, err = nas_study(
        "compare",
        "--table",
        str(tmp_path / "t.parquet"),
        "--value",
        "acc",
        "--lower-is-better",
        "-o",
        str(tmp_path / "t.html"),
    )
    assert code == 2 and repr(column) in err and err.count("\n") == 1, err


def test_names_in_bytes_and_endings_in_capitals_are_read(nas_study: NasStudy, tmp_path: Path) -> None:
    lines = {"method": [b"A"] * 3 + [b"B"] * 3, "seed": [0, 1, 2] * 2, "dataset": "d", "acc": range(90, 96)}
    pd.DataFrame(lines).to_parquet(tmp_path / "t.PARQUET")
    page = tmp_path / "t.html"
    assert nas_study("compare", "--table", str(tmp_path / "t.PARQUET"), "--value", "acc", "-o", str(page))[0] == 0
    arms = csv_of(page, "tables/arms")
    assert arms["arm"].tolist() == ["B", "A"] and "std over seeds (points)" in arms


@pytest.mark.parametrize("kind", ["pipe", "loop", "link to nothing"])
def test_an_output_that_is_no_file_is_left_alone(
    nas_study: NasStudy, given: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    page = tmp_path / "t.html"
    if kind == "pipe":
        os.mkfifo(page)
    else:
        page.symlink_to("t.html" if kind == "loop" else "nowhere")
    table = given(rows(A=[90, 91], B=[92, 93]))
    code, _, err = nas_study("compare", "--table", str(table), "--value", "acc", "-o", str(page))
    assert code == 2 and "replaces nothing but an earlier report" in err and not page.is_file()


def test_a_table_given_as_a_store_is_told_so(nas_study: NasStudy, given: Callable[[str], Path]) -> None:
    code, _, err = nas_study("compare", str(given(rows(A=[90], B=[91]))))
    assert code == 2 and "is a file; a table of results is given with --table" in err
