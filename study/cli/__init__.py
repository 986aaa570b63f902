"""``nas-study``: run studies, watch them, report on them.

Exit code 0: all well; 1: trials failed, diverged or are left; 2: nothing more was done, for the reason printed;
3: the run was told to end early (a signal, a budget) and trials are left: the same command goes on with them.

Heavy packages are imported inside the commands, so that help and mistakes are answered at once.
"""

from __future__ import annotations

import sys

import typer

from study.cli import catalogue, correlating, printing, reporting, running
from study.store.waiting import telling
from trainables.errors import NasStudyError

app = typer.Typer(
    help="Seed and hyperparameter studies of differentiable neural architecture search.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
methods_app = typer.Typer(help="The search methods and their hyperparameters.", invoke_without_command=True)
spaces_app = typer.Typer(help="The search spaces, and how large their networks are.", invoke_without_command=True)
benchmark_app = typer.Typer(help="The NAS-Bench-201 table: what is known of every cell.", no_args_is_help=True)

for command in (
    running.run, running.status, reporting.report, reporting.compare, reporting.sensitivity, correlating.correlate,
    running.compact,
):  # fmt: skip
    app.command()(command)
methods_app.callback()(catalogue.methods_list)
methods_app.command("show")(catalogue.methods_show)
spaces_app.callback()(catalogue.spaces_list)
spaces_app.command("show")(catalogue.spaces_show)
spaces_app.command("count")(catalogue.spaces_count)
benchmark_app.command("info")(catalogue.benchmark_info)
benchmark_app.command("import")(catalogue.benchmark_import)
benchmark_app.command("query")(catalogue.benchmark_query)
app.add_typer(methods_app, name="methods")
app.add_typer(spaces_app, name="spaces")
app.add_typer(benchmark_app, name="benchmark")


def main() -> None:
    """Entry point: what the user or their machine has to mend is one sentence and exit code 2, never a traceback."""
    printing.show_any_character()
    code: int | str | None = 2
    reason: str | None = None
    try:
        with telling(printing.console(stderr=True, soft_wrap=True).print):
            app()
    except SystemExit as ended:
        code = ended.code
    except NasStudyError as error:
        reason = str(error)
    except OSError as error:
        reason = f"what a command reads and writes must be within its reach, but: {' '.join(str(error).split())}"
    if (lost := printing.unprinted()) is not None:
        code, reason = 2, f"standard output must take what is printed, but it does not: {lost}"
    if reason is not None:
        printing.fail(reason)
    sys.exit(code)
