"""The command about architectures: whether one column orders them as another does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as RichTable

from study.cli.options import AlphaOption, OutputOption, StudyOption
from study.cli.printing import console
from trainables.errors import ConfigError

_Columns = Annotated[list[str], typer.Option("--x", help="A column that predicts; several: --x a --x b.")]


def correlate(
    source: Annotated[str, typer.Argument(help="A .csv or .parquet table of architectures, or a result store.")],
    x: _Columns,
    y: Annotated[str, typer.Option("--y", help="The column that is the truth.")],
    by: Annotated[str | None, typer.Option(help="A column of groups, such as dataset: each on its own.")] = None,
    architecture: Annotated[
        str | None, typer.Option(help="A column that names architectures: rows of one are averaged.")
    ] = None,
    lower_is_better: Annotated[
        list[str] | None, typer.Option(help="A column of the table of which less is better.")
    ] = None,
    higher_is_better: Annotated[
        list[str] | None, typer.Option(help="A column named after a loss or a cost of which more is better.")
    ] = None,
    study: StudyOption = None,
    alpha: AlphaOption = 0.05,
    output: OutputOption = None,
) -> None:
    """Rank correlation of columns over architectures: supernet or proxy against truth, with intervals."""
    from analysis.correlation import correlate as numbers
    from analysis.correlation.report import cautions, write_correlation
    from analysis.correlation.tables import correlations
    from analysis.results import architectures
    from analysis.results.table_file import is_table

    columns, lower, higher = [*x, y], lower_is_better or [], higher_is_better or []
    if is_table(Path(source)):
        if study is not None:
            raise ConfigError(f"--study names one of a store's, but {source} is a table; leave it out")
        of = architectures.from_table(
            Path(source), columns, by=by, architecture=architecture, lower=lower, higher=higher
        )
    elif architecture or lower or higher:
        raise ConfigError(
            "--architecture, --lower-is-better and --higher-is-better are of a .csv or .parquet table, but "
            f"{source} is none; a study of this program knows them, so leave them out"
        )
    else:
        of = architectures.from_study(source, study, columns, by=by)
    found = numbers.correlate(of, x, y, alpha)
    written = None if output is None else write_correlation(of, found, output)
    table, out = correlations(of, found), console(soft_wrap=True)
    shown = RichTable(title=table.title)
    for heading in table.shown.columns:
        shown.add_column(heading, justify="left" if heading in ("x", "group") else "right", overflow="fold")
    for row in table.shown.itertuples(index=False):
        shown.add_row(*row)
    console().print(shown)
    for sentence in (table.caption, *cautions(of, found)):
        out.print(sentence)
    if written is not None:
        out.print(f"correlation: {written}")
