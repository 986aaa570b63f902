"""The sections on the course of the searches: regret against epoch, time and cost, skip connections, diagnostics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.pages.page import Section
from analysis.pages.table import Table
from analysis.pages.words import listed
from analysis.results import accuracies
from analysis.results.epochs import Epochs
from analysis.results.from_store import Results
from analysis.robustness import drawings, figures, proxies
from analysis.robustness.collapse import Collapse
from analysis.robustness.courses import anytime
from analysis.robustness.courses import figures as course_figures
from analysis.robustness.courses import targets as time_to_target
from analysis.robustness.derived import space_of
from analysis.robustness.summary_tables import early_stopping
from analysis.statistics.estimate import LEVEL, percent
from trainables.benchmarks.accuracies import DATASETS, Accuracy
from trainables.metrics import DIAGNOSTICS

EPOCH_COLUMNS = [
    *accuracies.REGRETS,
    *(metric.name for metric in DIAGNOSTICS),
    "skip_share",
    *anytime.TIMES,
]
"""What these sections read of the epochs, beside what the rule of collapse looks at."""
_NO_EPOCHS = "no cells of epochs are recorded"
_NO_REGRET = "there was no benchmark table to look the cells of epochs up in"


def regret(trials: pd.DataFrame, epochs: Epochs, rule: Collapse, onsets: pd.DataFrame, level: float = LEVEL) -> Section:
    """Regret of the cell that would be derived at each epoch; test where the table has it."""
    columns, absent = _regret_columns(epochs)
    if not columns:
        return Section("regret", "Regret against epoch", absent=_NO_REGRET if epochs else _NO_EPOCHS)
    lead = (
        "How far the cell that would be derived at each epoch lies below the best cell of the table; it is looked up, "
        f"and no search that trains ever sees it. Thin lines are search seeds (above {drawings.LINES_UP_TO} seeds, a "
        "band from the 10th to the 90th percentile), the thick line is the mean of the trials that ended ok, the dark "
        f"band its pointwise {percent(level)} t interval; the grey band spans the means of all variants. A cross marks "
        f"the epoch from which on a seed stays collapsed ({rule.words(trials)}). The axis is logarithmic above 0.1 "
        "points."
    )
    own = accuracies.own_dataset(trials)
    shown, tables = [], []
    for column in columns:
        shown += figures.course(figures.drawn(trials), epochs, column, onsets, level)
        stopped = anytime.early_stopping(trials, epochs, column, level)
        table = early_stopping(stopped, onsets, column, level)
        tables.append(replace(table, folded=not column.startswith(f"{own}_")))
    lead += f" Unknown for {listed(absent)}." if absent else ""
    return Section("regret", "Regret against epoch", lead + figures.drawn_note(trials), shown, _with_rows(tables))


def cost(trials: pd.DataFrame, epochs: Epochs, study: dict[str, Any], level: float = LEVEL) -> Section:
    """Regret against time and cost, on the study's own data set."""
    title = "Regret against time and cost"
    columns, _ = _regret_columns(epochs)
    own = accuracies.own_dataset(trials)
    column = next((c for c in columns if c.startswith(f"{own}_")), columns[0] if columns else "")
    if not column:
        return Section("cost-course", title, absent=_NO_REGRET if epochs else _NO_EPOCHS)
    drawn = figures.drawn(trials)
    curve = anytime.against_seconds(drawn, epochs, column, level)
    factor, unit = anytime.hours_factor(study, trials)
    found = [course_figures.by_time(curve, column), course_figures.by_cost(curve, column, factor, unit)]
    if not (shown := [plot for plot in found if plot]):
        return Section("cost-course", title, absent="no times are recorded with the epochs")
    lead = (
        "The same regret against what it cost. Time is that of the search steps alone, on the machines it ran on: "
        "compare it only between trials that shared them. For methods that query the table it is the training time "
        "that the queries stand for, where that was recorded; otherwise they are left out. A search that has ended "
        "keeps its cell. Each variant is drawn from its first to its last budget."
    )
    if factor is None:
        lead += " What share of a GPU each trial had under `gpu: auto` is not recorded, so its cost is unknown."
    return Section("cost-course", title, lead + figures.drawn_note(trials), shown)


