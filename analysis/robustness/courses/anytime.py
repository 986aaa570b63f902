"""Regret against time and cost, what stopping earlier would have given, and when searches collapse.

The numbers over seeds are those of statistics.anytime. Each seed has, at any budget, the cell it would return there:
the last one derived so far, never the best so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.epochs import Epochs
from analysis.results.grids import Grid
from analysis.robustness.collapse import Collapse
from analysis.robustness.courses.curves import POINTS, Course, Curves, by_variant, carried, collected, held, joined
from analysis.statistics import anytime
from analysis.statistics.estimate import LEVEL
from analysis.statistics.intervals import t_interval

TIMES = ("wall_s", "simulated_s")
"""Columns of the epochs that ``seconds`` needs."""


def seconds(trials: pd.DataFrame, grid: Grid) -> np.ndarray:
    """The seconds of search spent up to each point of a grid [points, seeds], NaN where that is not recorded.

    For methods that query the table these are the seconds of training that the queries stand for.
    """
    trained = trials["protocol"].loc[grid.trials].notna().to_numpy()
    return np.where(trained, _cumulated(grid.values["wall_s"]), grid.values["simulated_s"])


def _cumulated(values: np.ndarray) -> np.ndarray:
    """Sums down the points, what is unknown left out; what rounding loses is carried along (Kahan)."""
    found = np.full(values.shape, np.nan)
    total, lost = np.zeros((2, values.shape[1]))
    for i, row in enumerate(values):
        known = ~np.isnan(row)
        more = row - lost
        sum_ = total + more
        lost = np.where(known, sum_ - total - more, lost)
        total = np.where(known, sum_, total)
        found[i, known] = total[known]
    return found


def hours_factor(study: dict[str, Any], trials: pd.DataFrame) -> tuple[float | pd.Series | None, str]:
    """What an hour of one trial costs by the study's resources: (1, "GPU-hours") of a GPU, else CPU-hours.

    Under ``gpu: auto`` it is the mean share that the trials of each variant had, by variant; None where some variant's
    rows do not say.
    """
    resources = study.get("resources") or {}
    gpu, cpu = resources.get("gpu") or 0, resources.get("cpu") or 1
    if gpu == "auto":
        known = trials["gpu_share"] if "gpu_share" in trials else pd.Series(np.nan, index=trials.index)
        shares = known.astype(float).groupby(trials["variant"].astype(str)).mean()
        return None if shares.isna().any() else shares, "GPU-hours"
    return (float(gpu), "GPU-hours") if gpu else (float(cpu), "CPU-hours")


def against_seconds(trials: pd.DataFrame, epochs: Epochs, column: str, level: float = LEVEL) -> Curves:
    """``column`` of each variant against ``seconds``, held until it changes.

    Each variant has one logarithmic grid from the first to the last budget at which any of its seeds has a value;
    before a seed's own first value it has none. Variants with fewer than two budgets have no course.
    """
    timed = (_timed(trials, grid, column) for grid in epochs.read(trials, [column, *TIMES]))
    return collected(_on_budgets(by_variant(timed)), trials, level)


def early_stopping(trials: pd.DataFrame, epochs: Epochs, column: str, level: float = LEVEL) -> pd.DataFrame:
    """What a perfect choice of the epoch would have gained over the last one, one row a variant, by name.

    Columns: variant; seeds; last (mean regret of the last epoch); lowest (mean over seeds of the lowest regret on the
    way, which only the benchmark knows); gap, low, high (last less lowest, with its t interval); best_epoch
    (median over seeds of the first epoch of lowest regret); epochs (of the longest search). Points of regret.
    """
    out = []
    for courses in by_variant(held(grid, grid.values[column]) for grid in epochs.read(trials, [column])):
        order = np.argsort(np.concatenate([one.trials for one in courses]))
        gap = np.concatenate([anytime.early_stopping_regret(one.values.T) for one in courses])[order]
        lowest = np.concatenate([np.fmin.reduce(one.values) for one in courses])[order]
        best = np.concatenate([one.at[np.nanargmin(one.values, axis=0)] for one in courses])
        estimate = t_interval(gap, level)
        out.append(
            {
                "variant": courses[0].variant,
                "seeds": len(gap),
                "last": float(np.mean(lowest + gap)),
                "lowest": float(np.mean(lowest)),
                "gap": estimate.estimate,
                "low": estimate.low,
                "high": estimate.high,
                "best_epoch": float(np.median(best)),
                "epochs": float(max(one.at[-1] for one in courses)),
            }
        )
    return pd.DataFrame(out).sort_values("variant", kind="stable", ignore_index=True) if out else pd.DataFrame()


def collapse_onsets(trials: pd.DataFrame, epochs: Epochs, rule: Collapse) -> pd.DataFrame:
    """The epoch from which on a search stays collapsed, one row a seed that does: variant, trial, epoch.

    ``trial`` is its place in the frame of all trials.
    """
    out, none = [], pd.DataFrame(columns=["variant", "trial", "epoch"])
    looked_at = rule.epoch_column(trials)
    if looked_at is None:
        return none
    for grid in epochs.read(trials, [looked_at]):
        if one := held(grid, rule.of_epochs(trials, grid.values[looked_at])):
            at = anytime.onset(one.at, one.values.T > 0.5)
            collapsed = np.isfinite(at)
            own = {"variant": one.variant, "trial": one.trials[collapsed], "epoch": at[collapsed]}
            out.append(pd.DataFrame(own))
    return pd.concat(out, ignore_index=True) if out else none


def _timed(trials: pd.DataFrame, grid: Grid, column: str) -> Grid | None:
    """A grid with its ``value`` and ``seconds``, NaN where either is unknown; None where none are known."""
    value, spent = grid.values[column], seconds(trials, grid)
    spent[np.isnan(value)] = np.nan
    return None if np.isnan(spent).all() else replace(grid, values={"value": value, "seconds": spent})


def _on_budgets(variants: Iterable[list[Grid]]) -> Iterator[Course]:
    for grids in variants:
        first = min(float(np.nanmin(grid.values["seconds"])) for grid in grids)
        last = max(float(np.nanmax(grid.values["seconds"])) for grid in grids)
        if 0 < first < last:
            budgets = np.geomspace(first, last, POINTS)
            yield joined([_at(budgets, grid) for grid in grids], budgets)


def _at(budgets: np.ndarray, grid: Grid) -> Course:
    """Each seed's last value within each of the budgets."""
    reached = np.searchsorted(budgets * (1 + 1e-12), grid.values["seconds"])  # behind the last where unknown
    found = np.full((len(budgets) + 1, len(grid.trials)), np.nan)
    for place, values in zip(reached, grid.values["value"], strict=True):
        found[place, np.arange(len(values))] = values
    found = carried(found[:-1])
    seeds = ~np.isnan(found[-1])
    return Course(grid.variant, budgets, found[:, seeds], grid.trials[seeds])
