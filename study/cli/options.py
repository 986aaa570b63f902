"""Options that several commands have."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer


def number(value: float | None) -> float | None:
    """What click lets pass as a number in any range."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number that means anything here.")
    return value


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
DirectionOption = Annotated[
    bool | None,
    typer.Option(
        "--lower-is-better/--higher-is-better",
        help="Which way the --value of a --table is better: errors, losses and times say --lower-is-better.",
        show_default=False,
    ),
]
ColumnOption = Annotated[
    str | None, typer.Option(help="The accuracy to look at, such as cifar10_test_accuracy; default: the headline.")
]
AlphaOption = Annotated[
    float,
    typer.Option(help="The level of tests; intervals are of 1 - alpha. Above 0, up to 0.5."),
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file to write.")]
PairedOption = Annotated[
    bool | None,
    typer.Option(
        "--paired/--unpaired",
        help="Whether equal seeds of two methods drew the same; a store's did, a table's only if you say so.",
    ),
]
