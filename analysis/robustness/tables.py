"""Tables of how well a method holds up: tails, rates, collapse, agreement, sources of variance, plans, printed numbers.

Each is made of one frame of spread.py, collapse.py, agreement.py, planning.py or published.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.pages.table import Table
from analysis.pages.words import UNKNOWN, interval, mean_std, number
from analysis.results import accuracies
from analysis.robustness.agreement import agreement
from analysis.robustness.collapse import Collapse, collapse_probability
from analysis.robustness.planning import plan_seeds
from analysis.robustness.printed import printed_for
from analysis.robustness.spread import Baseline, improvement, intervals, rates, regrets, spread, variance_components
from analysis.robustness.summary import LOST, summarise
from analysis.statistics.estimate import ALPHA, LEVEL, percent
from analysis.statistics.intervals import smallest_n_for_median
from analysis.statistics.summary import IQM_INTERVAL_FROM
from trainables.benchmarks.accuracies import ACCURACIES


def tails(trials: pd.DataFrame, column: str, reference: Baseline | None, level: float = LEVEL) -> Table:
    """Robust centre, worst tail, distance to the best cells, and gain over random sampling, of one accuracy."""
    summary, distance = spread(trials, column), regrets(trials, column, level)
    found = intervals(trials, column, np.random.default_rng(0), level)
    enough = found[found["n"] >= IQM_INTERVAL_FROM]
    of_iqm = enough[(enough["of"] == "IQM") & enough["method"].str.contains("percentile")].set_index("variant")
    of_median = found[found["of"] == "median"].set_index("variant")
    what, unit = accuracies.title(column), accuracies.unit(column)
    shown = summary[["variant"]].copy()
    shown["n"] = summary["n"]
    shown[f"IQM{unit}"] = summary["iqm"].map(number)
    shown[f"IQM interval{unit}"] = [_looked_up(of_iqm, variant) for variant in summary["variant"]]
    shown[f"median interval{unit}"] = [_looked_up(of_median, variant) for variant in summary["variant"]]
    tail = summary["tail"].iloc[0]
    shown[f"CVaR {tail:g}{unit}"] = summary["cvar"].map(number)
    data = summary.merge(distance, on="variant")
    caption = (
        f"Of {what}, over n {accuracies.seeds(column)} that ended ok; {accuracies.direction(column)}. IQM: mean of the "
        "middle values after a quarter is cut at each "
        f"end, with its {percent(level)} percentile bootstrap interval from {IQM_INTERVAL_FROM} seeds on; below four "
        f"seeds it is the mean. Median interval: exact, of order statistics, from {smallest_n_for_median(level)} seeds "
        f"on. CVaR {tail:g}: mean of the worst {100 * tail:g} % of the seeds, up to five seeds the worst one."
    )
    if distance["oracle"].notna().any():
        shown["regret to oracle (points)"] = [_estimate(r, "oracle") for r in distance.to_dict("records")]
    shown["regret to best seen (points)"] = [_estimate(r, "seen") for r in distance.to_dict("records")]
    best = "value of any run" if accuracies.is_foreign(column) else "cell (of the table, of this study)"
    caption += f" Regrets: mean points to the best {best}, {percent(level)} t interval."
    if reference is not None:
        gain = improvement(trials, column, reference, level)
        shown["over random (%)"] = [_estimate(r, "estimate") for r in gain.to_dict("records")]
        data["improvement over random (%)"] = gain["estimate"]
        data["improvement low (%)"], data["improvement high (%)"] = gain["low"], gain["high"]
        data["random sampling mean (%)"] = reference.mean
        caption += (
            f" Over random: relative improvement over random sampling, which reaches {number(reference.mean)} % "
            f"({reference.words}), {percent(level)} t interval with that number taken as exact."
        )
    elif not accuracies.is_foreign(column):
        caption += " What random sampling reaches is unknown here."
    return Table(f"robustness_{accuracies.slug(column)}", f"Robustness: {what}", caption, shown, data)


def lost(trials: pd.DataFrame, level: float = LEVEL) -> Table:
    """Failure and divergence rates."""
    data = rates(trials, level)
    shown = data[["variant", "n"]].copy()
    for status in LOST:
        shown[status] = data[status]
        shown[f"{status} (%)"] = data[f"{status}_share"].map(lambda share: number(share, 1))
        shown[f"{status} interval (%)"] = [
            interval(low, high, 0) for low, high in data[[f"{status}_low", f"{status}_high"]].to_numpy()
        ]
    exact = f"exact (Clopper-Pearson) {percent(level)} interval"
    caption = f"Of all recorded trials (n), with the {exact} of that probability."
    return Table("failure_rates", "Failure and divergence", caption, shown, data)


def collapse(trials: pd.DataFrame, rule: Collapse, level: float = LEVEL) -> Table:
    """Probability of collapse."""
    data = collapse_probability(trials, rule, level)
    shown = pd.DataFrame(
        {
            "variant": data["variant"].astype(str),
            rule.heading(trials): [f"{k} of {n}" for k, n in data[["collapsed", "judged"]].to_numpy()],
            "share (%)": data["share"].map(lambda share: number(share, 0)),
            f"{percent(level)} interval (%)": [interval(a, b, 0) for a, b in data[["low", "high"]].to_numpy()],
        }
    )
    caption = (
        f"Collapsed means here: {rule.words(trials)}. Of the trials that ended ok, with the exact (Clopper-Pearson) "
        f"{percent(level)} interval of the probability of collapse."
    )
    return Table("collapse", "Probability of collapse", caption, shown, data.assign(rule=rule.words(trials)))


def agreement_table(trials: pd.DataFrame) -> Table:
    """Whether the seeds of a variant derive the same cell."""
    data = agreement(trials)
    shown = pd.DataFrame(
        {
            "variant": data["variant"].astype(str),
            "cells": data["derived"],
            "isomorphism classes": data["classes"],
            "modal share (%)": data["modal"].map(lambda share: number(share, 0)),
            "edge agreement (%)": data["pairs"].map(lambda share: number(share, 0)),
            "Fleiss κ": data["fleiss"].map(number),
        }
    )
    caption = (
        "Modal share: derived cells in the most frequent isomorphism class. Edge agreement: mean over edges of the "
        "share of pairs of seeds that chose the same operation. Fleiss κ: agreement beyond chance, which it takes from "
        "the operations' frequencies; 0 none and 1 perfect. Agreement is not quality: seeds that all collapse agree "
        "perfectly."
    )
    return Table("agreement", "Agreement of the derived cells", caption, shown, data)


def variance_sources(trials: pd.DataFrame, level: float = LEVEL) -> Table | None:
    """Search-seed spread apart from the benchmark's training-seed spread; None where no training seeds are known."""
    shown_rows, rows = [], []
    for accuracy in ACCURACIES:
        words = accuracies.words(accuracy.column)
        for variant, found in variance_components(trials, accuracy, level).items():
            if np.isnan(found.search):
                continue
            share = found.icc
            rows.append(
                {"variant": variant, "accuracy": words.title, "search seeds": found.groups,
                 "trainings": found.values, "search std (points)": found.search_std,
                 "training std (points)": found.training_std, "search variance, raw": found.search_raw,
                 "search share": share.estimate, "search share low": share.low, "search share high": share.high,
                 "method": found.method, "note": found.note}
            )  # fmt: skip
            shown_rows.append(
                {"variant": variant, "accuracy": words.short, "seeds": found.groups, "trainings": found.values,
                 "search seeds, std (points)": number(found.search_std),
                 "training seeds, std (points)": number(found.training_std),
                 "share of search (%)": _shares(share.estimate, share.low, share.high)}
            )  # fmt: skip
    if not rows:
        return None
    caption = (
        "Two spreads, never one ±: std over search seeds were each cell trained infinitely often, and std over "
        "trainings of one cell. One-way random effects by the method of moments over the table's single trainings; a "
        "negative search variance is shown as 0. Share of search: of the variance of a single training's accuracy, "
        f"{percent(level)} F interval."
    )
    shown, data = pd.DataFrame(shown_rows), pd.DataFrame(rows)
    return Table("variance_sources", "Search seeds against training seeds", caption, shown, data)


