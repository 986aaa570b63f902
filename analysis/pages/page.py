"""One self-contained HTML page, and beside it the same tables and figures as files.

The page makes no request, holds no date of its own and is the same bytes for the same records. All that is beside it
lies in one folder, with a list of what a report wrote there: nothing else is ever replaced or removed.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis.pages import layout, style
from analysis.pages.csv import write_csv
from analysis.pages.figure import Plot
from analysis.pages.files import check_output, replacing
from analysis.pages.table import Table, markdown

_THEME = {style.INK: "var(--ink)", style.MUTED: "var(--muted)", style.GRID: "var(--line)"}
_FORMATS = {
    "csv": ("CSV", "text/csv"),
    "md": ("Markdown", "text/markdown"),
    "tex": ("LaTeX", "text/x-tex"),
    "svg": ("SVG", "image/svg+xml"),
    "pdf": ("PDF", "application/pdf"),
}
"""Suffix -> its name for people, and its media type."""
_TAG = re.compile(r"<[^>]*>")
CARRIED_UP_TO = 24_000
"""Bytes up to which the page carries a figure's file along; a larger one is a link to the file beside the page."""

TABLE_CARRIED_UP_TO = 1_000_000
"""The same of a table's file."""


@dataclass(frozen=True)
class Cell:
    """A drawn cell: an SVG that cells.py made, and the parts of its caption."""

    svg: str
    genotype: str
    parts: list[str]


@dataclass(frozen=True)
class Section:
    """One part of the page. ``cells`` maps a variant to its cells, ``texts`` a heading to preformatted text.

    ``absent`` is why there is nothing to show: the section is then left out, and named in one line with all others.
    """

    id: str
    title: str
    lead: str = ""
    plots: list[Plot] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    absent: str = ""


@dataclass(frozen=True)
class Page:
    """What a report says, before it is HTML. ``data`` are whole frames, saved as CSV beside the tables.

    ``measure`` says what the numbers are, and which way is better.
    """

    kind: str
    name: str
    measure: str
    tally: dict[str, int]
    findings: list[str]
    cautions: list[str]
    glance: Table
    sections: list[Section]
    data: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def shown(self) -> list[Section]:
        return [section for section in self.sections if not section.absent]

    @property
    def left_out(self) -> str:
        """The sections without data in one line, empty where there are none."""
        reasons: dict[str, list[str]] = {}
        for section in self.sections:
            if section.absent:
                reasons.setdefault(section.absent, []).append(section.title)
        named = "; ".join(f"{', '.join(titles)} ({reason})" for reason, titles in reasons.items())
        return f"Left out, since there is nothing to show: {named}." if named else ""


def write_page(page: Page, output: Path) -> Path:
    """Write ``output`` (HTML), and ``<stem>_files/`` with a Markdown twin, tables/ and figures/. Returns ``output``.

    Tables are CSV, Markdown and LaTeX, figures SVG and PDF; those of an earlier report at the same place are replaced,
    when all is written.
    Raises ConfigError where ``output`` does not end in .html, its folder cannot be written, or a file that no report
    wrote is in the way.
    """
    output = check_output(output)
    files = output.with_name(f"{output.stem}_files")
    drawn = [plot for section in page.shown for plot in section.plots]
    tables = [page.glance, *(table for section in page.shown for table in section.tables)]
    templates = Path(__file__).parent / "templates"
    css, script = (Markup((templates / f"report.{kind}").read_text(encoding="utf-8")) for kind in ("css", "js"))
    with replacing(files, output) as aside:
        with style.style():
            svgs = {plot.name: _write_figure(plot, aside / "figures") for plot in drawn}
        for table in tables:
            for suffix, text in _texts(table).items():
                (aside / "tables" / f"{table.name}.{suffix}").write_text(text, encoding="utf-8")
        for name, frame in page.data.items():
            write_csv(frame, aside / "tables" / f"{name}.csv")
        links = {plot.name: _figure_links(plot, aside, files.name) for plot in drawn}
        text = _template(files.name).render(
            page=page, svgs=svgs, files_of=links, css=css, script=script, files=files.name
        )
        (aside / f"{output.stem}.md").write_text(_markdown(page, tables), encoding="utf-8")
        (aside / output.name).write_text(text, encoding="utf-8")
    return output


