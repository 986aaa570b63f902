"""The sections of a report, in order. Each is a function from the results of a study to one Section.

A section that has nothing to show says why in ``absent``: the page names it in one line with all others that have none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from analysis.pages.page import Cell, Section
from analysis.pages.settings import settings
from analysis.pages.table import Table
from analysis.pages.words import listed, number
from analysis.results import accuracies
from analysis.results import level as levels
from analysis.results import margin as margins
from analysis.results.from_store import Results
from analysis.robustness import drawings, figures, summary_tables
from analysis.robustness import tables as robustness_tables
from analysis.robustness.cells import cell_svg
from analysis.robustness.checklist import checklist
from analysis.robustness.collapse import Collapse
from analysis.robustness.courses import sections as course_sections
from analysis.robustness.courses.anytime import collapse_onsets
from analysis.robustness.derived import space_of
from analysis.robustness.spread import baseline
from analysis.robustness.summary import failures, top_cells
from analysis.statistics.estimate import ALPHA, MARGIN, percent
from trainables.benchmarks.accuracies import SPLITS, Accuracy
from trainables.benchmarks.table import BenchmarkTable
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS

_MOST_TRACEBACKS = 10
_DEFINITIONS = {
    "Trial, search seed": "One search with one seed, from initialisation to one derived cell. The search seed is the "
    "unit of replication: n counts seeds, never epochs or images.",
    "Mean ± std": "Mean and standard deviation (ddof = 1) over the seeds of one variant that ended ok. The std says "
    "how far single runs lie apart; it is not the uncertainty of the mean.",
    "t interval": "{percent}: mean ± t({quantile:.12g}, n − 1) · std / √n, the uncertainty of the mean, from three "
    "seeds on. It assumes roughly normal values: when some seeds collapse it is too optimistic, and the dots and the "
    "worst seed say more.",
    "Median, worst, best": "Over the seeds that ended ok. The worst of many seeds is lower than the worst of few: "
    "compare at equal n.",
    "Validation, test": "Two different numbers of the benchmark table, never averaged. Validation is what a search may "
    "look at; test is what papers report. On CIFAR-10 the table's validation accuracy is of cells trained on half of "
    "the training set, its test accuracy of cells trained on all of it.",
    "Table accuracy": "Looked up for the exact cell: the mean over the table's two or three training seeds. Their "
    "spread has a table of its own and is never merged with the spread over search seeds.",
    "Regret": f"Accuracy of the best of all {NUM_CELLS:,} cells minus that of this cell, both means over training "
    "seeds, in percentage points.",
    "Bootstrap interval": "Whole seeds drawn with replacement; up to eight seeds all distinct resamples are "
    "enumerated, above that 9,999 are drawn. With few seeds it is narrower than it should be, so Student's interval is "
    "the default of a mean, and the IQM has one from ten seeds on only.",
    "Other intervals": "Of a probability (collapse, failure): exact (Clopper-Pearson). Of the std (chi-squared, for "
    "normal values), and the studentised and BCa bootstraps: in intervals.csv beside the page.",
    "Regret to the best seen": "The same against the best value of any trial of this study, which needs no table.",
    "Search seeds against training seeds": "The first is what the search decides, the second what one training of a "
    "given cell adds; a published ± is often only the second.",
    "Failed, diverged, stopped": "Failed: an error or a lost worker. Diverged: a loss or parameter stopped being "
    "finite. Stopped: ended early by a scheduler. All count in n and have no accuracy.",
    "Retrained accuracy": "Test accuracy at the last epoch of training the derived cell once from scratch. No epoch is "
    "picked by its test accuracy.",
}


_DEFINITIONS_OF_TABLES = {
    "Run, seed": "One row of a method and its hyperparameters with one seed; rows that differ in the data set alone "
    "are "
    "one run with several values. What a seed draws, the table does not say.",
    **{name: _DEFINITIONS[name] for name in ("t interval", "Median, worst, best", "Bootstrap interval")},
    "Mean ± std": "Mean and standard deviation (ddof = 1) over the seeds of one variant that have a value. The std "
    "says "
    "how far single runs lie apart; it is not the uncertainty of the mean.",
    "Regret to the best seen": "Distance to the best value of any run in the table, in points.",
    "Without a value, without a row": "An empty field is a run without a value; a seed that the others have and of "
    "which "
    "there is no row is counted as such. Neither enters a mean.",
}


@dataclass(frozen=True)
class Options:
    """What a reader may choose: when a search has collapsed, which difference matters (points), a benchmark table,
    values whose time to reach them is asked for, and the level of tests, which intervals are of 1 less.

    ``table`` gives the mean over all cells, which is what random sampling expects; None leaves it unknown. Raises
    ConfigError where ``margin`` is no number of points, or ``alpha`` no level.
    """

    collapse: Collapse = field(default_factory=Collapse)
    margin: float = MARGIN
    table: BenchmarkTable | None = None
    targets: Sequence[float] = ()
    alpha: float = ALPHA

    def __post_init__(self) -> None:
        margins.checked(self.margin)
        levels.checked(self.alpha)

    @property
    def level(self) -> float:
        """Confidence of every interval, a fraction."""
        return 1 - self.alpha


def build(results: Results, options: Options) -> list[Section]:
    """All sections of the page after its summary. Draws figures: call it inside style.style()."""
    trials = results.trials
    return [
        accuracy(trials, options.level),
        *_courses(results, options),
        cells(trials),
        tables(trials, options.level),
        robustness(trials, options),
        planning(trials, options, results.paired),
        printed(trials),
        failed(trials),
        Section("notes", "Method: what each number is", "", definitions=_definitions(trials, options)),
        provenance(results),
        Section("checklist", "Checklist", "What a reviewer asks of a NAS study.", tables=[checklist(results)]),
    ]


def _courses(results: Results, options: Options) -> list[Section]:
    """What the epochs say; they are let go of before the rest is made."""
    trials, rule, level = results.trials, options.collapse, options.level
    looked_at = [rule.epoch_column(trials), accuracies.headline_lookup(trials) if options.targets else None]
    epochs = results.course([*course_sections.EPOCH_COLUMNS, *(column for column in looked_at if column)])
    onsets = collapse_onsets(trials, epochs, rule)
    return [
        *([course_sections.targets(results, epochs, options.targets, level)] if options.targets else []),
        course_sections.regret(trials, epochs, rule, onsets, level),
        course_sections.cost(trials, epochs, results.study, level),
        course_sections.skips(trials, epochs, onsets, level),
        course_sections.diagnostics(trials, epochs, accuracies.headline_lookup(trials), level),
    ]


def _definitions(trials: pd.DataFrame, options: Options) -> dict[str, str]:
    rule, foreign = options.collapse, bool(accuracies.foreign_columns(trials))
    told = _DEFINITIONS_OF_TABLES if foreign else _DEFINITIONS
    numbers = {"percent": percent(options.level), "quantile": 1 - options.alpha / 2}
    filled = {name: text.format(**numbers) for name, text in told.items()}
    if foreign:
        return filled
    what = "An outcome" if rule.below is not None else "Here only a fact about the derived cell, not its accuracy"
    return {**filled, "Collapse": f"{what}: {rule.words(trials)}."}


def accuracy(trials: pd.DataFrame, level: float) -> Section:
    """Every seed's accuracy, validation and test apart."""
    known = accuracies.known(trials)
    drawn = figures.drawn(trials)
    if not known:
        return Section("accuracy", "Accuracy over seeds", absent="no trial ended with an accuracy")
    lead = (
        f"One dot is one seed. The diamond is their mean, the bar its {percent(level)} Student-t interval (three "
        f"seeds or more); from {drawings.BOX_FROM} seeds on, a box shows median and quartiles."
        + figures.drawn_note(trials)
    )
    shown = [figures.seeds(drawn, column, level) for column in known]
    return Section("accuracy", "Accuracy over seeds", lead + _unknown_note(trials), shown)


