"""Regret against time and cost, what stopping earlier would have given, and when searches collapse.

Frames in, frames out; the numbers over seeds are those of statistics.anytime. Each seed has, at any budget, the cell it
would return there: the last one derived so far, never the best so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.collapse import Collapse
from analysis.robustness import joined
from analysis.statistics import anytime
from analysis.statistics.intervals import t_interval

POINTS = 80
"""Points of a common grid of budgets."""


def with_seconds(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """``epochs`` of trials that ended ok, with ``variant`` and the seconds of search spent up to each epoch.

    For methods that query the table these are the seconds of training that the queries stand for, where recorded.
    """
    ok = trials[trials["status"] == "ok"].set_index("trial_id")
    rows = epochs[epochs["trial_id"].isin(ok.index)].copy()
    rows["variant"] = rows["trial_id"].map(ok["variant"].astype(str))
    spent = rows["wall_s"].astype(float).groupby(rows["trial_id"]).cumsum()
    trained = rows["trial_id"].map(ok["protocol"].notna()).astype(bool)
    rows["seconds"] = spent.where(trained, rows["simulated_s"].astype(float))
    return rows


def hours_factor(study: dict[str, Any]) -> tuple[float, str]:
    """What an hour of one trial costs by the study's resources: (1, "GPU-hours") of a GPU, else CPU-hours."""
    resources = study.get("resources") or {}
    gpus = float(resources.get("gpu") or 0)
    return (gpus, "GPU-hours") if gpus else (float(resources.get("cpu") or 1), "CPU-hours")


def on_common_grid(trials: pd.DataFrame, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """``column`` against the seconds of ``with_seconds``, held until it changes: variant, trial_id, budget, value.

    Each variant has one logarithmic grid from the first to the last budget at which any of its seeds has a value;
    before a seed's own first value it has none. Variants with fewer than two budgets have no course.
    """
    parts = []
    known = rows[["variant", "trial_id", "seconds", column]].dropna()
    for variant, part in known.groupby("variant", sort=True):
        if part["seconds"].nunique() < 2 or part["seconds"].min() <= 0:
            continue
        grid = np.geomspace(part["seconds"].min(), part["seconds"].max(), POINTS)
        for trial_id, seed in part.groupby("trial_id", sort=True):
            at, values = seed["seconds"].to_numpy(float), seed[column].to_numpy(float)
            place = np.searchsorted(at, grid * (1 + 1e-12), side="right") - 1
            held = np.where(place >= 0, values[np.maximum(place, 0)], np.nan)
            parts.append(
                pd.DataFrame({"variant": variant, "trial_id": trial_id, "budget": grid, "value": held}).dropna()
            )
    return joined(parts, trials)


def by_epoch(rows: pd.DataFrame, column: str) -> dict[str, tuple[np.ndarray, np.ndarray, list[str]]]:
    """Variant -> epochs [points], ``column`` [seeds, points] held until it changes, and the trials in that order."""
    found = {}
    for variant, part in rows.dropna(subset=column).groupby("variant", sort=True):
        wide = part.pivot(index="epoch", columns="trial_id", values=column).ffill()
        found[str(variant)] = (wide.index.to_numpy(float), wide.to_numpy(float).T, list(wide.columns))
    return found


def early_stopping(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """What a perfect choice of the epoch would have gained over the last one, one row a variant.

    Columns: variant; seeds; last (mean regret of the last epoch); lowest (mean over seeds of the lowest regret on the
    way, which only the benchmark knows); gap, low, high (last less lowest, with its 95 % t interval); best_epoch
    (median over seeds of the first epoch of lowest regret); epochs (of the longest search). Points of regret.
    """
    out = []
    for variant, (epochs, values, _) in by_epoch(rows, column).items():
        gap = anytime.early_stopping_regret(values)
        lowest = anytime.best_so_far(values)[:, -1]
        best = epochs[np.nanargmin(values, axis=1)]
        estimate = t_interval(gap)
        out.append(
            {
                "variant": variant,
                "seeds": len(values),
                "last": float(np.mean(lowest + gap)),
                "lowest": float(np.mean(lowest)),
                "gap": estimate.estimate,
                "low": estimate.low,
                "high": estimate.high,
                "best_epoch": float(np.median(best)),
                "epochs": float(epochs[-1]),
            }
        )
    return pd.DataFrame(out)


def collapse_onsets(trials: pd.DataFrame, rows: pd.DataFrame, rule: Collapse) -> pd.DataFrame:
    """The epoch from which on a search stays collapsed, one row a seed that does: variant, trial_id, epoch."""
    flagged = rows.assign(flag=rule.of_epochs(trials, rows)).dropna(subset="flag")
    flagged["flag"] = flagged["flag"].astype(float)
    out = []
    for variant, (epochs, flags, names) in by_epoch(flagged, "flag").items():
        at = anytime.onset(epochs, flags > 0.5)
        out += [{"variant": variant, "trial_id": n, "epoch": e} for n, e in zip(names, at, strict=True) if e == e]
    return pd.DataFrame(out, columns=["variant", "trial_id", "epoch"])
