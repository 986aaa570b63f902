"""``nas-study``: run studies, watch them, report on them.

Exit code 0: all well; 1: trials failed, diverged or are left; 2: nothing was run, because of the sentence printed;
3: the run was told to end early (a signal, a budget) and trials are left: the same command goes on with them.

Heavy packages are imported inside the commands, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as RichTable

from trainables.errors import ConfigError, NasStudyError

if TYPE_CHECKING:
    from analysis import Results
    from study.preparation import Prepared
    from trainables.benchmarks.table import Table

app = typer.Typer(
    help="Seed and hyperparameter studies of differentiable neural architecture search.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
methods_app = typer.Typer(help="The search methods and their hyperparameters.", invoke_without_command=True)
benchmark_app = typer.Typer(help="The NAS-Bench-201 table: what is known of every cell.", no_args_is_help=True)
app.add_typer(methods_app, name="methods")
app.add_typer(benchmark_app, name="benchmark")

StoreOption = Annotated[str, typer.Option(help="Where results go: a folder, or s3://bucket/prefix.")]
StoreArgument = Annotated[str, typer.Argument(help="A result store, or one study's folder in it.")]
StudyOption = Annotated[str | None, typer.Option(help="Which study, if the store holds several.")]
BenchmarkOption = Annotated[
    Path | None,
    typer.Option(envvar="NAS_STUDY_BENCHMARK", help="A benchmark file with test accuracies (see: benchmark import)."),
]
TableOption = Annotated[
    Path | None, typer.Option(help="Instead of a store: results from elsewhere, a tidy .parquet or .csv file.")
]
ValueOption = Annotated[list[str] | None, typer.Option(help="A column of --table with accuracies in percent.")]
ColumnOption = Annotated[
    str | None, typer.Option(help="The accuracy to look at, such as cifar10_test_accuracy; default: the headline.")
]


def main() -> None:
    """Entry point: a user's mistake is one sentence and exit code 2, never a traceback."""
    try:
        app()
    except NasStudyError as error:
        Console(stderr=True, soft_wrap=True).print("[bold red]error:[/]", str(error), markup=True, highlight=False)
        sys.exit(2)


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="A shipped study's name, or the path of a YAML file.")],
    store: StoreOption = "store",
    data: Annotated[Path | None, typer.Option(envvar="NAS_STUDY_DATA", help="Where the study's images lie.")] = None,
    benchmark: BenchmarkOption = None,
    seeds: Annotated[
        str | None, typer.Option(help="Instead of the study's: a number, or a list such as 0,1,7.")
    ] = None,
    methods: Annotated[str | None, typer.Option(help="Only these methods of the study, such as darts,gaea.")] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="Change a key: scale.epochs=5 (YAML).")] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; default: this machine.")] = None,
    retry_failed: Annotated[bool, typer.Option(help="Run failed and diverged trials again.")] = False,
    max_hours: Annotated[
        float | None, typer.Option(min=0.0, help="End after so long; what is under way is saved.")
    ] = None,
    max_trials: Annotated[int | None, typer.Option(min=1, help="Run so many trials and leave the others.")] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Also write curves of running trials here, for TensorBoard.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Show the trials, their cost and what is done; run nothing.")] = False,
) -> None:
    """Run a study, or go on with it: trials that are finished are never run again."""
    from study import environment, runner
    from study.config import load, parse
    from study.preparation import prepare
    from study.relooking import look_up_again
    from study.stopping import Budget

    console = Console()
    chosen = load(study, override)
    if seeds is not None:
        chosen = parse(chosen.model_dump(exclude_none=True) | {"seeds": _seeds(seeds)})
    if methods is not None:
        chosen = parse(chosen.model_dump(exclude_none=True) | {"methods": _selected(chosen.methods, methods)})
    prepared = prepare(chosen, store, data=data, benchmark=benchmark, address=address)
    if dry_run:
        _print_plan(console, prepared)
        return
    prepared.store.prepare()
    table = prepared.surroundings.table()
    environment.save(
        prepared.store, chosen, environment.environment(prepared.fingerprints, table.fingerprint, table.sources)
    )
    if (news := look_up_again(prepared.store, table)) is not None:
        console.print(news)
    if retry_failed:
        rows = prepared.store.finished()
        prepared.store.remove(i for i, row in rows.items() if row["status"] in ("failed", "diverged"))
    outcome = runner.run(
        chosen, prepared.plan, prepared.store, prepared.surroundings, address=address, console=console,
        budget=Budget(max_hours, max_trials), callbacks=_logs(tensorboard, chosen.name),
    )  # fmt: skip
    if outcome.exit_code == 3:
        console.print(
            f"[yellow]ended early[/] ({outcome.ended_early}): {outcome.left} trials are left, {outcome.begun} of them "
            "saved at the epoch they had reached; the same command goes on with them",
            soft_wrap=True,
        )
    else:
        _conclude(console, prepared.store.path, outcome, table)
    raise typer.Exit(outcome.exit_code)


