"""A figure on the page says what its labels say, whatever stands in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from analysis.pages import page as pages
from analysis.pages import style
from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed

LABELS = ['id="x"', "#20242b", 'href="#a" url(#b)', 'a d="0.123456"', 'a width="9pt"', "<!-- a --> b"]
LABELS += ["<metadata>a</metadata>"]


@pytest.mark.parametrize("label", LABELS)
def test_labels_stay_what_they_are(label: str, tmp_path: Path) -> None:
    with style.style():
        figure = Figure(figsize=(2, 2), layout=Fixed())
        figure.subplots().set(xlabel=label)
        inline = pages._write_figure(Plot("f", "", "", figure), tmp_path)
    escaped = label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f">{escaped}</text>" in inline and f">{escaped}</text>" in (tmp_path / "f.svg").read_text()
    assert 'id="figure_1"' not in inline and "#20242b" not in inline.replace(escaped, "")
