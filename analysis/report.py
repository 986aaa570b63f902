"""One self-contained HTML page about a study, and beside it the same tables and figures as files.

The page makes no request, holds no date of its own and is the same bytes for the same records.
"""

from __future__ import annotations

import base64
import html
import io
import re
from pathlib import Path

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis import plots
from analysis.findings import cautions, findings
from analysis.pool import Results
from analysis.robustness import accounting
from analysis.sections import Plot, Section, build
from analysis.study_tables import glance
from analysis.tables import Table
from trainables.errors import ConfigError

_THEME = {plots.INK: "var(--ink)", plots.MUTED: "var(--muted)", plots.GRID: "var(--line)"}
_FORMATS = {"csv": "text/csv", "md": "text/markdown", "tex": "text/x-tex"}


def write_report(results: Results, output: Path) -> Path:
    """Write ``output`` (HTML), a Markdown twin, and ``<stem>_files/`` with tables/ and figures/. Returns ``output``.

    Tables are CSV, Markdown and LaTeX, figures SVG and PDF; those of an earlier report at the same place are replaced.
    Raises ConfigError where ``output`` is a folder or does not end in .html.
    """
    output = Path(output)
    if output.suffix not in (".html", ".htm") or output.is_dir():
        raise ConfigError(f"a report is a file that ends in .html, but got {output}; name one, as in -o report.html")
    files = output.with_name(f"{output.stem}_files")
    with plots.style():
        sections = list(build(results))
        svgs = {plot.name: _write_figure(plot, files / "figures") for plot in _fresh(sections, files)}
    summary = glance(results.trials)
    tables = [summary, *(table for section in sections for table in section.tables)]
    for table in tables:
        for suffix, text in _texts(table).items():
            (files / "tables" / f"{table.name}.{suffix}").write_text(text, encoding="utf-8")
    results.trials.to_csv(files / "tables" / "all_trials.csv", index=False, lineterminator="\n")
    said, warned = findings(results.name, results.trials), cautions(results.trials)
    counts = accounting(results.trials)
    page = _template().render(
        name=results.name,
        question=results.study.get("question") or results.study.get("description"),
        tally={
            "variants": len(counts),
            "trials": counts["n"].sum(),
            "ended ok": counts["ok"].sum(),
            "diverged": counts["diverged"].sum(),
            "failed": counts["failed"].sum(),
        },
        findings=said,
        cautions=warned,
        glance=summary,
        sections=sections,
        svgs=svgs,
        css=Markup((Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")),
        files=files.name,
    )
    output.write_text(page, encoding="utf-8")
    markdown = _markdown(results.name, said, warned, tables)
    output.with_suffix(".md").write_text(markdown, encoding="utf-8")
    return output


def _fresh(sections: list[Section], files: Path) -> list[Plot]:
    """All plots, after the folders are made and a former report's files removed."""
    for folder, suffixes in (("tables", ("csv", "md", "tex")), ("figures", ("svg", "pdf"))):
        (files / folder).mkdir(parents=True, exist_ok=True)
        for suffix in suffixes:
            for old in (files / folder).glob(f"*.{suffix}"):
                old.unlink()
    return [plot for section in sections for plot in section.plots]


def _write_figure(plot: Plot, folder: Path) -> Markup:
    """Save the figure as SVG and PDF; returns it as SVG for the page."""
    plot.figure.draw_without_rendering()
    plot.figure.set_layout_engine("none")  # the layout is settled; saving twice need not solve it twice
    svg = _svg(plot.figure)
    (folder / f"{plot.name}.svg").write_text(svg, encoding="utf-8")
    plot.figure.savefig(folder / f"{plot.name}.pdf", metadata={"CreationDate": None})
    return _inline(svg, plot)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    # Two decimals of a point are finer than any screen or printer; the digits beyond are half of the file.
    return re.sub(r' d="[^"]*"', lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]), text)


def _inline(svg: str, plot: Plot) -> Markup:
    """The SVG as part of the page: ids made unique, the page's colours and fonts, a text alternative."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{plot.name}-", body)
    for colour, variable in _THEME.items():
        body = body.replace(colour, variable)
    match = re.search(r'viewBox="0 0 ([\d.]+) ', body)
    assert match is not None
    label = html.escape(plot.alternative)
    width = float(match[1]) / 72
    return Markup(
        re.sub(
            r'^<svg [^>]*?width="[^"]*"[^>]*?height="[^"]*"|^<svg ',
            "<svg ",
            body,
            count=1,
        ).replace("<svg ", f'<svg role="img" aria-label="{label}" style="max-width: {width:.2f}in" ', 1)
    )


def _texts(table: Table) -> dict[str, str]:
    return {"csv": table.to_csv(), "md": table.to_markdown(), "tex": table.to_latex()}


def _downloads(table: Table) -> dict[str, str]:
    """Suffix -> data URI: the page carries its tables along."""
    return {
        suffix: f"data:{_FORMATS[suffix]};base64,{base64.b64encode(text.encode()).decode()}"
        for suffix, text in _texts(table).items()
    }


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["downloads"] = _downloads
    environment.filters["table"] = lambda table: Markup(table.to_html())
    environment.filters["drawn"] = Markup
    return environment.get_template("report.html.j2")


def _markdown(name: str, said: list[str], warned: list[str], tables: list[Table]) -> str:
    parts = [f"# {name}", "## Summary", *(f"- {html.escape(sentence, quote=False)}" for sentence in said)]
    if warned:
        parts += ["## What cannot be concluded", *(f"- {html.escape(sentence, quote=False)}" for sentence in warned)]
    parts += ["## Tables", *(table.to_markdown() for table in tables)]
    return "\n\n".join(parts).rstrip() + "\n"
