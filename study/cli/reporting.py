"""Commands about what results say: the three reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from study.cli.options import (
    BenchmarkOption,
    ColumnOption,
    OutputOption,
    PairedOption,
    StoreArgument,
    StudyOption,
    TableOption,
    ValueOption,
)
from trainables.errors import ConfigError

if TYPE_CHECKING:
    from analysis import Results


def report(
    store: StoreArgument = "store",
    output: OutputOption = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    paired: PairedOption = None,
    benchmark: BenchmarkOption = None,
    collapse_skips: Annotated[int, typer.Option(help="Skip connections from which a cell has collapsed.")] = 4,
    collapse_below: Annotated[
        float | None, typer.Option(help="Instead: the accuracy (%) below which a search has collapsed.")
    ] = None,
    margin: Annotated[float, typer.Option(help="Points that matter: seeds are planned for them.")] = 0.5,
) -> None:
    """Write the report: one self-contained page, and its tables and figures beside it."""
    from analysis.robustness.collapse import Collapse
    from analysis.robustness.report import write_report
    from analysis.robustness.sections import Options
    from trainables.benchmarks.table import open_table

    options = Options(Collapse(collapse_skips, collapse_below), margin, open_table(benchmark))
    results, beside = _results(store, study, table, value, paired, "report")
    Console(soft_wrap=True).print(f"report: {write_report(results, output or beside, options)}")


def compare(
    store: StoreArgument = "store",
    output: OutputOption = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    paired: PairedOption = None,
    column: ColumnOption = None,
    margin: Annotated[float, typer.Option(help="Points below which a difference does not matter.")] = 0.5,
    against: Annotated[str | None, typer.Option(help="Compare every method with this one only.")] = None,
) -> None:
    """Write the comparison report: which method is better, by how much, and what the seeds cannot decide."""
    from analysis.comparison.report import write_comparison

    results, beside = _results(store, study, table, value, paired, "comparison")
    written = write_comparison(results, output or beside, column=column, margin=margin, against=against)
    Console(soft_wrap=True).print(f"comparison: {written}")


def sensitivity(
    store: StoreArgument = "store",
    output: OutputOption = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    paired: PairedOption = None,
    column: ColumnOption = None,
    method: Annotated[str | None, typer.Option(help="Only this method.")] = None,
    default: Annotated[str | None, typer.Option(help="Instead of the declared default: lr=0.1,depth=2.")] = None,
) -> None:
    """Write the sensitivity report: what hyperparameters do to a method, and what tuning them is worth."""
    from analysis.sensitivity.report import write_sensitivity

    results, beside = _results(store, study, table, value, paired, "sensitivity")
    reference = None if default is None else _setting(default)
    written = write_sensitivity(results, output or beside, method=method, column=column, default=reference)
    Console(soft_wrap=True).print(f"sensitivity: {written}")


def _results(
    store: str, study: str | None, table: Path | None, value: list[str] | None, paired: bool | None, kind: str
) -> tuple[Results, Path]:
    """The results of a store, or of a table from elsewhere, and where a page about them goes."""
    import analysis

    if value and table is None:
        raise ConfigError("--value names columns of a table of results, but no table is given; add --table FILE")
    if table is not None:
        return analysis.load_table(table, value or [], paired=paired is True), table.with_name(
            f"{table.stem}-{kind}.html"
        )
    results = analysis.load(store, study, paired=paired is not False)
    return results, report_path(store, results.name).with_name(f"{kind}.html")


def _setting(text: str) -> dict[str, Any]:
    """``lr=0.1,order=second`` -> values by name; numbers are read as numbers."""
    import yaml

    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name and sign for name, sign, _ in pairs):
        raise ConfigError(f"--default must be a list such as lr=0.1,depth=2, but got {text!r}")
    return {name.strip(): yaml.safe_load(value) for name, _, value in pairs}


def report_path(store: str, study: str) -> Path:
    """Beside the results, or in the working folder if they are not on a disk."""
    if "://" in store:
        return Path(f"{study}-report") / "report.html"
    folder = Path(store) if (Path(store) / "study.yaml").exists() else Path(store) / study
    return folder / "report" / "report.html"
