"""Commands about what there is to compare: the search methods, their spaces, and the benchmark table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as RichTable

from study.cli.options import BenchmarkOption
from study.cli.printing import console


def methods_list(context: typer.Context) -> None:
    """List the search methods; ``methods show NAME`` prints one in full."""
    if context.invoked_subcommand is not None:
        return
    from trainables.methods import METHODS

    shown = RichTable("method", "searches on", "paper")
    for name, method in METHODS.items():
        needs = method.needs(method.Config())
        shown.add_row(name, {"images": "images", "table": "the table", "nothing": "nothing"}[needs], method.paper)
    console().print(shown)


def methods_show(name: Annotated[str, typer.Argument(help="A method's name.")]) -> None:
    """A method's specification, and its hyperparameters with defaults, ranges and sources."""
    from trainables.hyperparameters import Range, choices_of, range_of, source_of
    from trainables.methods import method_named

    method = method_named(name)
    console().print(sys.modules[method.__module__].__doc__)
    shown = RichTable("hyperparameter", "default", "range or choices", "meaning", "source of the default")
    for key, field in method.Config.model_fields.items():
        values = choices_of(field) or range_of(method.Config, name, key)
        listed = str(values) if isinstance(values, Range) else ", ".join(str(value) for value in values)
        shown.add_row(key, str(field.default), listed, field.description or "", source_of(field))
    console().print(shown)


def spaces_list(context: typer.Context) -> None:
    """List the search spaces; ``spaces show NAME`` prints one in full, ``spaces count`` the size of a network of it."""
    if context.invoked_subcommand is not None:
        return
    from trainables.spaces import SPACES

    shown = RichTable("space", "rows", "candidates", "kinds of cells", "source")
    for name, space in SPACES.items():
        rows, candidates = space.shape
        shown.add_row(name, str(rows), str(candidates), str(len(space.cells)), space.source)
    console().print(shown)


def spaces_show(name: Annotated[str, typer.Argument(help="A space's name.")]) -> None:
    """What a space is, what may be chosen in each row, and which methods search it."""
    from trainables.methods import METHODS
    from trainables.spaces import space_named

    space = space_named(name)
    searched = {method: cls.spaces(cls.Config()) for method, cls in METHODS.items()}
    own = [method for method, spaces in searched.items() if spaces is None or name in spaces]
    out = console()
    out.print(sys.modules[type(space).__module__].__doc__)
    for choices in dict.fromkeys(space.choices):
        rows = [str(row) for row, candidates in enumerate(space.choices) if candidates == choices]
        places = f"{rows[0]} to {rows[-1]}" if len(rows) == len(space.choices) else ", ".join(rows)
        out.print(f"rows {places}: {', '.join(choices)}")
    out.print(f"trained in papers with {space.trained[0]} channels and {space.trained[1]} cells")
    out.print(f"searched, at their defaults, by {', '.join(own)}")


def spaces_count(
    name: Annotated[str, typer.Argument(help="A space's name.")],
    architecture: Annotated[str, typer.Argument(help="An architecture of it, as a report prints it or as published.")],
    channels: Annotated[int | None, typer.Option(min=1, max=512, help="Else as in the space's papers.")] = None,
    cells: Annotated[int | None, typer.Option(min=1, max=100, help="Else as in the space's papers.")] = None,
    image_size: Annotated[int, typer.Option(min=4, max=1024, help="Side length in pixels.")] = 32,
    classes: Annotated[int, typer.Option(min=2, max=100_000, help="Classes that are told apart.")] = 10,
) -> None:
    """Parameters of an architecture's network, and the multiply-adds that an RGB image costs it."""
    from trainables.errors import ConfigError
    from trainables.spaces import space_named
    from trainables.spaces.size import size_of

    space = space_named(name)
    parsed, wide, long = space.parse(architecture), channels or space.trained[0], cells or space.trained[1]
    if long < space.fewest_cells:
        raise ConfigError(f"a network of {name} has at least {space.fewest_cells} cells, but --cells is {long}")
    size = size_of(lambda: space.network(parsed, wide, long, 3, classes), 3, image_size)
    out = console(soft_wrap=True)
    out.print(str(parsed))
    out.print(f"{size.parameters:,} parameters, {size.macs:,} multiply-adds an image of {image_size} pixels")
    out.print(f"{wide} channels, {long} cells, {classes} classes")


def benchmark_info(benchmark: BenchmarkOption = None) -> None:
    """Which accuracies are known, where they come from, and the best cell of each data set and split."""
    from trainables.benchmarks.accuracies import DATASETS, SPLITS
    from trainables.benchmarks.table import open_table
    from trainables.spaces.nas_bench_201.genotype import NUM_CELLS

    table, out = open_table(benchmark), console(soft_wrap=True)
    out.print(f"table {table.fingerprint}", style="bold")
    for dataset in DATASETS:
        for split in SPLITS:
            if not table.has(dataset, split):
                out.print(f"{dataset} {split}: unknown; give a file that has it with --benchmark PATH")
                continue
            if (cells := table.cells_known(dataset, split)) < NUM_CELLS:
                out.print(f"{dataset} {split}: known of {cells:,} of {NUM_CELLS:,} cells, so no best one")
            else:
                cell, accuracy = table.oracle(dataset, split)
                out.print(f"{dataset} {split}: best {accuracy:.3f} % {cell}")
            out.print(f"    {table.sources[f'{dataset}_{split}']}")
        known = table.sources.get(f"{dataset}_valid_12ep", "unknown")
        out.print(f"{dataset} valid after 12 epochs: {known}")


def benchmark_import(
    path: Annotated[Path, typer.Argument(help="An official .pth, a NATS-Bench file or folder, a Parquet or CSV file.")],
    trust: Annotated[bool, typer.Option(help="Run the code that an official file names while it loads.")] = False,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Admit accuracies of some cells only; they have no best cell and no regret."),
    ] = False,
) -> None:
    """Convert a benchmark file once; from then on --benchmark PATH opens in milliseconds."""
    from trainables.benchmarks.importers import import_table
    from trainables.benchmarks.table import open_table

    converted = import_table(path, trust, partial)
    out = console(soft_wrap=True)
    out.print(f"converted to {converted}")
    for name, source in open_table(path).sources.items():
        out.print(f"  {name}: {source}")


def benchmark_query(
    architecture: Annotated[
        str, typer.Argument(help="'|op~0|+|op~0|op~1|+|op~0|op~1|op~2|', its official index, or NASLib's numbers.")
    ],
    benchmark: BenchmarkOption = None,
) -> None:
    """Everything known of one cell: per training seed, mean and regret, validation and test apart."""
    import numpy as np

    from trainables.benchmarks.accuracies import DATASETS, SPLITS, TRAINING_SEEDS
    from trainables.benchmarks.cells import official_index, read_cell
    from trainables.benchmarks.table import open_table

    table, cell = open_table(benchmark), read_cell(architecture)
    index = np.array([cell.index])
    shown = RichTable("data set", "split", *(f"seed {seed}" for seed in TRAINING_SEEDS), "mean %", "regret")
    for dataset in DATASETS:
        for split in SPLITS:
            numbers = [*table.per_seed(dataset, split, index)[0], table.accuracy(dataset, split, index)[0]]
            regret = table.regret(dataset, split, index)[0] if table.has(dataset, split) else np.nan
            shown.add_row(dataset, split, *("—" if np.isnan(v) else f"{v:.3f}" for v in [*numbers, regret]))
    out = console(soft_wrap=True)
    out.print(str(cell))
    out.print(f"official index {official_index(cell)}")
    out.print(shown)
