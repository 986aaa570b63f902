"""The sections of a report, in order. Each is a function from the results of a study to one Section.

A section that has nothing to show says why in its ``lead``; it is never left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from analysis import metrics, plots, study_tables
from analysis.cells import cell_svg
from analysis.findings import listed
from analysis.pool import Results
from analysis.robustness import curve_summary, curves, failures, summarise, top_cells
from analysis.tables import Table, number
from study.schema import TABLE_DATASETS
from trainables.spaces.nas_bench_201.genotype import Genotype

MOST_VARIANTS_DRAWN = 20
_MOST_TRACEBACKS = 10


@dataclass(frozen=True)
class Plot:
    """A figure with its caption and, for readers who cannot see it, its message in words."""

    name: str
    caption: str
    alternative: str
    figure: Figure
    wide: bool = False


@dataclass(frozen=True)
class Cell:
    """A drawn cell: an SVG that this program made, and lines of caption."""

    svg: str
    genotype: str
    lines: list[str]


@dataclass(frozen=True)
class Section:
    """One part of the page. ``cells`` maps a variant to its cells; ``texts`` maps a heading to preformatted text."""

    id: str
    title: str
    lead: str
    plots: list[Plot] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)


def build(results: Results) -> Iterator[Section]:
    """All sections of the page after its summary."""
    for section in (accuracy, regret, skips, tables, cells, failed, method_notes, provenance):
        yield section(results)


def accuracy(results: Results) -> Section:
    """Every seed's accuracy, validation and test apart."""
    trials = _drawn(results.trials)
    known = study_tables.known_accuracies(results.trials)
    drawn = [_strip(trials, column) for column in known]
    lead = (
        "One dot is one search seed. The diamond is their mean, the bar its 95 % Student-t interval (three seeds or more); "
        f"from {plots.BOX_FROM} seeds on a box shows median and quartiles."
    )
    if not drawn:
        return Section("accuracy", "Accuracy over seeds", "No trial ended with a known accuracy, so there is nothing to draw.")
    return Section("accuracy", "Accuracy over seeds", lead + _drawn_note(results.trials) + _unknown_note(results.trials), drawn)


def _strip(trials: pd.DataFrame, column: str) -> Plot:
    summary = summarise(trials, column)
    best = None
    if column in metrics.TABLE_ACCURACIES:
        best = float((trials[column] + trials[metrics.regret_column(column)]).max())
    what = metrics.title(column)
    figure = plots.strip_figure(trials, summary, column, f"{what} (%)", None if pd.isna(best) else best)
    shown = summary.dropna(subset="mean").sort_values("mean", ascending=False, kind="stable")
    alternative = f"Strip plot of {what} for {len(shown)} variants, one dot a search seed."
    if len(shown):
        top, last = shown.iloc[0], shown.iloc[-1]
        alternative += (
            f" Highest mean {top['variant']} {number(top['mean'])} %, lowest {last['variant']} {number(last['mean'])} %."
        )
    spans = shown["best"].max() - shown["worst"].min() if len(shown) else 0
    caption = f"{what[0].upper()}{what[1:]}, {_seed_counts(summary)}."
    if best is not None:
        caption += " Mean over the benchmark's training seeds; dashed: the best cell of the table."
    if spans > plots.LOG_FROM_SPAN:
        caption += " The axis is logarithmic in the distance to its right end."
    if (summary["high"] > 100).any():
        caption += " An interval beyond 100 % says that the mean is a poor summary here."
    return Plot(f"seeds_{column}", caption, alternative, figure)


def regret(results: Results) -> Section:
    """Regret of the cell that would be derived at each epoch."""
    lead = (
        "How far the cell that would be derived at each epoch lies below the best cell of the table, looked up after the "
        "search and never shown to it. Thin lines are search seeds"
        f" (above {plots.LINES_UP_TO} seeds: a band from the 10th to the 90th percentile), the thick line is their mean over the trials that ended ok, "
        "the grey band spans the means of all variants. The axis is logarithmic above 0.1 points."
    )
    drawn: list[Plot] = []
    absent = []
    for dataset in TABLE_DATASETS:
        columns = [f"{dataset}_{split}_regret" for split in ("test", "valid")]
        epochs = results.read_epochs(columns)
        column = next((c for c in columns if metrics.is_known(epochs, c)), None)
        if column is None:
            absent.append(metrics.DATASET_TITLES[dataset])
        else:
            drawn += _curve_plots(results, epochs, column, f"{metrics.SPLIT_TITLES[column.split('_')[-2]]} regret (points)", logarithmic=True)
    if not drawn:
        lead = "No epoch has a looked-up regret: this study recorded no epochs, or had no benchmark table to look them up in."
    elif absent:
        lead += f" Unknown for {listed(absent)}."
    return Section("regret", "Regret against epoch", lead + (_drawn_note(results.trials) if drawn else ""), drawn)


