"""Regret against time and cost, what stopping earlier would have given, and when searches collapse.

Frames in, frames out; the numbers over seeds are those of statistics.anytime. Each seed has, at any budget, the cell it
would return there: the last one derived so far, never the best so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.epochs import Epochs
from analysis.robustness.collapse import Collapse
from analysis.robustness.courses.curves import POINTS, Course, Curves, as_frame, collected, held, in_searches
from analysis.statistics import anytime
from analysis.statistics.intervals import t_interval

TIMES = ("wall_s", "simulated_s")
"""Columns of the epochs that ``with_seconds`` needs."""


def with_seconds(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """``epochs`` of trials that ended ok, with ``variant`` and the seconds of search spent up to each epoch.

    For methods that query the table these are the seconds of training that the queries stand for, where recorded.
    """
    rows = in_searches(trials, epochs)
    trained = trials.loc[trials["protocol"].notna(), "trial_id"]
    spent = rows["wall_s"].astype(float).groupby(rows["trial_id"], observed=True).cumsum()
    return rows.assign(seconds=spent.where(rows["trial_id"].isin(trained), rows["simulated_s"].astype(float)))


def hours_factor(study: dict[str, Any]) -> tuple[float, str]:
    """What an hour of one trial costs by the study's resources: (1, "GPU-hours") of a GPU, else CPU-hours."""
    resources = study.get("resources") or {}
    gpus = float(resources.get("gpu") or 0)
    return (gpus, "GPU-hours") if gpus else (float(resources.get("cpu") or 1), "CPU-hours")


def on_common_grid(trials: pd.DataFrame, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """``by_seconds`` as one frame: variant, trial_id, budget, value."""
    return as_frame(by_seconds(rows, column), trials)


def by_seconds(rows: pd.DataFrame, column: str) -> Iterator[Course]:
    """``column`` of each variant against the seconds of ``with_seconds``, held until it changes.

    Each variant has one logarithmic grid from the first to the last budget at which any of its seeds has a value;
    before a seed's own first value it has none. Variants with fewer than two budgets have no course.
    """
    known = rows[["variant", "trial_id", "seconds", column]].dropna()
    for variant, part in known.groupby("variant", observed=True):
        if part["seconds"].nunique() < 2 or part["seconds"].min() <= 0:
            continue
        grid = np.geomspace(part["seconds"].min(), part["seconds"].max(), POINTS)
        part = part.sort_values("trial_id", kind="stable")
        at, values = part["seconds"].to_numpy(float), part[column].to_numpy(float)
        names, starts = np.unique(part["trial_id"].cat.codes.to_numpy(), return_index=True)
        found = np.full((POINTS, len(names)), np.nan)
        for i, (start, end) in enumerate(zip(starts, [*starts[1:], len(part)], strict=True)):
            place = np.searchsorted(at[start:end], grid * (1 + 1e-12), side="right")
            found[:, i] = np.where(place > 0, values[start:end][np.maximum(place - 1, 0)], np.nan)
        yield Course(str(variant), grid, found, part["trial_id"].cat.categories[names])


def all_against_seconds(trials: pd.DataFrame, epochs: Epochs, column: str) -> Curves:
    """``by_seconds`` of a whole study and its summary, part by part."""
    found = (
        one
        for own, rows in epochs.read(trials, [column, *TIMES])
        for one in by_seconds(with_seconds(own, rows), column)
    )
    return collected(found, trials)


def early_stopping(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """What a perfect choice of the epoch would have gained over the last one, one row a variant, by name.

    Columns: variant; seeds; last (mean regret of the last epoch); lowest (mean over seeds of the lowest regret on the
    way, which only the benchmark knows); gap, low, high (last less lowest, with its 95 % t interval); best_epoch
    (median over seeds of the first epoch of lowest regret); epochs (of the longest search). Points of regret.
    """
    out = []
    for one in held(rows, column):
        values = one.values.T
        gap = anytime.early_stopping_regret(values)
        lowest = anytime.best_so_far(values)[:, -1]
        best = one.at[np.nanargmin(values, axis=1)]
        estimate = t_interval(gap)
        out.append(
            {
                "variant": one.variant,
                "seeds": len(values),
                "last": float(np.mean(lowest + gap)),
                "lowest": float(np.mean(lowest)),
                "gap": estimate.estimate,
                "low": estimate.low,
                "high": estimate.high,
                "best_epoch": float(np.median(best)),
                "epochs": float(one.at[-1]),
            }
        )
    return _by_name(pd.DataFrame(out))


def all_early_stopping(trials: pd.DataFrame, epochs: Epochs, column: str) -> pd.DataFrame:
    """``early_stopping`` of a whole study, part by part."""
    read = epochs.read(trials, [column])
    parts = [early_stopping(in_searches(own, rows), column) for own, rows in read]
    return _by_name(pd.concat(parts)) if parts else pd.DataFrame()


def collapse_onsets(trials: pd.DataFrame, rows: pd.DataFrame, rule: Collapse) -> pd.DataFrame:
    """The epoch from which on a search stays collapsed, one row a seed that does: variant, trial_id, epoch.

    ``rows`` are those of ``in_searches``.
    """
    out = []
    for one in held(rows.assign(flag=rule.of_epochs(trials, rows).astype(float)), "flag"):
        at = anytime.onset(one.at, one.values.T > 0.5)
        collapsed = np.isfinite(at)
        names = one.trials[collapsed].astype(object)
        out.append(pd.DataFrame({"variant": one.variant, "trial_id": names, "epoch": at[collapsed]}))
    return pd.concat(out, ignore_index=True) if out else pd.DataFrame(columns=["variant", "trial_id", "epoch"])


def all_collapse_onsets(trials: pd.DataFrame, epochs: Epochs, rule: Collapse) -> pd.DataFrame:
    """``collapse_onsets`` of a whole study, part by part."""
    read = epochs.read(trials, rule.epoch_columns(trials))
    parts = [collapse_onsets(trials, in_searches(own, rows), rule) for own, rows in read]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["variant", "trial_id", "epoch"])


def _by_name(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values("variant", kind="stable", ignore_index=True) if len(frame) else frame
