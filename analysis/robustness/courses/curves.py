"""Courses of searches as matrices: a value of every seed at every epoch or budget of its variant, and the mean of them.

Between two records a seed keeps the last one: a cell stays derived until another one is. Arrays are [points, seeds],
NaN before a seed's first record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.results.epochs import Epochs
from analysis.robustness.drawings import LINES_UP_TO
from analysis.statistics.anytime import course

POINTS = 80
"""Points of a curve, about."""
_BLOCK = 2_000_000
"""Values that are summarised at a time."""


@dataclass(frozen=True)
class Course:
    """One variant: its epochs or budgets, ascending [points], the values [points, seeds] and the trials [seeds]."""

    variant: str
    at: np.ndarray
    values: np.ndarray
    trials: pd.Index


@dataclass(frozen=True)
class Curves:
    """What a figure of courses needs.

    ``lines`` are those of the seeds: variant, trial_id, budget, value; none of a variant with more than LINES_UP_TO
    seeds, which is drawn as a band. ``summary`` is curve_summary of all seeds.
    """

    lines: pd.DataFrame
    summary: pd.DataFrame

    def in_unit(self, factor: float, divisor: float) -> Curves:
        """The same against budgets times ``factor`` / ``divisor``."""
        lines, summary = (f.assign(budget=f["budget"] * factor / divisor) for f in (self.lines, self.summary))
        return Curves(lines, summary)


def in_searches(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """``epochs`` of ``trials`` that ended ok, with their ``variant``; trial_id is a category.

    Of a search that queries the table ``epoch`` becomes the queries spent, with the last row of each number.
    """
    ok = trials.loc[trials["status"] == "ok", ["trial_id", "variant"]].set_index("trial_id")["variant"]
    ids = epochs["trial_id"].astype("category")
    variant = ok.reindex(ids.cat.categories).array.take(ids.cat.codes)
    rows = epochs.assign(trial_id=ids, variant=variant)
    rows = rows if rows["variant"].notna().all() else rows[rows["variant"].notna()]
    if "queries" not in rows or rows["queries"].isna().all():
        return rows
    spent = rows["queries"].astype(float)
    rows = rows.assign(epoch=spent.where(spent.notna(), rows["epoch"]).astype("int64"))
    return rows.drop_duplicates(["trial_id", "epoch"], keep="last")


def held(rows: pd.DataFrame, column: str) -> Iterator[Course]:
    """``column`` of each variant of ``rows`` (in_searches) over all epochs at which any of its seeds has a value."""
    known = rows[["variant", "trial_id", "epoch", column]].dropna()
    for variant, part in known.groupby("variant", observed=True):
        point, at = pd.factorize(part["epoch"].to_numpy(dtype=np.int64), sort=True)
        seed, trials = pd.factorize(part["trial_id"], sort=True)
        values = np.full((len(at), len(trials)), np.nan)
        values[point, seed] = part[column].to_numpy(dtype=float)
        for i in range(1, len(at)):
            np.copyto(values[i], values[i - 1], where=np.isnan(values[i]))
        yield Course(str(variant), at, values, trials)


def thinned(courses: Iterable[Course], points: int = POINTS) -> Iterator[Course]:
    """About ``points`` epochs of each, both ends among them; a variant of a single epoch has no course."""
    for one in courses:
        if len(one.at) > 1:
            keep = np.unique(np.linspace(0, len(one.at) - 1, min(points, len(one.at))).round().astype(int))
            yield Course(one.variant, one.at[keep], one.values[keep], one.trials)


def curves(trials: pd.DataFrame, epochs: pd.DataFrame, column: str, points: int = POINTS) -> pd.DataFrame:
    """``column`` against the epoch, one row a trial that ended ok and an epoch: variant, trial_id, budget, value.

    Every trial is put on the grid of its variant's epochs, thinned to about ``points``.
    """
    return as_frame(thinned(held(in_searches(trials, epochs), column), points), trials)


def as_frame(courses: Iterable[Course], trials: pd.DataFrame) -> pd.DataFrame:
    """One row a seed and a point at which it has a value: variant, trial_id, budget, value."""
    return _of_variants([_long(one) for one in courses], trials)


def all_curves(trials: pd.DataFrame, epochs: Epochs, column: str) -> Curves:
    """``curves`` of a whole study and their summary, part by part."""
    found = (
        one for own, rows in epochs.read(trials, [column]) for one in thinned(held(in_searches(own, rows), column))
    )
    return collected(found, trials)


def collected(courses: Iterable[Course], trials: pd.DataFrame) -> Curves:
    """The lines and the summary of courses that need not be in memory together."""
    lines, summaries = [], []
    for one in courses:
        summaries.append(_summary(one.at, one.values).assign(variant=one.variant))
        if len(one.trials) <= LINES_UP_TO:
            lines.append(_long(one))
    return Curves(_of_variants(lines, trials), _of_variants(summaries, trials, _SUMMARY))


def curve_summary(curve: pd.DataFrame) -> pd.DataFrame:
    """``curves`` over the seeds: variant, budget, values, mean, std (ddof=1), low, high, p10, p90.

    low and high are the pointwise Student-t 95 % interval of the mean (three seeds or more), p10 and p90 percentiles of
    the seeds.
    """
    parts = []
    for variant, part in curve.groupby("variant", observed=True):
        wide = part.pivot(index="budget", columns="trial_id", values="value").sort_index()
        parts.append(_summary(wide.index.to_numpy(), wide.to_numpy(float)).assign(variant=variant))
    return _of_variants(parts, curve, _SUMMARY)


_LINES = ("variant", "trial_id", "budget", "value")
_SUMMARY = ("variant", "budget", "values", "mean", "std", "low", "high", "p10", "p90")


def _summary(at: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """curve_summary of one variant, a block of points at a time."""
    seeds = values.shape[1]
    step = max(1, _BLOCK // seeds)
    parts = []
    for start in range(0, len(at), step):
        block = values[start : start + step]
        grouped = pd.Series(block.T.ravel()).groupby(np.tile(np.arange(len(block)), seeds))
        frame = grouped.agg(values="count", mean="mean", std="std")
        found = course(at[start : start + step], block.T)
        frame["low"], frame["high"] = found.low, found.high
        frame["p10"], frame["p90"] = grouped.quantile(0.1), grouped.quantile(0.9)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True).assign(budget=at)


def _long(one: Course) -> pd.DataFrame:
    frame = pd.DataFrame({"budget": np.tile(one.at, len(one.trials)), "value": one.values.T.ravel()})
    return frame.assign(trial_id=np.repeat(one.trials.astype(object), len(one.at)), variant=one.variant).dropna()


def _of_variants(parts: list[pd.DataFrame], trials: pd.DataFrame, columns: tuple[str, ...] = _LINES) -> pd.DataFrame:
    """Frames of single variants as one, in the order that the variants have in ``trials``."""
    if not parts:
        return pd.DataFrame({column: [] for column in columns})
    frame = pd.concat(parts, ignore_index=True)[list(columns)]
    dtype = pd.CategoricalDtype(trials["variant"].cat.categories, ordered=True)
    return frame.astype({"variant": dtype}).sort_values("variant", kind="stable", ignore_index=True)