@app.command()
def status(
    store: StoreArgument = "store",
    study: StudyOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 5.0,
) -> None:
    """What is done, running, failed and left, and how long it will take: read from the store, from any host."""
    from study import watching
    from study.standing import Observer, studies

    observers = [Observer(found) for found in studies(store, study)]
    if watch:
        watching.watch(observers, Console(), every)
    else:
        Console().print(watching.tables(observers))


@app.command()
def report(
    store: StoreArgument = "store",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file to write.")] = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    benchmark: BenchmarkOption = None,
    collapse_skips: Annotated[int, typer.Option(help="Skip connections from which a cell has collapsed.")] = 4,
    collapse_below: Annotated[
        float | None, typer.Option(help="Instead: the accuracy (%) below which a search has collapsed.")
    ] = None,
    margin: Annotated[float, typer.Option(help="Points that matter: seeds are planned for them.")] = 0.5,
) -> None:
    """Write the report: one self-contained page, and its tables and figures beside it."""
    from analysis.collapse import Collapse
    from analysis.report import write_report
    from analysis.sections import Options
    from trainables.benchmarks.table import open_table

    options = Options(Collapse(collapse_skips, collapse_below), margin, open_table(benchmark))
    results, beside = _results(store, study, table, value, "report")
    Console(soft_wrap=True).print(f"report: {write_report(results, output or beside, options)}")


@app.command()
def compare(
    store: StoreArgument = "store",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file to write.")] = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    column: ColumnOption = None,
    margin: Annotated[float, typer.Option(help="Points below which a difference does not matter.")] = 0.5,
    against: Annotated[str | None, typer.Option(help="Compare every method with this one only.")] = None,
) -> None:
    """Write the comparison report: which method is better, by how much, and what the seeds cannot decide."""
    from analysis.comparison_report import write_comparison

    results, beside = _results(store, study, table, value, "comparison")
    written = write_comparison(results, output or beside, column=column, margin=margin, against=against)
    Console(soft_wrap=True).print(f"comparison: {written}")


@app.command()
def sensitivity(
    store: StoreArgument = "store",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file to write.")] = None,
    study: StudyOption = None,
    table: TableOption = None,
    value: ValueOption = None,
    column: ColumnOption = None,
    method: Annotated[str | None, typer.Option(help="Only this method.")] = None,
    default: Annotated[str | None, typer.Option(help="Instead of the declared default: lr=0.1,depth=2.")] = None,
) -> None:
    """Write the sensitivity report: what hyperparameters do to a method, and what tuning them is worth."""
    from analysis.sensitivity_report import write_sensitivity

    results, beside = _results(store, study, table, value, "sensitivity")
    reference = None if default is None else _setting(default)
    written = write_sensitivity(results, output or beside, method=method, column=column, default=reference)
    Console(soft_wrap=True).print(f"sensitivity: {written}")


@app.command()
def compact(store: StoreArgument = "store", study: StudyOption = None) -> None:
    """Merge the many small files of finished trials; what is read stays the same."""
    from study.standing import studies

    for found in studies(store, study):
        found.compact()
        Console(soft_wrap=True).print(f"{found.path}: {len(found.finished())} trials")