def tables(trials: pd.DataFrame, level: float) -> Section:
    """All numbers."""
    noise, cost = summary_tables.training_noise(trials), summary_tables.cost(trials)
    known = accuracies.known(trials)
    shown = [
        *([summary_tables.overview(trials)] if known else []),
        *(_folded(summary_tables.detail(trials, c, level), c != accuracies.headline(trials)) for c in known),
        *([noise] if noise else []),
        *([cost] if cost else []),
    ]
    if not shown:
        return Section("tables", "Tables", absent="no trial ended with an accuracy")
    seeds = accuracies.seeds(accuracies.headline(trials))
    lead = f"Every ± is a standard deviation over {seeds} unless its table says otherwise." + _unknown_note(trials)
    return Section("tables", "Tables", lead, tables=shown)


def robustness(trials: pd.DataFrame, options: Options) -> Section:
    """How the seeds of a variant hold up: tails, rates, collapse, agreement, sources of variance."""
    known = accuracies.known(trials)
    rule, has_cells = options.collapse, accuracies.is_known(trials, "genotype")
    variance = robustness_tables.variance_sources(trials, options.level)
    foreign = bool(accuracies.foreign_columns(trials))
    shown = [
        *([] if foreign else [summary_tables.counts(trials), robustness_tables.lost(trials, options.level)]),
        *([robustness_tables.collapse(trials, rule, options.level)] if rule.is_judged(trials) else []),
        *([robustness_tables.agreement_table(trials), summary_tables.cell_kinds(trials)] if has_cells else []),
        *([variance] if variance else []),
    ]
    for column in known:
        table = robustness_tables.tails(trials, column, baseline(trials, column, options.table), options.level)
        shown.append(_folded(table, column != accuracies.headline(trials)))
    lead = "What a mean hides. Trials without a result stay in every denominator that is named n."
    if not foreign:
        lead += "" if has_cells else " No cells are recorded, so their agreement over seeds is unknown."
        lead += "" if variance else " The benchmark's training seeds are unknown, so their variance is not told apart."
    return Section("robustness", "Robustness", lead, tables=shown)