def skips(results: Results) -> Section:
    """Share of skip connections over the search."""
    epochs = results.read_epochs(["skip_share"])
    drawn = _curve_plots(
        results, epochs, "skip_share", "skip connections (% of edges)", logarithmic=False
    )
    lead = (
        "How many of the six edges of the cell that would be derived at each epoch are skip connections. A curve that "
        "climbs late in the search is the usual sign of collapse; it predicts poor cells, it does not prove them."
        if drawn
        else "This study recorded no epochs, so there is no course of the search to draw."
    )
    return Section("skips", "Skip connections over the search", lead, drawn)


def _curve_plots(
    results: Results, epochs: pd.DataFrame, column: str, label: str, *, logarithmic: bool
) -> list[Plot]:
    """One figure for methods that train a supernet, one for those that only query: their x axes are not the same."""
    trials = _drawn(results.trials)
    drawn = []
    for x, chosen in (("search epochs", trials["protocol"].notna()), ("table queries", trials["protocol"].isna())):
        part = trials[chosen]
        curve = curves(part, epochs, column)
        if curve.empty:
            continue
        summary = curve_summary(curve)
        variants = [str(v) for v in part["variant"].cat.categories if v in set(summary["variant"])]
        figure = plots.curves_figure(curve, summary, variants, logarithmic=logarithmic, x=x, y=label)
        last = summary.groupby("variant", observed=True).tail(1)
        ends = listed((f"{row.variant} {number(row.mean)}" for row in last.itertuples()), most=20)
        subject = metrics.title(column) if logarithmic else "Skip connections"
        caption = f"{subject} against {x}. Seeds in the mean at the end: {_ranged(last['values'])}."
        alternative = f"Line plots of {subject} against {x}, one panel a variant. Means at the end: {ends}."
        drawn.append(Plot(f"{column}_by_{x.split()[-1]}", caption, alternative, figure, len(variants) > 2))
    return drawn


def tables(results: Results) -> Section:
    """All numbers."""
    trials = results.trials
    noise = study_tables.training_noise(trials)
    shown = [
        study_tables.overview(trials),
        study_tables.counts(trials),
        *(study_tables.detail(trials, column) for column in study_tables.known_accuracies(trials)),
        *([noise] if noise else []),
        study_tables.cell_kinds(trials),
        study_tables.cost(trials),
    ]
    lead = "Every ± is a standard deviation over search seeds unless its table says otherwise." + _unknown_note(trials)
    return Section("tables", "Tables", lead, tables=shown)


def cells(results: Results) -> Section:
    """The cells that were derived most often, drawn."""
    trials = _drawn(results.trials)
    dataset = metrics.own_dataset(trials)
    accuracies = [f"{dataset}_{split}_accuracy" for split in ("valid", "test")]
    top = top_cells(trials, accuracies)
    if top.empty:
        return Section("cells", "Derived cells", "No trial ended with a derived cell.")
    drawn: dict[str, list[Cell]] = {}
    for row in top.to_dict("records"):
        lines = [f"{row['count']} of {row['derived']} trials"]
        for column in accuracies:
            value = f"{number(row[column])} %" if pd.notna(row[column]) else "unknown"
            lines.append(f"{metrics.title(column).removesuffix(' accuracy')} {value}")
        svg = cell_svg(Genotype.from_string(row["genotype"]))
        drawn.setdefault(str(row["variant"]), []).append(Cell(svg, row["genotype"], lines))
    lead = (
        "The up to three cells each variant derived most often (ties in alphabetical order). Nodes are feature maps, edges "
        "operations; dotted grey edges carry nothing. Accuracies are the table's means over its training seeds."
    )
    return Section("cells", "Derived cells", lead + _drawn_note(results.trials), cells=drawn)


def failed(results: Results) -> Section:
    """Every failure with its reason."""
    lost = failures(results.trials)
    if lost.empty:
        return Section("failures", "Failed and diverged trials", f"None: all {len(results.trials)} recorded trials ended ok.")
    traces = lost.dropna(subset="traceback").groupby("traceback", sort=False)["trial_id"].agg(["size", "first"])
    traces = traces.sort_values("size", ascending=False, kind="stable").head(_MOST_TRACEBACKS)
    texts = {f"{row['size']} × traceback, first in trial {row['first']}": str(trace) for trace, row in traces.iterrows()}
    lead = f"{len(lost)} of {len(results.trials)} recorded trials. They count in n, and in no mean."
    return Section("failures", "Failed and diverged trials", lead, tables=[study_tables.failed(results.trials)], texts=texts)


