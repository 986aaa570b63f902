"""The sections of a report, in order. Each is a function from the results of a study to one Section.

A section that has nothing to show says why in its ``lead``; it is never left out.
"""

from __future__ import annotations

import json

import pandas as pd

from analysis import figures, metrics, plots, study_tables
from analysis.cells import cell_svg
from analysis.page import Cell, Section
from analysis.pool import Results
from analysis.robustness import COLLAPSE_SKIPS, failures, top_cells
from analysis.tables import listed, number
from study.schema import TABLE_DATASETS
from trainables.spaces.nas_bench_201.genotype import EDGES, NUM_CELLS, Genotype

_MOST_TRACEBACKS = 10
_REGRETS = [metrics.regret_column(column) for column in metrics.TABLE_ACCURACIES]
_DEFINITIONS = {
    "Trial, search seed": "One search with one seed, from initialisation to one derived cell. The search seed is the "
    "unit of replication: n counts seeds, never epochs or images.",
    "Mean ± std": "Mean and standard deviation (ddof = 1) over the search seeds of one variant that ended ok. The std "
    "says how far single searches lie apart; it is not the uncertainty of the mean.",
    "95 % t interval": "Mean ± t(0.975, n − 1) · std / √n, the uncertainty of the mean, from three seeds on. It "
    "assumes roughly normal values: when some seeds collapse it is too optimistic, and the dots and the worst seed say "
    "more.",
    "Median, worst, best": "Over the seeds that ended ok. The worst of many seeds is lower than the worst of few: "
    "compare at equal n.",
    "Validation, test": "Two different numbers of the benchmark table, never averaged. Validation is what a search may "
    "look at; test is what papers report. On CIFAR-10 the table's validation accuracy is of cells trained on half of "
    "the training set, its test accuracy of cells trained on all of it.",
    "Table accuracy": "Looked up for the exact cell: the mean over the table's two or three training seeds. Their "
    "spread has a table of its own and is never merged with the spread over search seeds.",
    "Regret": f"Accuracy of the best of all {NUM_CELLS:,} cells minus that of this cell, both means over training "
    "seeds, in percentage points.",
    "Collapse": f"Here only a fact about the derived cell: at least {COLLAPSE_SKIPS} of its {len(EDGES)} edges are "
    "skip connections.",
    "Failed, diverged": "Failed: an error or a lost worker. Diverged: a loss or parameter stopped being finite. Both "
    "count in n and have no accuracy.",
    "Retrained accuracy": "Test accuracy at the last epoch of training the derived cell once from scratch. No epoch is "
    "picked by its test accuracy.",
}


def build(results: Results) -> list[Section]:
    """All sections of the page after its summary. Draws figures: call it inside plots.style()."""
    trials = results.trials
    epochs = results.read_epochs([*_REGRETS, "skip_share"])
    return [
        accuracy(trials),
        regret(trials, epochs),
        skips(trials, epochs),
        tables(trials),
        cells(trials),
        failed(trials),
        Section("notes", "What each number is", "", definitions=_DEFINITIONS),
        provenance(results),
    ]


def accuracy(trials: pd.DataFrame) -> Section:
    """Every seed's accuracy, validation and test apart."""
    known = study_tables.known_accuracies(trials)
    drawn = figures.drawn(trials)
    lead = (
        "One dot is one search seed. The diamond is their mean, the bar its 95 % Student-t interval (three seeds or "
        f"more); from {plots.BOX_FROM} seeds on, a box shows median and quartiles." + _drawn_note(trials)
        if known
        else "Nothing to draw."
    )
    shown = [figures.seeds(drawn, column) for column in known]
    return Section("accuracy", "Accuracy over seeds", lead + _unknown_note(trials), shown)


def regret(trials: pd.DataFrame, epochs: pd.DataFrame) -> Section:
    """Regret of the cell that would be derived at each epoch; test where the table has it."""
    lead = (
        "How far the cell that would be derived at each epoch lies below the best cell of the table; it is looked up, "
        f"and no search that trains ever sees it. Thin lines are search seeds (above {plots.LINES_UP_TO} seeds, a band "
        "from the 10th to the 90th percentile), the thick line is the mean of the trials that ended ok, the grey band "
        "spans the means of all variants. The axis is logarithmic above 0.1 points." + _drawn_note(trials)
    )
    shown: list[figures.Plot] = []
    absent = []
    for dataset in TABLE_DATASETS:
        columns = [f"{dataset}_{split}_regret" for split in ("test", "valid")]
        column = next((c for c in columns if metrics.is_known(epochs, c)), None)
        if column is None:
            absent.append(metrics.DATASET_TITLES[dataset])
        else:
            shown += figures.course(figures.drawn(trials), epochs, column)
    if not shown:
        lead = "Unknown: this study recorded no epochs, or had no benchmark table to look their cells up in."
    elif absent:
        lead += f" Unknown for {listed(absent)}."
    return Section("regret", "Regret against epoch", lead, shown)