def _folded(table: Table, folded: bool) -> Table:
    return replace(table, folded=folded)


def planning(trials: pd.DataFrame, options: Options, paired: bool) -> Section:
    """How many seeds the next study needs; ``paired``: equal seeds are claimed to be pairs."""
    plan = robustness_tables.plan(trials, accuracies.headline(trials), options.margin, paired, options.alpha)
    if plan is None:
        return Section("planning", "Seeds needed", absent="a plan needs a variant with at least three seeds")
    lead = (
        f"For the next study: what it takes to know a mean to within, or to detect a difference of, {options.margin:g} "
        "points. Spreads of few seeds are known poorly, so the plan uses the upper end of what they may be."
    )
    return Section("planning", "Seeds needed", lead, tables=[plan])


def printed(trials: pd.DataFrame) -> Section:
    """Numbers of the literature beside ours."""
    table = robustness_tables.printed(trials, [c for c in accuracies.TABLE if accuracies.is_known(trials, c)])
    if table is None:
        return Section("printed", "Beside printed numbers", absent="none is known for these methods")
    lead = "What is printed of the same methods on the same benchmark."
    return Section("printed", "Beside printed numbers", lead, tables=[table])


def cells(trials: pd.DataFrame) -> Section:
    """The cells that were derived most often, drawn."""
    dataset = accuracies.own_dataset(trials)
    columns = [Accuracy(dataset, split).column for split in SPLITS]
    top = top_cells(figures.drawn(trials), columns)
    if top.empty:
        return Section("cells", "Derived cells", absent="no trial ended with a derived cell")
    space, shown = space_of(trials), dict[str, list[Cell]]()
    for row in top.to_dict("records"):
        parts = [f"{row['count']} of {row['derived']} trials"]
        for column in columns:
            value = f"{number(row[column])} %" if pd.notna(row[column]) else "unknown"
            parts.append(f"{accuracies.words(column).short} {value}")
        drawn = "".join(cell_svg(graph) for graph in space.graphs(space.parse(row["genotype"])))
        cell = Cell(drawn, row["genotype"], parts)
        shown.setdefault(str(row["variant"]), []).append(cell)
    lead = (
        "Up to three cells a variant, those it derived most often (ties in alphabetical order). Nodes are feature "
        "maps, edges operations; dotted grey edges carry nothing. Accuracies are means over the table's training seeds."
    )
    return Section("cells", "Derived cells", lead + figures.drawn_note(trials), cells=shown)


def failed(trials: pd.DataFrame) -> Section:
    """Every failure with its reason."""
    lost = failures(trials)
    title = "Failed and diverged trials"
    if accuracies.foreign_columns(trials):
        return Section("failures", title, absent="the table does not say how runs ended")
    if lost.empty:
        return Section("failures", title, absent=f"none of the {len(trials)} recorded trials failed or diverged")
    traces = lost.dropna(subset="traceback").groupby("traceback", sort=False)["trial_id"].agg(["size", "first"])
    traces = traces.sort_values("size", ascending=False, kind="stable").head(_MOST_TRACEBACKS)
    texts = {f"Traceback of {r['size']} trials, first {r['first']}": str(trace) for trace, r in traces.iterrows()}
    lead = f"{len(lost)} of {len(trials)} recorded trials. They count in every n, and in no mean."
    return Section("failures", title, lead, tables=[summary_tables.failed(trials)], texts=texts)


def provenance(results: Results) -> Section:
    """The study as run, the environment, and what the data were."""
    trials = results.trials
    if accuracies.foreign_columns(trials):
        about = {"The table": json.dumps(results.environment, indent=2, ensure_ascii=False)}
        return Section("provenance", "Provenance", "What the table is.", tables=[settings(trials)], texts=about)
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
    return Section(
        "provenance", "Provenance", "What this study was made of.", [], [settings(trials)], {}, definitions, texts
    )


def _tally(values: pd.Series) -> str:
    counts = values.astype(object).where(values.notna(), "not recorded").value_counts().sort_index()
    if len(counts) == 1:
        return str(counts.index[0])
    return ", ".join(f"{value} ({count} trials)" for value, count in counts.items())


def _unknown_note(trials: pd.DataFrame) -> str:
    known = accuracies.known(trials)
    if accuracies.foreign_columns(trials):
        return ""
    unknown = [accuracies.title(column) for column in accuracies.TABLE if column not in known]
    if not unknown:
        return ""
    if len(unknown) == len(accuracies.TABLE):
        return " Table accuracies are unknown: no trial that ended ok was looked up in a benchmark table."
    return f" Unknown, because the benchmark table in use lacks them: {listed(unknown)}."