def skips(trials: pd.DataFrame, epochs: Epochs, onsets: pd.DataFrame, level: float = LEVEL) -> Section:
    """Share of skip connections over the search."""
    shown = figures.course(figures.drawn(trials), epochs, "skip_share", onsets, level)
    title = "Skip connections over the search"
    if not shown:
        return Section("skips", title, absent="no skip connections are recorded" if epochs else _NO_EPOCHS)
    lead = (
        f"How many of the {space_of(trials).edges} edges of the cell that would be derived at each epoch are skip "
        "connections. A curve that climbs late in the search is the usual sign of collapse; it foretells poor cells, "
        "it does not prove them."
    )
    return Section("skips", title, lead, shown)


def diagnostics(trials: pd.DataFrame, epochs: Epochs, column: str, level: float = LEVEL) -> Section:
    """What the supernet says of itself, and what training-free scores say of the derived cells."""
    title = "Diagnostics"
    shown = course_figures.diagnostics(figures.drawn(trials), epochs, level)
    scores = proxies.proxy_table(trials, column) if column in accuracies.TABLE else None
    if not shown and scores is None:
        absent = "no discretisation gap, entropy, Hessian eigenvalue or training-free score is recorded"
        return Section("diagnostics", title, absent=absent if epochs else _NO_EPOCHS)
    lead = (
        "Signals that are meant to foretell a poor cell without training it. Discretisation gap: accuracy of the "
        "shared weights under the mixing weights minus that under the derived cell alone. Entropy of the mixing "
        "weights: 1 is undecided, 0 decided. Largest Hessian eigenvalue of the validation loss in the architecture "
        "parameters: a steep rise is RobustDARTS' sign of collapse. A method that has no such number is not drawn."
    )
    return Section("diagnostics", title, lead, shown, [scores] if scores else [])


def targets(results: Results, epochs: Epochs, asked: Sequence[float], level: float = LEVEL) -> Section:
    """How long runs take to reach each target ``asked`` for. Raises ConfigError; see targets.checked."""
    columns = time_to_target.looked_at(results, epochs)
    wanted = time_to_target.checked(asked, results, columns)
    trials = results.trials
    drawn = [str(variant) for variant in figures.drawn(trials)["variant"].cat.categories]
    shown, tables, said = [], [], []
    for column in columns:
        runs = time_to_target.runs_to(results, epochs, column, wanted)
        units = [*runs["unit"].unique(), "seconds"]
        shown += [plot for unit in units if (plot := course_figures.reached(runs, column, unit, drawn))]
        tables.append(time_to_target.targets_table(runs, column, level))
        said += time_to_target.told(runs, column)
    lead = (
        "A run has reached a target at its first value as good, though nothing told it so, and whether it kept it or "
        "not; a run that failed has spent its budget, too. The expected running time is that of starting run after run "
        "until one has reached the target (COCO's)."
    )
    if results.traces is None:
        lead += " The value is the looked-up one of the cell that the run would have returned."
    return Section("targets", "Time to target", f"{' '.join(said)} {lead}{figures.drawn_note(trials)}", shown, tables)


def _regret_columns(epochs: Epochs) -> tuple[list[str], list[str]]:
    """One regret a data set, test where it is known; and the data sets without."""
    columns, absent = [], []
    for dataset in DATASETS:
        both = [Accuracy(dataset, split).regret for split in ("test", "valid")]
        column = next((c for c in both if c in epochs.known), None)
        if column:
            columns.append(column)
        else:
            absent.append(accuracies.DATASET_TITLES[dataset])
    return columns, absent


def _with_rows(tables: list[Table]) -> list[Table]:
    return [table for table in tables if len(table.data)]