def method_notes(results: Results) -> Section:
    """What each number is."""
    definitions = {
        "Trial, search seed": "One search with one seed, from initialisation to one derived cell. The search seed is the unit of replication: n counts seeds, never epochs or images.",
        "Mean ± std": "Mean and standard deviation (ddof = 1) over the search seeds of one variant that ended ok. The std describes how far single searches lie apart; it is not the uncertainty of the mean.",
        "95 % t interval": "Mean ± t(0.975, n − 1) · std / √n, the uncertainty of the mean, from three seeds on. It assumes roughly normal values: when some seeds collapse, it is too optimistic, and the dots and the worst seed say more.",
        "Validation, test": "Two different numbers of the benchmark table, never averaged. Validation is what a search may look at; test is what papers report. On CIFAR-10 the table's validation accuracy comes from training on half of the training set, test from training on all of it.",
        "Table accuracy": "Looked up for the exact cell, the mean over the table's two or three training seeds. Their spread is in a table of its own and never merged with the spread over search seeds.",
        "Regret": "Best accuracy of any of the 15,625 cells minus this cell's, both means over training seeds, in percentage points.",
        "Collapse": "Stated here only as a fact about the derived cell: at least four of its six edges are skip connections.",
        "Failed, diverged": "Failed: an error or a lost worker. Diverged: a loss or parameter stopped being finite. Both stay in n and have no accuracy.",
        "Median, worst, best": "Over the seeds that ended ok. The worst of many seeds is lower than the worst of few: compare at equal n.",
    }
    if metrics.is_known(results.trials, metrics.RETRAIN):
        definitions["Retrained accuracy"] = "Test accuracy at the last epoch of training the derived cell once from scratch; no epoch is picked by its test accuracy."
    return Section("notes", "What each number is", "", definitions=definitions)


def provenance(results: Results) -> Section:
    """The study as run, the environment, and what the data were."""
    trials = results.trials
    sources = {
        "code version": "code_version",
        "benchmark table": "table_fingerprint",
        "data set fingerprint": "dataset_fingerprint",
        "data set": "dataset",
        "search space": "space",
        "schema version": "schema_version",
        "device": "device",
        "host": "host",
    }
    definitions = {name: _tally(trials[column]) for name, column in sources.items()}
    finished = trials["finished_at"].dropna()
    if len(finished):
        definitions["trials finished"] = f"{finished.min():%Y-%m-%d %H:%M} to {finished.max():%Y-%m-%d %H:%M} UTC"
    environment = json.dumps(results.environment, indent=2, ensure_ascii=False) if results.environment else ""
    texts = {
        "study.yaml, as run": results.study_text or "not found in the store",
        "environment.json": environment or "not found in the store",
    }
    lead = "Everything needed to run this study again."
    return Section("provenance", "Provenance", lead, tables=[study_tables.settings(trials)], texts=texts, definitions=definitions)


def _tally(values: pd.Series) -> str:
    counts = values.astype(object).where(values.notna(), "not recorded").value_counts(sort=False)
    if len(counts) == 1:
        return str(counts.index[0])
    return ", ".join(sorted(f"{value} ({count} trials)" for value, count in counts.items()))


def _drawn(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of the variants that fit a figure: all, or the upper and the lower end of the order by mean."""
    variants = list(trials["variant"].cat.categories)
    if len(variants) <= MOST_VARIANTS_DRAWN:
        return trials
    half = MOST_VARIANTS_DRAWN // 2
    kept = variants[:half] + variants[-half:]
    part = trials[trials["variant"].isin(kept)]
    return part.assign(variant=part["variant"].cat.set_categories(kept))


def _drawn_note(trials: pd.DataFrame) -> str:
    count = len(trials["variant"].cat.categories)
    if count <= MOST_VARIANTS_DRAWN:
        return ""
    half = MOST_VARIANTS_DRAWN // 2
    return f" Drawn are the {half} variants with the highest and the {half} with the lowest mean of {count}; the tables have all."


def _unknown_note(trials: pd.DataFrame) -> str:
    known = study_tables.known_accuracies(trials)
    unknown = [metrics.title(column) for column in metrics.TABLE_ACCURACIES if column not in known]
    if not unknown:
        return ""
    why = "no trial looked a cell up" if len(unknown) == len(metrics.TABLE_ACCURACIES) else "the table that was used lacks them"
    return f" Unknown, because {why}: {listed(unknown)}."


def _seed_counts(summary: pd.DataFrame) -> str:
    lost = int(summary["n"].sum() - summary["values"].sum())
    text = f"n = {_ranged(summary['values'])} seeds a variant"
    return text + (f"; {lost} trials without a value are not drawn" if lost else "")


def _ranged(values: pd.Series) -> str:
    return f"{values.min()}" if values.nunique() == 1 else f"{values.min()} to {values.max()}"
