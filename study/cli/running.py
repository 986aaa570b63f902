"""Commands about running: a study, how far it is, and its files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from study.cli.options import BenchmarkOption, StoreArgument, StoreOption, StudyOption, number
from study.cli.printing import console
from study.cli.reporting import report_path
from trainables.errors import ConfigError, choose, shown

if TYPE_CHECKING:
    from study.config import Study
    from study.preparation import Prepared
    from study.running.runner import Outcome
    from trainables.benchmarks.table import BenchmarkTable


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
        float | None,
        typer.Option(min=0.0, max=1e6, callback=number, help="End after so long; what is under way is saved."),
    ] = None,
    max_trials: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Run so many trials and leave the others.")
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Also write curves of running trials here, for TensorBoard.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Show the trials, their cost and what is done; run nothing.")] = False,
) -> None:
    """Run a study, or go on with it: trials that are finished are never run again."""
    from study.preparation import prepare
    from study.running import runner
    from study.running.stopping import Budget

    out = console()
    chosen = _chosen(study, override, seeds, methods)
    prepared = prepare(chosen, store, data=data, benchmark=benchmark, address=address)
    for phrase in prepared.unread or ():
        console(soft_wrap=True).print(f"images: {phrase}")
    if dry_run:
        _print_plan(out, prepared)
        return
    table = _opened(out, prepared, retry_failed)
    outcome = runner.run(
        chosen, prepared.plan, prepared.store, prepared.surroundings, address=address, console=out,
        budget=Budget(max_hours, max_trials), callbacks=_logs(tensorboard, chosen.name),
    )  # fmt: skip
    if outcome.exit_code == 3:
        _interrupted(out, outcome)
    else:
        _conclude(out, prepared.store.path, outcome, table)
    raise typer.Exit(outcome.exit_code)


def status(
    store: StoreArgument = "store",
    study: StudyOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, max=1e6, callback=number, help="Seconds between two looks.")] = 5.0,
) -> None:
    """What is done, running, failed and left, and how long it will take: read from the store, from any host."""
    from study.status import watching
    from study.status.standing import Observer
    from study.store.finding import studies

    observers = [Observer(found) for found in studies(store, study)]
    if watch:
        watching.watch(observers, console(), every)
    else:
        console().print(watching.tables(observers))


def compact(store: StoreArgument = "store", study: StudyOption = None) -> None:
    """Merge the many small files of finished trials; what is read stays the same."""
    from study.store.finding import studies

    for found in studies(store, study):
        found.compact()
        console(soft_wrap=True).print(f"{found.path}: {len(found.finished())} trials")


def _chosen(study: str, override: list[str] | None, seeds: str | None, methods: str | None) -> Study:
    """The study that the options ask for."""
    from study.loading import load, parse

    chosen = load(study, override)
    if seeds is not None:
        chosen = parse(chosen.model_dump(exclude_none=True) | {"seeds": _seeds(seeds)})
    if methods is not None:
        chosen = parse(chosen.model_dump(exclude_none=True) | {"methods": _selected(chosen.methods, methods)})
    return chosen


def _opened(out: Console, prepared: Prepared, retry_failed: bool) -> BenchmarkTable:
    """Make the store ready: what is run is written down, and what lacks an accuracy or failed is looked after."""
    from study import environment
    from study.store.relooking import look_up_again

    prepared.store.prepare()
    table = prepared.surroundings.table()
    found = environment.environment(prepared.fingerprints, table.fingerprint, table.sources, prepared.unread)
    environment.save(prepared.store, prepared.study, found)
    if (news := look_up_again(prepared.store, table)) is not None:
        out.print(news)
    if retry_failed:
        rows = prepared.store.finished()
        prepared.store.remove(i for i, row in rows.items() if row["status"] in ("failed", "diverged"))
    return table


def _logs(folder: Path | None, study: str) -> list[Any]:
    if folder is None:
        return []
    from study.running.loggers import TensorBoardLogs

    place = folder.expanduser() / study
    place.mkdir(parents=True, exist_ok=True)
    return [TensorBoardLogs(place)]


def _seeds(text: str) -> Any:
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,19}", part) for part in parts):
        raise ConfigError(f"--seeds must be a number of seeds or a list such as 0,1,7, but got {shown(text)}")
    return int(text) if len(parts) == 1 else [int(part) for part in parts]


def _selected(methods: dict[str, Any], text: str) -> dict[str, Any]:
    for name in text.split(","):
        if name not in methods:
            raise ConfigError(f"--methods selects from the study: {choose('method', name, methods)}")
    return {name: axes for name, axes in methods.items() if name in text.split(",")}


def _print_plan(out: Console, prepared: Prepared) -> None:
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
    out.print(shown)
    rest = sum(line.rest_s for line in lines)
    out.print(f"left: {sum(line.trials - line.done for line in lines)} trials, {rest / 3600:.2f} hours on one slot")


def _interrupted(out: Console, outcome: Outcome) -> None:
    out.print(
        Text("ended early", "yellow"),
        f"({outcome.ended_early}): {outcome.left} trials are left, {outcome.begun} of them saved at the epoch they "
        "had reached; the same command goes on with them",
        soft_wrap=True,
    )


def _conclude(out: Console, path: str, outcome: Outcome, table: BenchmarkTable) -> None:
    """The table a run ends with, and where the report is."""
    import analysis
    from analysis.pages.words import mean_std, number
    from analysis.robustness.report import write_report
    from analysis.robustness.sections import Options
    from analysis.robustness.summary import final_table

    results = analysis.load(path)
    if len(results.trials):
        frame = final_table(results.trials)
        shown = RichTable(title=f"{results.name}: {frame.attrs['title']}")
        for heading in ("method", "n", "ok", "failed", "diverged", "mean ± std", "worst", "regret"):
            shown.add_column(heading, justify="left" if heading == "method" else "right")
        for row in frame.itertuples():
            counts = (str(row.n), str(row.ok), str(row.failed), str(row.diverged))
            shown.add_row(row.variant, *counts, mean_std(row.mean, row.std), number(row.worst), number(row.regret))
        out.print(shown)
        report_file = write_report(results, report_path(path, results.name), Options(table=table))
        out.print(f"report: {report_file}", soft_wrap=True)
    if outcome.left:
        out.print(Text(f"{outcome.left} trials are left", "yellow"), "; the same command goes on with them", sep="")
