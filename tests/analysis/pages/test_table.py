"""Tables as text: what a number looks like, and what other programs will read."""

from __future__ import annotations

import io
import math

import pandas as pd
import pytest
from synthetic_store import HOSTILE

from analysis import Results
from analysis.pages.settings import settings
from analysis.pages.table import Table
from analysis.pages.words import interval, listed, mean_std, number
from analysis.robustness import summary_tables


@pytest.fixture
def hostile() -> Table:
    frame = pd.DataFrame({"variant": ["a_b", HOSTILE], "mean (%)": ["1.00", "line\nbreak"]})
    return Table("t", "Title & more", "Caption ± 5 % <b>", frame, frame)


def test_numbers_round_once_and_missing_values_are_never_zero() -> None:
    assert number(93.456) == "93.46"
    assert number(-0.001) == "0.00"
    assert number(math.nan) == number(None) == "–"
    assert mean_std(93.0, 0.256) == "93.00 ± 0.26"
    assert mean_std(93.0, math.nan) == "93.00 (one seed)"
    assert mean_std(math.nan, math.nan) == "–"
    assert interval(1.0, 2.0) == "[1.00, 2.00]"
    assert interval(math.nan, math.nan) == "–"


def test_long_lists_are_counted() -> None:
    assert listed(["a"]) == "a"
    assert listed("abc") == "a, b and c"
    assert listed("abcdefgh", most=3) == "a, b, c and 5 more"


def test_html_escapes_every_text(hostile: Table) -> None:
    html = hostile.to_html()
    assert "<script" not in html and "<b>" not in html
    assert html.count("<tr>") == 3 and "<caption>" in html and 'scope="row"' in html


def test_markdown_keeps_one_row_a_line_and_its_columns(hostile: Table) -> None:
    lines = [line for line in hostile.to_markdown().splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)
    assert "<script" not in hostile.to_markdown() and "[link](" not in hostile.to_markdown()


def test_latex_escapes_its_special_characters(hostile: Table) -> None:
    latex = hostile.to_latex()
    body = latex[latex.index(r"\midrule") :]
    assert r"a\_b & 1.00 \\" in latex and r"50\%" in latex and r"\$x\$" in latex and r"\{y\}" in latex
    assert r"Caption $\pm$ 5 \% \textless{}b\textgreater{}" in latex
    assert all(line.count("&") - line.count(r"\&") == 1 for line in body.splitlines() if line.endswith(r"\\"))
    for opened in ("table", "tabular"):
        assert latex.count(f"\\begin{{{opened}}}") == latex.count(f"\\end{{{opened}}}") == 1


def test_csv_holds_full_precision_under_headers_with_units(results: Results) -> None:
    frame = pd.read_csv(io.StringIO(summary_tables.detail(results.trials, "cifar10_test_accuracy").to_csv()))
    assert "std over search seeds (points)" in frame and "mean (%)" in frame
    ok = results.trials[results.trials["status"] == "ok"]
    means = ok.groupby("variant", observed=False)["cifar10_test_accuracy"].mean()
    assert frame["mean (%)"].tolist() == pytest.approx(means.tolist(), nan_ok=True)


def test_csv_of_hostile_text_reads_back(results: Results) -> None:
    frame = pd.read_csv(io.StringIO(summary_tables.failed(results.trials).to_csv()))
    assert frame["error"].tolist().count(HOSTILE) == 2


def test_overview_keeps_validation_and_test_apart_and_says_how_many_seeds(results: Results) -> None:
    shown = summary_tables.overview(results.trials).shown.set_index("variant")
    assert {"CIFAR-10 validation (%)", "CIFAR-10 test (%)"} <= set(shown.columns)
    assert shown.loc["darts", "seeds"] == "8 of 10"
    assert shown.loc["solo (defaults)", "CIFAR-10 test (%)"].endswith("(one seed)")
    assert shown.loc["lost", "CIFAR-10 test (%)"] == "–"


def test_settings_list_each_hyperparameter_of_its_own_method(results: Results) -> None:
    shown = settings(results.trials).shown.set_index("variant")
    assert shown.loc["darts", "hyperparameters"] == "arch_lr=0.0003"
    assert shown.loc["random", "hyperparameters"] == "none"
    assert shown.loc["random", "protocol"] == "–"
