"""The report's sentences: what was run, who leads, who collapsed, what failed, and what these seeds cannot tell.

Every sentence follows from one rule and one number that the tables show too. No sentence claims significance.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.pages.words import interval, listed, number
from analysis.results import accuracies
from analysis.results.absent import absent_seeds
from analysis.robustness.collapse import Collapse, collapse_probability
from analysis.robustness.summary import LOST, accounting, summarise
from analysis.statistics.attainable import attainable_paired, attainable_unpaired
from analysis.statistics.estimate import ALPHA, percent
from trainables.benchmarks.accuracies import DATASETS


def findings(name: str, trials: pd.DataFrame, rule: Collapse, alpha: float = ALPHA) -> list[str]:
    """What the study found, most general first; ``rule`` says what has collapsed, intervals are of 1 - ``alpha``."""
    level = 1 - alpha
    if accuracies.foreign_columns(trials):
        return [_what_is_in_it(name, trials), *_who_leads(trials, level), *_collapse(trials, rule, level)]
    return [
        _what_was_run(name, trials),
        *_who_leads(trials, level),
        *_collapse(trials, rule, level),
        _what_failed(trials),
    ]


def cautions(trials: pd.DataFrame, study: dict[str, Any], paired: bool = True, alpha: float = ALPHA) -> list[str]:
    """What must not be concluded from these records; empty only for an uncommonly careful study.

    ``paired``: equal seeds of two methods are claimed to draw the same; ``alpha``: the level of a test of two.
    """
    return [
        *_not_yet_run(trials, study),
        *_absent(trials),
        *_few_seeds(trials, paired, alpha),
        *_unequal_arms(trials),
        *_what_was_measured(trials),
        *_mixed_sources(trials),
    ]


def _what_was_run(name: str, trials: pd.DataFrame) -> str:
    counts = accounting(trials)
    fewest, most = counts["seeds"].min(), counts["seeds"].max()
    seeds = _plural(most, "search seed") if fewest == most else f"{fewest} to {most} search seeds"
    methods = _plural(trials["method"].nunique(), "method")
    arms = methods if trials["method"].nunique() == len(counts) else f"{len(counts)} variants of {methods}"
    searched = sorted(trials["dataset"].dropna().unique())
    stopped = (trials["status"] == "stopped").sum()
    return (
        f"Study {name} ran {arms}{f' on {listed(searched)}' if searched else ''} with {seeds} each: "
        f"{_plural(len(trials), 'trial')}, {counts['ok'].sum()} ended ok, {counts['diverged'].sum()} diverged, "
        f"{counts['failed'].sum()} failed{f', {stopped} were stopped early' if stopped else ''}."
    )


def _what_is_in_it(name: str, trials: pd.DataFrame) -> str:
    """Of a table from elsewhere: who ran what, and how it ended, is not known."""
    counts, column = accounting(trials), accuracies.headline(trials)
    fewest, most = counts["seeds"].min(), counts["seeds"].max()
    seeds = _plural(most, "seed") if fewest == most else f"{fewest} to {most} seeds"
    methods = _plural(trials["method"].nunique(), "method")
    arms = methods if trials["method"].nunique() == len(counts) else f"{len(counts)} variants of {methods}"
    known = int(trials[column].notna().sum())
    without = f", {len(trials) - known} have none" if known < len(trials) else ""
    return (
        f"Table {name} holds {arms} with {seeds} each: {_plural(len(trials), 'run')}, of which {known} have a value of "
        f"{accuracies.title(column)}{without}."
    )


def _who_leads(trials: pd.DataFrame, level: float) -> list[str]:
    column = accuracies.headline(trials)
    known = summarise(trials, column, level).dropna(subset="mean")
    known = known.sort_values("mean", ascending=accuracies.lower_is_better(column), kind="stable")
    unit, seeds = accuracies.percent(column), accuracies.seeds(column)
    if known.empty:
        return ["No trial ended with an accuracy, so nothing can be compared."]
    best = known.iloc[0]
    spread = f" ± {number(best['std'])}" if best["values"] > 1 else ""
    alone = f"one {seeds.removesuffix('s')}, so no spread is known"
    over = f"std over {best['values']} {seeds}" if best["values"] > 1 else alone
    bounds = ""
    if best["values"] > 2:
        bounds = f", {percent(level)} interval of the mean {interval(best['low'], best['high'])}"
    verb = f"has the {accuracies.extreme(column, best=True)} mean" if len(known) > 1 else "reaches"
    sentences = [
        f"On {accuracies.title(column)}, {best['variant']} {verb}: {number(best['mean'])}{spread}{unit} "
        f"({over}{bounds}; "
        f"worst seed {number(best['worst'])}{unit}{_lost(best)})."
    ]
    if len(known) > 1:
        sentences.append(_how_clear(best, known.iloc[1:], accuracies.lower_is_better(column)))
        widest = known.loc[known["std"].idxmax()] if known["std"].notna().any() else None
        if widest is not None:
            sentences.append(
                f"{widest['variant']} spreads most: std {number(widest['std'])} over {widest['values']} seeds, from "
                f"{number(widest['worst'])} to {number(widest['best'])}{unit}."
            )
    return sentences


def _lost(arm: pd.Series) -> str:
    lost = arm["n"] - arm["values"]
    return f"; {lost} of its {_plural(arm['n'], 'trial')} gave no result" if lost else ""


def _how_clear(best: pd.Series, others: pd.DataFrame, lower: bool) -> str:
    if pd.isna(best["low"]):
        return "Fewer than three seeds give no interval: this order may be chance."
    unknown = others["low"].isna()
    overlapping = others[~unknown & (others["low"] <= best["high"] if lower else others["high"] >= best["low"])]
    if not overlapping.empty:
        return (
            f"The interval overlaps with {listed(overlapping['variant'].astype(str))}: the order among these is not "
            "settled by these seeds. No test was made."
        )
    apart = "the other variants'" if not unknown.any() else "every other interval that is known"
    return f"Its interval lies apart from {apart}. No test was made."


def _collapse(trials: pd.DataFrame, rule: Collapse, level: float) -> list[str]:
    cells = collapse_probability(trials, rule, level)
    cells = cells[cells["judged"] > 0]
    if cells.empty:
        return []
    collapsed = cells[cells["collapsed"] > 0].sort_values("share", ascending=False, kind="stable")
    words = rule.words(trials)
    if collapsed.empty:
        fewest = cells.loc[cells["judged"].idxmin()]
        return [
            f"No search collapsed ({words}); for {fewest['variant']}, with {_plural(fewest['judged'], 'search', 'es')}"
            f", that still allows a probability of up to {number(fewest['high'], 0)} % ({percent(level)} interval)."
        ]
    shares = [f"{row.variant} ({row.collapsed} of {row.judged})" for row in collapsed.itertuples()]
    return [f"Searches collapsed ({words}) with {listed(shares)}."]


def _what_failed(trials: pd.DataFrame) -> str:
    lost = trials[trials["status"].isin(LOST)]
    if lost.empty:
        return "No trial failed or diverged."
    counts = lost.groupby("variant", observed=True).size().sort_values(ascending=False, kind="stable")
    shares = listed(f"{variant} ({count})" for variant, count in counts.items())
    return f"{len(lost)} of {_plural(len(trials), 'trial')} gave no result: {shares}. The reasons are listed below."


def _not_yet_run(trials: pd.DataFrame, study: dict[str, Any]) -> list[str]:
    """Compares the records with the methods and seeds of study.yaml, where it lists them."""
    notes = []
    if absent := sorted(set(study.get("methods") or {}) - set(trials["method"].unique())):
        notes.append(f"The study is incomplete: no trial of {listed(absent)} is recorded.")
    planned = study.get("seeds")
    if isinstance(planned, list):
        missing = trials.groupby("variant", observed=True)["seed"].agg(lambda seeds: len(set(planned) - set(seeds)))
        if short := [f"{variant} ({count})" for variant, count in missing[missing > 0].items()]:
            notes.append(f"The study is incomplete: planned seeds are not recorded for {listed(short)}.")
    return notes


def _absent(trials: pd.DataFrame) -> list[str]:
    """What has no value, though nobody says that it failed."""
    column = accuracies.headline(trials)
    notes = []
    # Of a study's own trials those that failed are named elsewhere, with their reasons.
    judged = trials["status"].notna() if accuracies.is_foreign(column) else trials["status"] == "ok"
    counts = (judged & trials[column].isna()).groupby(trials["variant"], observed=True).sum()
    totals = trials.groupby("variant", observed=True).size()
    if short := [f"{variant} ({count} of {totals[variant]})" for variant, count in counts.items() if count]:
        notes.append(f"Without a value of {accuracies.title(column)}: {listed(short)}. Means are over the others.")
    lacking = absent_seeds(trials)
    if short := [f"{v} ({count} of {totals[v] + count})" for v in totals.index if (count := lacking[str(v)])]:
        notes.append(
            f"Seeds of the others without a row: {listed(short)}. Whether these runs were never made, or were lost or "
            "left out because they failed, the records do not say."
        )
    return notes


def _few_seeds(trials: pd.DataFrame, paired: bool, alpha: float) -> list[str]:
    counts = summarise(trials, accuracies.headline(trials))[["variant", "values"]]
    fewest = counts["values"].min()
    thin = listed(counts.loc[counts["values"] == fewest, "variant"].astype(str))
    if fewest < 3:
        with_result = ("no seed", "one seed", "two seeds")[fewest]
        return [f"{thin}: {with_result} with a result. A spread needs two seeds, an interval three."]
    arms = attainable_paired(fewest, alpha=alpha) if paired else attainable_unpaired(fewest, fewest, alpha=alpha)
    if fewest < arms.needed_n:
        test, seeds = ("paired", "common seeds") if paired else ("permutation", "seeds in each of two arms")
        return [
            f"{thin}: {fewest} seeds with a result. An exact {test} test cannot reach p ≤ {alpha:g} (two-sided) below "
            f"{arms.needed_n} {seeds}, whatever the difference."
        ]
    return []


def _unequal_arms(trials: pd.DataFrame) -> list[str]:
    notes = []
    seeds = trials.groupby("variant", observed=True)["seed"].agg(lambda s: frozenset(s))
    if seeds.nunique() > 1:
        notes.append("The variants did not run on the same seeds: worst and best are extremes of unequal samples.")
    if (trials["status"] == "stopped").any():
        notes.append("Means leave out what a scheduler stopped early: the survivors were chosen, which flatters them.")
    if trials["status"].isin(LOST).any() and not accuracies.foreign_columns(trials):
        notes.append("Means leave out what failed or diverged; where failing is the method's doing, they flatter it.")
    configs = trials.groupby("method")["config"].nunique()
    if (configs > 1).any():
        method = configs.idxmax()
        notes.append(
            f"The best of {configs.max()} settings of {method} is picked on the seeds that it is shown on: its mean "
            "is biased upwards."
        )
    scale = ["epochs", "channels", "cells", "batch_size"]
    settings = trials[[c for c in ("protocol", *scale, "hp.queries") if c in trials]]
    trained, queried = settings[settings["protocol"].notna()], settings[settings["protocol"].isna()]
    budgets = [c for c in scale if trained[c].nunique() > 1]
    if budgets:
        notes.append(f"The searches differ in {listed(b.replace('_', ' ') for b in budgets)}: not at equal budget.")
    if "hp.queries" in queried and queried["hp.queries"].where(queried["epochs"].notna()).nunique(dropna=False) > 1:
        notes.append("The methods that query the table spend different numbers of queries: not at equal budget.")
    headline = accuracies.headline(trials)
    if len(trained) and len(queried) and headline in accuracies.TABLE and accuracies.TABLE[headline].split == "valid":
        notes.append(
            "Methods that query the table choose by its validation accuracy: on that number they are favoured over "
            "methods that train."
        )
    if trained["protocol"].nunique() > 1:
        used = listed(sorted(trained["protocol"].unique()))
        notes.append(f"Protocols {used} divide the data differently: do not compare validation accuracies across them.")
    return notes


def _what_was_measured(trials: pd.DataFrame) -> list[str]:
    notes = []
    if accuracies.foreign_columns(trials):
        return ["The results came from elsewhere: what the numbers mean, and how they were chosen, is not recorded."]
    retrained = accuracies.is_known(trials, accuracies.RETRAIN)
    if not any(accuracies.is_known(trials, c) for c, a in accuracies.TABLE.items() if a.split == "test"):
        notes.append(
            "The table's test accuracies are unknown: "
            + ("only retrained accuracies are test results." if retrained else "nothing here is a test result.")
        )
    ok = trials["status"] == "ok"
    for column, accuracy in accuracies.TABLE.items():
        if not accuracies.is_known_ok(trials, column):
            continue
        looked_up = ok & trials[column].notna()
        if trials.loc[looked_up, accuracy.regret].isna().all():
            notes.append(
                f"The table knows {accuracies.title(column)} of a part of the cells: it has no best cell and no regret,"
                f" and is known of {looked_up.sum()} of the {_plural(ok.sum(), 'trial')} that ended ok. Means of it "
                "are over those, which need not be like the others."
            )
    searched = set(trials["dataset"].dropna().unique())
    if len(searched) > 1:
        notes.append("Searches on different data sets are compared: for some of them an accuracy is a transfer.")
    if foreign := sorted(searched - set(DATASETS)):
        notes.append(
            f"The search saw {listed(foreign)}, which the benchmark table does not have: the table's accuracies are "
            "those of the same cells trained on its own data sets, a transfer."
        )
    if retrained:
        notes.append("Each cell was retrained once: that spread mixes search seeds with the noise of one training.")
    return notes


def _mixed_sources(trials: pd.DataFrame) -> list[str]:
    notes = []
    if trials["table_fingerprint"].nunique() > 1:
        notes.append("Looked-up accuracies come from more than one version of the benchmark table.")
    if (trials.groupby("dataset")["dataset_fingerprint"].nunique() > 1).any():
        notes.append("Trials on one data set saw different images: more than one data set fingerprint is recorded.")
    if trials["code_version"].nunique() > 1:
        notes.append(f"Trials were run by {trials['code_version'].nunique()} versions of the code; see the provenance.")
    return notes


def _plural(count: int, noun: str, ending: str = "s") -> str:
    return f"{count} {noun}{'' if count == 1 else ending}"
