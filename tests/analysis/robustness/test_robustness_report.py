"""The page: complete, escaped, self-contained, and the same bytes for the same records."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from synthetic_store import HOSTILE, Row, genotype, trial, write_study

from analysis import Results
from analysis.pages.files import WRITTEN
from analysis.robustness.report import write_report
from trainables.errors import ConfigError

ROOT = Path(__file__).parents[3]
VOID = {"meta", "link", "wbr", "br", "path", "use", "rect", "circle", "image", "polygon", "input"}


class Page(HTMLParser):
    """Collects what a test asks about, and checks that tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.svg_labels: list[str | None] = []
        self.words: list[str] = []
        self.scripts = 0
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []
        self.links += [str(found[key]) for key in ("href", "src", "xlink:href", "action") if key in found]
        if tag == "svg":
            self.svg_labels.append(found.get("aria-label") if found.get("role") == "img" else None)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(tag)
        self.scripts += tag == "script"
        assert not any(key.startswith("on") for key in found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written.read_text(encoding="utf-8"))


class TestPage:
    def test_nothing_is_fetched_and_ids_are_unique(self, page: Page) -> None:
        downloads = "report_files/figures/"
        assert all(link.startswith(("#", "data:", downloads)) for link in page.links)
        assert len(page.ids) == len(set(page.ids))
        assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)

    def test_style_fetches_nothing(self, written: Path) -> None:
        text = written.read_text(encoding="utf-8")
        assert "@import" not in text
        assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)'\"]*)", text))

    def test_every_figure_and_cell_has_a_text_alternative(self, page: Page) -> None:
        assert page.svg_labels and all(page.svg_labels)

    def test_headings_descend_one_level_at_a_time(self, page: Page) -> None:
        levels = [int(heading[1]) for heading in page.headings]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))

    def test_hostile_text_is_shown_and_never_markup(self, page: Page, written: Path) -> None:
        assert page.scripts == written.read_text(encoding="utf-8").count("<script") == 1
        assert HOSTILE in "".join(page.words)

    def test_sections_are_in_order_and_failures_are_all_there(self, page: Page, results: Results) -> None:
        order = [
            "summary",
            "accuracy",
            "regret",
            "skips",
            "cells",
            "tables",
            "robustness",
        ]
        order += ["planning", "printed", "failures", "notes", "provenance", "checklist"]
        assert [i for i in page.ids if i in order] == order
        text = "".join(page.words)
        assert "Left out, since there is nothing to show: Regret against time and cost (no times are" in text
        for _, row in results.trials[results.trials["status"] != "ok"].iterrows():
            assert row["trial_id"] in text

    def test_spread_is_always_named(self, page: Page) -> None:
        text = " ".join("".join(page.words).split())
        assert text.count("±") > 20
        assert "standard deviation over search seeds (ddof = 1)" in text
        assert "A different spread from the one over search seeds" in text