def plan(trials: pd.DataFrame, column: str, margin: float, paired: bool, alpha: float = ALPHA) -> Table | None:
    """Seeds needed, with those of pairs where seeds are ``paired``; None where no variant has three values."""
    data = plan_seeds(trials, column, margin, paired=paired, alpha=alpha)
    if data.empty:
        return None
    shown = pd.DataFrame(
        {
            "variant": data["variant"],
            "seeds now": data["values"],
            "std, upper 80 % (points)": data["planned_std"].map(number),
            f"for ± {margin:g}": data["half_width"].map(_seeds),
            f"to detect {margin:g}": data["unpaired"].map(_seeds),
            "detectable now (points)": data["detectable"].map(number),
        }
    )
    against = ""
    if paired:
        shown["rival"] = data["rival"].replace("", UNKNOWN)
        shown[f"pairs to detect {margin:g}"] = data["paired"].map(_seeds)
        against = (
            ", and pairs of common seeds against the rival (paired t test; the rival is the variant of the best mean, "
            "or for that one the next)"
        )
    caption = (
        f"Seeds needed in {accuracies.title(column)}, planned with the upper 80 % limit of each variant's std. For "
        f"± {margin:g}: until the {percent(1 - alpha)} t interval of the mean has that half-width in points. To detect "
        f"{margin:g} points: seeds in each of two arms of this spread (two-sample t test){against}; two-sided at "
        f"{alpha:g}, power 0.8. Detectable now: the smallest difference that the present seeds would find in two arms. "
        "A plan for the next study, not a test of this one."
    )
    return Table("seeds_needed", "Seeds needed", caption, shown, data, prose=("rival",) if paired else ())