@methods_app.callback()
def methods_list(context: typer.Context) -> None:
    """List the search methods; ``methods show NAME`` prints one in full."""
    if context.invoked_subcommand is not None:
        return
    from trainables.methods import METHODS

    shown = RichTable("method", "searches on", "paper")
    for name, method in METHODS.items():
        needs = method.needs(method.Config())
        shown.add_row(name, {"images": "images", "table": "the table", "nothing": "nothing"}[needs], method.paper)
    Console().print(shown)


@methods_app.command("show")
def methods_show(name: Annotated[str, typer.Argument(help="A method's name.")]) -> None:
    """A method's specification, and its hyperparameters with defaults, ranges and sources."""
    from trainables.hyperparameters import Range, choices_of, search_space, source_of
    from trainables.methods import method_named

    method = method_named(name)
    console = Console()
    console.print(sys.modules[method.__module__].__doc__, markup=False, highlight=False)
    shown = RichTable("hyperparameter", "default", "range or choices", "meaning", "source of the default")
    for key, field in method.Config.model_fields.items():
        values = choices_of(field) or search_space(method.Config, name, key)
        listed = str(values) if isinstance(values, Range) else ", ".join(str(value) for value in values)
        shown.add_row(key, str(field.default), listed, field.description or "", source_of(field))
    console.print(shown)


@benchmark_app.command("info")
def benchmark_info(benchmark: BenchmarkOption = None) -> None:
    """Which accuracies are known, where they come from, and the best cell of each data set and split."""
    from trainables.benchmarks.table import DATASETS, SPLITS, open_table

    table, console = open_table(benchmark), Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]table {table.fingerprint}[/]")
    for dataset in DATASETS:
        for split in SPLITS:
            if not table.has(dataset, split):
                console.print(f"{dataset} {split}: unknown; give a file that has it with --benchmark PATH")
                continue
            cell, accuracy = table.oracle(dataset, split)
            console.print(f"{dataset} {split}: best {accuracy:.3f} % {cell}")
            console.print(f"    {table.sources[f'{dataset}_{split}']}", markup=False)
        known = table.sources.get(f"{dataset}_valid_12ep", "unknown")
        console.print(f"{dataset} valid after 12 epochs: {known}", markup=False)


@benchmark_app.command("import")
def benchmark_import(
    path: Annotated[Path, typer.Argument(help="An official .pth, a NATS-Bench file or folder, a Parquet or CSV file.")],
    trust: Annotated[
        bool, typer.Option(help="Load a file whose digest cannot be checked: loading runs its code.")
    ] = False,
) -> None:
    """Convert a benchmark file once; from then on --benchmark PATH opens in milliseconds."""
    from trainables.benchmarks.importers import import_table
    from trainables.benchmarks.table import open_table

    converted = import_table(path, trust)
    console = Console(soft_wrap=True)
    console.print(f"converted to {converted}", highlight=False)
    for name, source in open_table(path).sources.items():
        console.print(f"  {name}: {source}", highlight=False)


@benchmark_app.command("query")
def benchmark_query(
    architecture: Annotated[str, typer.Argument(help="'|op~0|+|op~0|op~1|+|op~0|op~1|op~2|'")],
    benchmark: BenchmarkOption = None,
) -> None:
    """Everything known of one cell: per training seed, mean and regret, validation and test apart."""
    import numpy as np

    from trainables.benchmarks.table import DATASETS, SPLITS, TRAINING_SEEDS, open_table
    from trainables.spaces.nas_bench_201.genotype import Genotype

    table, cell = open_table(benchmark), Genotype.from_string(architecture)
    index = np.array([cell.index])
    shown = RichTable(
        "data set", "split", *(f"seed {seed}" for seed in TRAINING_SEEDS), "mean %", "regret", title=str(cell)
    )
    for dataset in DATASETS:
        for split in SPLITS:
            numbers = [*table.per_seed(dataset, split, index)[0], table.accuracy(dataset, split, index)[0]]
            regret = table.regret(dataset, split, index)[0] if table.has(dataset, split) else np.nan
            shown.add_row(dataset, split, *("—" if np.isnan(v) else f"{v:.3f}" for v in [*numbers, regret]))
    Console().print(shown)


