"""How well a method holds up over search seeds: spread, interval, worst seed, regret, collapse.

Pure functions: tidy frames in (rows of study.store.schema, with the column ``variant``), one frame out. The unit of
replication is the search seed. Accuracies are percent, regrets percentage points. Values come from trials that ended
``ok``; ``n`` counts all recorded trials, so what failed or diverged stays in sight.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.results.accuracies import headline, headline_regret, lower_is_better, title
from analysis.robustness.derived import derived, space_of
from analysis.statistics.estimate import LEVEL
from analysis.statistics.intervals import MINIMUM_N, t_multiplier
from study.store.schema import STATUSES
from trainables.benchmarks.accuracies import Accuracy

LOST = ("diverged", "failed")
"""How a trial ends that was run to its end and has no result; what a scheduler stopped is not among them."""


def accounting(trials: pd.DataFrame) -> pd.DataFrame:
    """Recorded trials per variant: n, one column a status, and the number of distinct seeds."""
    seeds = trials.groupby("variant", observed=True)["seed"].nunique()
    return _ended(trials).assign(seeds=seeds).reset_index()


def _ended(trials: pd.DataFrame) -> pd.DataFrame:
    """``accounting`` without the seeds, by variant."""
    frame = pd.DataFrame({"n": trials.groupby("variant", observed=True).size()})
    for status in STATUSES:
        frame[status] = (trials["status"] == status).groupby(trials["variant"], observed=True).sum()
    return frame


def summarise(trials: pd.DataFrame, column: str, level: float = LEVEL) -> pd.DataFrame:
    """``column`` over the search seeds of each variant; missing numbers are NaN.

    Columns: variant; n and one column a status (trials); values (ok trials where the column is known); mean; std
    (ddof=1, NaN below 2 values); low, high (Student-t interval of the mean, NaN below 3 values: two seeds give a
    multiplier of 12.7, which informs nobody); median; worst and best (where less is better worst is the largest).
    """
    values = trials[column].where(trials["status"] == "ok").groupby(trials["variant"], observed=True)
    frame = values.agg(["count", "mean", "std", "median", "min", "max"])
    multiplier = [t_multiplier(int(n), level) if n >= MINIMUM_N else float("nan") for n in frame["count"]]
    half = multiplier * frame["std"] / np.sqrt(frame["count"].where(frame["count"] > 0))
    lowest, highest = frame["min"], frame["max"]
    worst, best = (highest, lowest) if lower_is_better(column) else (lowest, highest)
    summary = pd.DataFrame(
        {
            "values": frame["count"],
            "mean": frame["mean"],
            "std": frame["std"],
            "low": frame["mean"] - half,
            "high": frame["mean"] + half,
            "median": frame["median"],
            "worst": worst,
            "best": best,
        }
    )
    return _ended(trials).reset_index().merge(summary.reset_index(), on="variant")


def final_table(trials: pd.DataFrame, column: str | None = None) -> pd.DataFrame:
    """The few numbers that end a run, one row a variant, best mean first.

    Columns: variant, n, ok, failed, diverged; values (trials with one), mean, std (over search seeds, ddof=1) and worst
    of ``column``, the study's headline accuracy unless given; regret (mean; see accuracies.headline_regret). ``attrs``:
    ``column``, and ``title``, which says in words what the numbers are.
    """
    column = column or headline(trials)
    regret = headline_regret(trials)
    summary = summarise(trials, column).assign(regret=summarise(trials, regret)["mean"])
    names = ["variant", "n", "ok", "failed", "diverged", "values", "mean", "std", "worst", "regret"]
    table = summary.sort_values("mean", ascending=lower_is_better(column), kind="stable")[names].reset_index(drop=True)
    table.attrs = {"column": column, "title": f"{title(column)} (%), std over search seeds; {title(regret)} (points)"}
    return table


def training_seed_spread(trials: pd.DataFrame, accuracy: Accuracy) -> pd.DataFrame:
    """How much the benchmark's own training seeds move the accuracy of the cells a variant derived.

    Columns: variant; cells (derived cells with at least two training seeds in the table, repeats counted); spread (the
    median over those cells of the std over training seeds, ddof=1). This is not the spread over search seeds.
    """
    spread = trials[accuracy.seeds].std(axis=1, ddof=1).where(trials["status"] == "ok")
    grouped = spread.groupby(trials["variant"], observed=True)
    return pd.DataFrame({"cells": grouped.count(), "spread": grouped.median()}).reset_index()


def derived_cells(trials: pd.DataFrame) -> pd.DataFrame:
    """What kind of cells each variant derived.

    Columns: variant, n; derived (ok trials with a cell); distinct cells; classes (distinct up to what the space counts
    as one); modal (percent of derived cells that are the most frequent one); skips (mean percent of edges that are skip
    connections); disconnected (cells whose output no path reaches).
    """
    space, (places, known) = space_of(trials), derived(trials)

    def of_trials(values: Iterable[object]) -> np.ndarray:
        return np.array([*values, np.nan], dtype=float)[places]

    cells = pd.DataFrame(
        {
            "variant": trials["variant"].array,
            "cell": of_trials(range(len(known))),
            "class": of_trials(pd.factorize(np.array([space.key(cell) for cell in known], dtype=object))[0]),
            "skips": of_trials(space.skips(cell) for cell in known),
            "disconnected": of_trials(not space.is_connected(cell) for cell in known),
        }
    )
    grouped = cells.groupby("variant", observed=True)
    frame = pd.DataFrame(
        {
            "n": grouped.size(),
            "derived": grouped["cell"].count(),
            "distinct": grouped["cell"].nunique(),
            "classes": grouped["class"].nunique(),
            "modal": grouped["cell"].agg(lambda g: 100 * g.value_counts(normalize=True).max()),
            "skips": 100 * grouped["skips"].mean() / space.edges,
            "disconnected": grouped["disconnected"].sum().astype(int),
        }
    )
    return frame.reset_index()


def top_cells(trials: pd.DataFrame, accuracies: list[str], per_variant: int = 3) -> pd.DataFrame:
    """The cells each variant derived most often: variant, genotype, count, derived, and the ``accuracies`` of the cell.

    Ties go to the genotype that is first in the alphabet, so that the choice never depends on accuracy.
    """
    ok = (trials["status"] == "ok") & trials["genotype"].notna()
    derived = trials.loc[ok, ["variant", "genotype", *accuracies]]
    grouped = derived.groupby(["variant", "genotype"], observed=True)
    frame = grouped[accuracies].mean().assign(count=grouped.size()).reset_index()
    frame = frame.sort_values(["variant", "count", "genotype"], ascending=[True, False, True], kind="stable")
    frame["derived"] = frame.groupby("variant", observed=True)["count"].transform("sum")
    return frame.groupby("variant", observed=True).head(per_variant).reset_index(drop=True)


def failures(trials: pd.DataFrame) -> pd.DataFrame:
    """Every trial that failed or diverged: variant, seed, status, error, trial_id, traceback."""
    failed = trials[trials["status"].isin(LOST)]
    return failed[["variant", "seed", "status", "error", "trial_id", "traceback"]].reset_index(drop=True)