class TestFiles:
    def test_tables_and_figures_lie_beside_the_page(self, written: Path) -> None:
        tables = {path.suffix for path in (written.parent / "report_files" / "tables").iterdir()}
        figures = {path.suffix for path in (written.parent / "report_files" / "figures").iterdir()}
        assert tables == {".csv", ".md", ".tex"} and figures == {".svg", ".pdf", ".csv"}

    def test_all_trials_csv_is_complete(self, written: Path, results: Results) -> None:
        frame = pd.read_csv(written.parent / "report_files" / "tables" / "all_trials.csv")
        assert frame["trial_id"].tolist() == results.trials["trial_id"].tolist()

    def test_markdown_has_the_summary_and_the_tables(self, written: Path) -> None:
        text = (written.parent / "report_files" / "report.md").read_text(encoding="utf-8")
        assert text.startswith("# demo\n") and "## What cannot be concluded" in text
        assert text.count("\n### ") >= 10 and "<script" not in text

    def test_figures_are_standalone_svg_with_text(self, written: Path) -> None:
        path = written.parent / "report_files" / "figures" / "seeds_cifar10_test_accuracy.svg"
        words = "".join(ET.parse(path).getroot().itertext())
        assert "darts" in words and "<script>" in words and "var(--" not in path.read_text(encoding="utf-8")

    def test_stale_files_of_an_earlier_report_go_and_no_others(
        self, study: Callable[..., Results], tmp_path: Path
    ) -> None:
        tables = tmp_path / "r_files" / "tables"
        tables.mkdir(parents=True)
        (tables / "mine.csv").write_text("kept")
        (tmp_path / "r.md").write_text("kept")
        write_report(study([trial("a", 0, genotype=genotype(3))]), tmp_path / "r.html")
        assert (tables / "derived_cells.csv").exists()
        results = study([trial("a", 0, status="failed", error="x")], name="other")
        write_report(results, tmp_path / "r.html")
        assert not (tables / "derived_cells.csv").exists()
        assert (tables / "mine.csv").read_text() == (tmp_path / "r.md").read_text() == "kept"

    def test_what_a_report_that_was_cut_short_left_goes(
        self, study: Callable[..., Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        results, replace = study([trial("a", 0, genotype=genotype(3))]), Path.replace

        def fail_at_the_page(path: Path, target: Path) -> Path:
            if target.suffix == ".html":
                raise OSError(5, "Input/output error")
            return replace(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fail_at_the_page)
            with pytest.raises(ConfigError, match="may be of two, so write it again"):
                write_report(results, tmp_path / "r.html")
        assert (tmp_path / "r_files/tables/derived_cells.csv").exists() and not (tmp_path / "r.html").exists()
        write_report(study([trial("a", 0, status="failed", error="x")], name="other"), tmp_path / "r.html")
        assert not (tmp_path / "r_files/tables/derived_cells.csv").exists()

    def test_a_list_leads_nowhere_else(self, study: Callable[..., Results], tmp_path: Path) -> None:
        (tmp_path / "mine.csv").write_text("kept")
        (tmp_path / "r_files").mkdir()
        (tmp_path / "r_files" / WRITTEN).write_text(f"../mine.csv\n{tmp_path}/mine.csv\n")
        write_report(study([trial("a", 0)]), tmp_path / "r.html")
        assert (tmp_path / "mine.csv").exists()

    @pytest.mark.parametrize("name", ["r.html", "r_files/tables/headline.csv", "r_files/r.md"])
    def test_files_of_others_in_the_way_are_refused(
        self, study: Callable[..., Results], tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
        with pytest.raises(ConfigError, match="replaces nothing but an earlier report"):
            write_report(study([trial("a", 0)]), tmp_path / "r.html")
        assert (tmp_path / name).read_text() == "mine"

    @pytest.mark.parametrize("name", ["folder.html", "report", "report.pdf"])
    def test_output_that_is_no_html_file_is_refused(self, results: Results, tmp_path: Path, name: str) -> None:
        (tmp_path / "folder.html").mkdir()
        with pytest.raises(ConfigError, match=r"ends in \.html"):
            write_report(results, tmp_path / name)


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


WRITE = """
import sys, analysis, pdf_fonts
from analysis.robustness.report import write_report
from pathlib import Path
with pdf_fonts.cut_once():
    write_report(analysis.load(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_same_records_make_the_same_bytes_however_they_are_stored(
    rows: tuple[list[Row], list[Row]], written: Path, tmp_path: Path
) -> None:
    trials, epochs = rows
    folder = write_study(tmp_path / "store", trials[::-1], epochs[::-1], one_file=True)
    output = tmp_path / "again" / "report.html"
    output.parent.mkdir()
    # Another process with another hash seed: the order of a set must not reach the page.
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    subprocess.run([sys.executable, "-c", WRITE, str(folder), str(output)], check=True, env=environment, timeout=120)
    assert digests(output.parent) == digests(written.parent)


class TestHoles:
    def test_study_with_nothing_but_failures(self, study: Callable[..., Results], tmp_path: Path) -> None:
        results = study([trial("a", s, status="failed", error="no GPU") for s in range(2)])
        text = " ".join("".join(Page(write_report(results, tmp_path / "r.html").read_text()).words).split())
        assert "No trial ended with an accuracy" in text
        assert "no trial ended with a derived cell" in text and "Diagnostics (no cells of epochs are recorded)" in text

    def test_unknown_test_accuracies_are_said_in_words(self, study: Callable[..., Results], tmp_path: Path) -> None:
        row = trial("a", 0, genotype=genotype(3))
        results = study([{key: value for key, value in row.items() if "_test_" not in key}])
        text = " ".join("".join(Page(write_report(results, tmp_path / "r.html").read_text()).words).split())
        assert "Unknown, because the benchmark table in use lacks them: CIFAR-10 test accuracy" in text
        assert "CIFAR-10 test unknown" in text
        assert "nan" not in text.lower().split()

    def test_thousand_trials_stay_small(self, study: Callable[..., Results], tmp_path: Path) -> None:
        bare = {"protocol": None, "channels": None, "cells": None, "batch_size": None}
        trials = [trial("random", s, genotype=genotype(97 * s), **bare) for s in range(1000)]
        epochs = [
            {"trial_id": t["trial_id"], "epoch": e, "skip_share": 10.0, "cifar10_test_regret": 20.0 / e}
            for t in trials
            for e in (1, 2, 5, 10)
        ]
        assert write_report(study(trials, epochs, one_file=True), tmp_path / "r.html").stat().st_size < 1_500_000