def _logs(folder: Path | None, study: str) -> list[Any]:
    if folder is None:
        return []
    from study.tensorboard import TensorBoardLogs

    return [TensorBoardLogs(folder / study)]


def _seeds(text: str) -> Any:
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise ConfigError(f"--seeds must be a number of seeds or a list such as 0,1,7, but got {text!r}")
    return int(text) if len(parts) == 1 else [int(part) for part in parts]


def _selected(methods: dict[str, Any], text: str) -> dict[str, Any]:
    from trainables.errors import choose

    for name in text.split(","):
        if name not in methods:
            raise ConfigError(f"--methods selects from the study: {choose('method', name, methods)}")
    return {name: axes for name, axes in methods.items() if name in text.split(",")}


def _results(
    store: str, study: str | None, table: Path | None, value: list[str] | None, kind: str
) -> tuple[Results, Path]:
    """The results of a store, or of a table from elsewhere, and where a page about them goes."""
    import analysis

    if value and table is None:
        raise ConfigError("--value names columns of a table of results, but no table is given; add --table FILE")
    if table is not None:
        return analysis.load_table(table, value or []), table.with_name(f"{table.stem}-{kind}.html")
    results = analysis.load(store, study)
    return results, _report_path(store, results.name).with_name(f"{kind}.html")


def _setting(text: str) -> dict[str, Any]:
    """``lr=0.1,order=second`` -> values by name; numbers are read as numbers."""
    import yaml

    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name and sign for name, sign, _ in pairs):
        raise ConfigError(f"--default must be a list such as lr=0.1,depth=2, but got {text!r}")
    return {name.strip(): yaml.safe_load(value) for name, _, value in pairs}


def _print_plan(console: Console, prepared: Prepared) -> None:
    """Trials by method and hyperparameters: how many, how many are done, what the rest costs."""
    from study.costs import costs

    shown = RichTable(title=f"study {prepared.study.name} in {prepared.store.path}")
    for heading in ("method", "hyperparameters", "trials", "done", "estimate a trial", "estimate of the rest"):
        shown.add_column(heading, justify="left" if heading in ("method", "hyperparameters") else "right")
    lines = costs(prepared)
    for line in lines:
        shown.add_row(
            line.method, line.config or "defaults", str(line.trials), str(line.done), f"{line.trial_s:.1f} s",
            f"{line.rest_s / 60:.1f} min",
        )  # fmt: skip
    console.print(shown)
    rest = sum(line.rest_s for line in lines)
    console.print(f"left: {sum(line.trials - line.done for line in lines)} trials, {rest / 3600:.2f} hours on one slot")


def _conclude(console: Console, path: str, outcome: Any, table: Table) -> None:
    """The table a run ends with, and where the report is."""
    import analysis
    from analysis.report import write_report
    from analysis.robustness import final_table
    from analysis.sections import Options

    results = analysis.load(path)
    if len(results.trials):
        frame = final_table(results.trials)
        shown = RichTable(title=f"{results.name}: {frame.attrs['title']}")
        for heading in ("method", "n", "ok", "failed", "diverged", "mean ± std", "worst", "regret"):
            shown.add_column(heading, justify="left" if heading == "method" else "right")
        for row in frame.itertuples():
            counts = (str(row.n), str(row.ok), str(row.failed), str(row.diverged))
            shown.add_row(
                row.variant, *counts, f"{row.mean:.2f} ± {row.std:.2f}", f"{row.worst:.2f}", f"{row.regret:.2f}"
            )
        console.print(shown)
        report_file = write_report(results, _report_path(path, results.name), Options(table=table))
        console.print(f"report: {report_file}", soft_wrap=True, highlight=False)
    if outcome.left:
        console.print(f"[yellow]{outcome.left} trials are left[/]; the same command goes on with them")


def _report_path(store: str, study: str) -> Path:
    """Beside the results, or in the working folder if they are not on a disk."""
    if "://" in store:
        return Path(f"{study}-report") / "report.html"
    folder = Path(store) if (Path(store) / "study.yaml").exists() else Path(store) / study
    return folder / "report" / "report.html"


if __name__ == "__main__":
    main()
