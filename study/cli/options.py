"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file to write.")]
PairedOption = Annotated[
    bool | None,
    typer.Option(
        "--paired/--unpaired",
        help="Whether equal seeds of two methods drew the same; a store's did, a table's only if you say so.",
    ),
]
