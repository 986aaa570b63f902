"""Commands about what results say: the three reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.cli.options import (
    AlphaOption,
    BenchmarkOption,
    ColumnOption,
    DirectionOption,
    OutputOption,
    PairedOption,
    StoreArgument,
    StudyOption,
    TableOption,
    ValueOption,
)
from study.cli.printing import console
from trainables.errors import ConfigError, shown
from trainables.reading import Unreadable, from_yaml

if TYPE_CHECKING:
    from analysis import Results


def report(
    store: StoreArgument = "store",
    output: OutputOption = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    lower_is_better: DirectionOption = None,
    paired: PairedOption = None,
    benchmark: BenchmarkOption = None,
    collapse_skips: Annotated[
        int | None,
        typer.Option(help="Skip connections from which a cell has collapsed; else the space's own (NAS-Bench-201: 4)."),
    ] = None,
    collapse_below: Annotated[
        float | None, typer.Option(help="Instead: the accuracy (%) below which a search has collapsed.")
    ] = None,
    margin: Annotated[float, typer.Option(help="Points that matter: seeds are planned for them.")] = 0.5,
    alpha: AlphaOption = 0.05,
    target: Annotated[
        list[float] | None,
        typer.Option(help="A value: how long do runs take to reach it? Several: --target 93 --target 94."),
    ] = None,
) -> None:
    """Write the report: one self-contained page, and its tables and figures beside it."""
    from analysis.robustness.collapse import Collapse
    from analysis.robustness.report import write_report
    from analysis.robustness.sections import Options
    from trainables.benchmarks.table import open_table

    rule = Collapse(collapse_skips, collapse_below)
    options = Options(rule, margin, open_table(benchmark), target or (), alpha)
    results, beside = _results(store, study, table, value, lower_is_better, paired, "report")
    console(soft_wrap=True).print(f"report: {write_report(results, output or beside, options)}")


def compare(
    store: StoreArgument = "store",
    output: OutputOption = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    lower_is_better: DirectionOption = None,
    paired: PairedOption = None,
    column: ColumnOption = None,
    margin: Annotated[float, typer.Option(help="Points below which a difference does not matter.")] = 0.5,
    alpha: AlphaOption = 0.05,
    against: Annotated[str | None, typer.Option(help="Compare every method with this one only.")] = None,
    pairs: Annotated[
        list[str] | None, typer.Option(help="Compare these pairs only: A:B,C:D, in names as the report shows them.")
    ] = None,
    baseline_of: Annotated[
        list[str] | None,
        typer.Option(help="Compare each method with its own baseline only, METHOD:BASELINE,...; also in %."),
    ] = None,
) -> None:
    """Write the comparison report: which method is better, by how much, and what the seeds cannot decide."""
    from analysis.comparison.declared import Wanted
    from analysis.comparison.report import write_comparison

    wanted = Wanted(against, pairs or (), baseline_of or ())
    results, beside = _results(store, study, table, value, lower_is_better, paired, "comparison")
    written = write_comparison(results, output or beside, column=column, margin=margin, alpha=alpha, wanted=wanted)
    console(soft_wrap=True).print(f"comparison: {written}")


def sensitivity(
    store: StoreArgument = "store",
    output: OutputOption = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    lower_is_better: DirectionOption = None,
    paired: PairedOption = None,
    column: ColumnOption = None,
    alpha: AlphaOption = 0.05,
    method: Annotated[str | None, typer.Option(help="Only this method.")] = None,
    default: Annotated[str | None, typer.Option(help="Instead of the declared default: lr=0.1,depth=2.")] = None,
) -> None:
    """Write the sensitivity report: what hyperparameters do to a method, and what tuning them is worth."""
    from analysis.sensitivity.report import write_sensitivity

    results, beside = _results(store, study, table, value, lower_is_better, paired, "sensitivity")
    reference = None if default is None else _setting(default)
    written = write_sensitivity(results, output or beside, method=method, column=column, alpha=alpha, default=reference)
    console(soft_wrap=True).print(f"sensitivity: {written}")


def _results(
    store: str,
    study: str | None,
    table: Path | None,
    value: list[str] | None,
    lower: bool | None,
    paired: bool | None,
    kind: str,
) -> tuple[Results, Path]:
    """The results of a store, or of a table from elsewhere, and where a page about them goes."""
    import analysis

    if value and table is None:
        raise ConfigError("--value names columns of a table of results, but no table is given; add --table FILE")
    if lower is not None and table is None:
        raise ConfigError(
            "--lower-is-better and --higher-is-better are of the values of a table, but no table is given; a study of "
            "this program knows which way its accuracies and regrets are better, so leave it out"
        )
    if table is not None:
        results = analysis.load_table(table, value or [], lower_is_better=lower, paired=paired is True)
        return results, table.with_name(f"{table.stem}-{kind}.html")
    results = analysis.load(store, study, paired=paired is not False)
    return results, report_path(store, results.name).with_name(f"{kind}.html")


def _setting(text: str) -> dict[str, Any]:
    """``lr=0.1,order=second`` -> values by name; numbers are read as numbers."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name and sign for name, sign, _ in pairs):
        raise ConfigError(f"--default must be a list such as lr=0.1,depth=2, but got {shown(text)}")
    names = [name.strip() for name, _, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(
            f"--default gives each hyperparameter one value, but {twice[0]} has two in {shown(text)}; drop one"
        )
    try:
        return {name: _value(from_yaml(value)) for name, (_, _, value) in zip(names, pairs, strict=True)}
    except Unreadable as error:
        raise ConfigError(f"--default must be a list such as lr=0.1,depth=2, but {shown(text)}: {error}") from None


def _value(value: Any) -> Any:
    """``1e-3`` is text to YAML, and a number to everybody else."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def report_path(store: str, study: str) -> Path:
    """Beside the results, or in the working folder if they are not on a disk."""
    if "://" in store:
        return Path(f"{study}-report") / "report.html"
    place = Path(store).expanduser()
    folder = place if (place / "study.yaml").exists() else place / study
    return folder / "report" / "report.html"
