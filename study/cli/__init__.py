"""``nas-study``: run studies, watch them, report on them.

Exit code 0: all well; 1: trials failed, diverged or are left; 2: nothing was run, because of the sentence printed;
3: the run was told to end early (a signal, a budget) and trials are left: the same command goes on with them.

Heavy packages are imported inside the commands, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.text import Text

from study.cli import catalogue, reporting, running
from trainables.errors import NasStudyError

app = typer.Typer(
    help="Seed and hyperparameter studies of differentiable neural architecture search.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
methods_app = typer.Typer(help="The search methods and their hyperparameters.", invoke_without_command=True)
benchmark_app = typer.Typer(help="The NAS-Bench-201 table: what is known of every cell.", no_args_is_help=True)

for command in (
    running.run, running.status, reporting.report, reporting.compare, reporting.sensitivity, running.compact,
):  # fmt: skip
    app.command()(command)
methods_app.callback()(catalogue.methods_list)
methods_app.command("show")(catalogue.methods_show)
benchmark_app.command("info")(catalogue.benchmark_info)
benchmark_app.command("import")(catalogue.benchmark_import)
benchmark_app.command("query")(catalogue.benchmark_query)
app.add_typer(methods_app, name="methods")
app.add_typer(benchmark_app, name="benchmark")


def main() -> None:
    """Entry point: a user's mistake is one sentence and exit code 2, never a traceback."""
    try:
        app()
    except NasStudyError as error:
        Console(stderr=True, soft_wrap=True).print("[bold red]error:[/]", Text(str(error)), highlight=False)
        sys.exit(2)