def _write_figure(plot: Plot, folder: Path) -> Markup:
    """Save the figure as SVG and PDF and its data as CSV; returns it as SVG for the page."""
    layout.settle(plot.figure)
    svg = _svg(plot.figure)
    (folder / f"{plot.name}.svg").write_text(svg, encoding="utf-8")
    pdf = io.BytesIO()  # matplotlib says nothing useful of a disk that is full
    plot.figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
    (folder / f"{plot.name}.pdf").write_bytes(pdf.getvalue())
    if plot.data is not None:
        write_csv(plot.data, folder / f"{plot.name}.csv")
    return _inline(svg, plot)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    # Two decimals of a point are finer than any screen or printer; the digits beyond are half of the file.
    return _in_tags(r' d="[^"]*"', lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]), text)


def _in_tags(pattern: str, new: str | Callable[[re.Match[str]], str], svg: str) -> str:
    """``re.sub`` of an SVG's tags alone: what stands between them is text of the user's."""
    return _TAG.sub(lambda tag: re.sub(pattern, new, tag[0]), svg)


def _inline(svg: str, plot: Plot) -> Markup:
    """The SVG as part of the page: ids made unique, the page's colours and fonts, a text alternative."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = _in_tags(r'(\bid="|href="#|url\(#)', rf"\g<1>{plot.name}-", body)
    body = _in_tags("|".join(_THEME), lambda match: _THEME[match[0]], body)
    body = re.sub(r' (width|height)="[\d.]+pt"', "", body, count=2)
    width = plot.figure.get_figwidth()
    label = html.escape(plot.alternative)
    return Markup(body.replace("<svg", f'<svg role="img" aria-label="{label}" style="max-width: {width:g}in"', 1))


def _texts(table: Table) -> dict[str, str]:
    return {"csv": table.to_csv(), "md": table.to_markdown(), "tex": table.to_latex()}


@dataclass(frozen=True)
class _Link:
    """A file to download: its name, where it is, and what it is of."""

    file: str
    uri: str
    of: str


def _table_links(table: Table, folder: str) -> dict[str, _Link]:
    """Format -> the file itself: the page carries its tables along; or a link to one too large, beside the page."""
    links = {}
    for suffix, text in _texts(table).items():
        name, content = f"{table.name}.{suffix}", text.encode()
        small = len(content) <= TABLE_CARRIED_UP_TO
        uri = _data_uri(suffix, content) if small else f"{quote(folder)}/tables/{quote(name)}"
        links[_FORMATS[suffix][0]] = _Link(name, uri, table.title)
    return links


def _figure_links(plot: Plot, written: Path, files: str) -> dict[str, _Link]:
    """Format -> link to the file in the folder ``files`` beside the page, or the file itself where it is small."""
    links = {}
    for suffix in ("svg", "pdf", "csv"):
        path = written / "figures" / f"{plot.name}.{suffix}"
        if path.exists():
            small = path.stat().st_size <= CARRIED_UP_TO
            uri = _data_uri(suffix, path.read_bytes()) if small else f"{quote(files)}/figures/{quote(path.name)}"
            links[_FORMATS[suffix][0]] = _Link(path.name, uri, plot.name.replace("_", " "))
    return links


def _data_uri(suffix: str, content: bytes) -> str:
    return f"data:{_FORMATS[suffix][1]};base64,{base64.b64encode(content).decode()}"


def _template(folder: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["downloads"] = partial(_table_links, folder=folder)
    environment.filters["table"] = lambda table: Markup(table.to_html())
    environment.filters["drawn"] = Markup
    return environment.get_template("report.html.j2")


def _markdown(page: Page, tables: list[Table]) -> str:
    parts = [f"# {markdown(page.name)}", markdown(page.measure), "## Summary", _items(page.findings)]
    if page.cautions:
        parts += ["## What cannot be concluded", _items(page.cautions)]
    if page.left_out:
        parts.append(markdown(page.left_out))
    parts += ["## Tables", *(table.to_markdown().rstrip() for table in tables)]
    return "\n\n".join(parts) + "\n"


def _items(sentences: list[str]) -> str:
    return "\n".join(f"- {markdown(sentence)}" for sentence in sentences)