def printed(trials: pd.DataFrame, columns: list[str]) -> Table | None:
    """Numbers printed elsewhere beside ours; None where there are none."""
    parts = []
    for column in columns:
        known = printed_for(trials, column)
        if not known.empty:
            ours = summarise(trials, column)[["variant", "values", "mean", "std"]].astype({"variant": str})
            merged = known.merge(ours, on="variant", suffixes=("_printed", "_ours"))
            parts.append(merged.assign(accuracy=accuracies.title(column), short=accuracies.words(column).short))
    if not parts:
        return None
    data = pd.concat(parts, ignore_index=True).rename(columns={"n": "n_printed", "values": "n_ours"})
    shown = pd.DataFrame(
        {
            "variant": data["variant"],
            "accuracy": data.pop("short"),
            "ours (%)": [mean_std(m, s) for m, s in data[["mean_ours", "std"]].to_numpy(float)],
            "n": data["n_ours"],
            "printed (%)": [
                number(m) + (f" ± {number(s)}" if pd.notna(s) else "")
                for m, s in data[["mean_printed", "spread"]].to_numpy(float)
            ],
            "n, printed": data["n_printed"].map(lambda n: UNKNOWN if pd.isna(n) else f"{n:.0f}"),
            "difference (points)": (data["mean_ours"] - data["mean_printed"]).map(number),
            "scale": data["scale"].map({True: "same", False: "printed at another scale"}),
            "source": data["source"],
        }
    )
    caption = (
        "Ours: mean ± std over search seeds (ddof = 1). Printed: as the source has it; a dash where it does not say "
        "over how many searches, so no test against it is possible. At another scale: our supernet or images were "
        "smaller than the benchmark's, so the numbers answer different questions."
    )
    return Table("printed", "Beside printed numbers", caption, shown, data, prose=("source",))


def _estimate(row: dict[str, float], name: str) -> str:
    low, high = ("low", "high") if name == "estimate" else (f"{name}_low", f"{name}_high")
    bounds = interval(row[low], row[high])
    return number(row[name]) + ("" if bounds == UNKNOWN else f" {bounds}")


def _looked_up(frame: pd.DataFrame, variant: str) -> str:
    return interval(frame.loc[variant, "low"], frame.loc[variant, "high"]) if variant in frame.index else UNKNOWN


def _shares(share: float, low: float, high: float) -> str:
    bounds = interval(100 * low, 100 * high, 0)
    return number(100 * share, 0) + ("" if bounds == UNKNOWN else f" {bounds}")


def _seeds(needed: float) -> str:
    if np.isnan(needed):
        return UNKNOWN
    return "over a million" if np.isinf(needed) else f"{needed:,.0f}"