def skips(trials: pd.DataFrame, epochs: pd.DataFrame) -> Section:
    """Share of skip connections over the search."""
    shown = figures.course(figures.drawn(trials), epochs, "skip_share")
    lead = (
        f"How many of the {len(EDGES)} edges of the cell that would be derived at each epoch are skip connections. A "
        "curve that climbs late in the search is the usual sign of collapse; it foretells poor cells, it does not "
        "prove them."
        if shown
        else "Unknown: this study recorded no epochs, so there is no course of the search to draw."
    )
    return Section("skips", "Skip connections over the search", lead, shown)


def tables(trials: pd.DataFrame) -> Section:
    """All numbers."""
    noise = study_tables.training_noise(trials)
    known = study_tables.known_accuracies(trials)
    shown = [
        study_tables.counts(trials),
        *([study_tables.overview(trials)] if known else []),
        *(study_tables.detail(trials, column) for column in known),
        *([noise] if noise else []),
        study_tables.cell_kinds(trials),
        study_tables.cost(trials),
    ]
    lead = "Every ± is a standard deviation over search seeds unless its table says otherwise." + _unknown_note(trials)
    return Section("tables", "Tables", lead, tables=shown)


def cells(trials: pd.DataFrame) -> Section:
    """The cells that were derived most often, drawn."""
    dataset = metrics.own_dataset(trials)
    accuracies = [f"{dataset}_{split}_accuracy" for split in ("valid", "test")]
    top = top_cells(figures.drawn(trials), accuracies)
    if top.empty:
        return Section("cells", "Derived cells", "No trial ended with a derived cell.")
    shown: dict[str, list[Cell]] = {}
    for row in top.to_dict("records"):
        parts = [f"{row['count']} of {row['derived']} trials"]
        for column in accuracies:
            value = f"{number(row[column])} %" if pd.notna(row[column]) else "unknown"
            parts.append(f"{metrics.title(column).removesuffix(' accuracy')} {value}")
        cell = Cell(cell_svg(Genotype.from_string(row["genotype"])), row["genotype"], parts)
        shown.setdefault(str(row["variant"]), []).append(cell)
    lead = (
        "Up to three cells a variant, those it derived most often (ties in alphabetical order). Nodes are feature "
        "maps, edges operations; dotted grey edges carry nothing. Accuracies are means over the table's training seeds."
    )
    return Section("cells", "Derived cells", lead + _drawn_note(trials), cells=shown)


def failed(trials: pd.DataFrame) -> Section:
    """Every failure with its reason."""
    lost = failures(trials)
    title = "Failed and diverged trials"
    if lost.empty:
        return Section("failures", title, f"None: all {len(trials)} recorded trials ended ok.")
    traces = lost.dropna(subset="traceback").groupby("traceback", sort=False)["trial_id"].agg(["size", "first"])
    traces = traces.sort_values("size", ascending=False, kind="stable").head(_MOST_TRACEBACKS)
    texts = {f"Traceback of {r['size']} trials, first {r['first']}": str(trace) for trace, r in traces.iterrows()}
    lead = f"{len(lost)} of {len(trials)} recorded trials. They count in every n, and in no mean."
    return Section("failures", title, lead, tables=[study_tables.failed(trials)], texts=texts)


def provenance(results: Results) -> Section:
    """The study as run, the environment, and what the data were."""
    trials = results.trials
    columns = ["code_version", "table_fingerprint", "dataset", "dataset_fingerprint", "space", "device", "host"]
    definitions = {column.replace("_", " "): _tally(trials[column]) for column in columns}
    sources = results.environment.get("table_sources")
    if isinstance(sources, dict):
        definitions["table sources"] = "; ".join(f"{what}: {source}" for what, source in sources.items())
    finished = trials["finished_at"].dropna()
    if len(finished):
        definitions["trials finished"] = f"{finished.min():%Y-%m-%d %H:%M} to {finished.max():%Y-%m-%d %H:%M} UTC"
    environment = json.dumps(results.environment, indent=2, ensure_ascii=False) if results.environment else ""
    texts = {
        "study.yaml, as run": results.study_text or "not found in the store",
        "environment.json": environment or "not found in the store",
    }
    settings = [study_tables.settings(trials)]
    return Section("provenance", "Provenance", "What this study was made of.", [], settings, {}, definitions, texts)


def _tally(values: pd.Series) -> str:
    counts = values.astype(object).where(values.notna(), "not recorded").value_counts().sort_index()
    if len(counts) == 1:
        return str(counts.index[0])
    return ", ".join(f"{value} ({count} trials)" for value, count in counts.items())


def _drawn_note(trials: pd.DataFrame) -> str:
    count = len(trials["variant"].cat.categories)
    if count <= figures.MOST_VARIANTS:
        return ""
    half = figures.MOST_VARIANTS // 2
    return f" Of {count} variants, the {half} with the highest and the {half} with the lowest mean are drawn."


def _unknown_note(trials: pd.DataFrame) -> str:
    known = study_tables.known_accuracies(trials)
    unknown = [metrics.title(column) for column in metrics.TABLE_ACCURACIES if column not in known]
    if not unknown:
        return ""
    if len(unknown) == len(metrics.TABLE_ACCURACIES):
        return " Table accuracies are unknown: no trial that ended ok was looked up in a benchmark table."
    return f" Unknown, because the benchmark table in use lacks them: {listed(unknown)}."
