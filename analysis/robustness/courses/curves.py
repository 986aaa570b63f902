"""Courses of searches as matrices: a value of every seed at every epoch or budget of its variant, and the mean of them.

Between two records a seed keeps the last one: a cell stays derived until another one is. Arrays are [points, seeds],
NaN before a seed's first record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TypeVar

import numpy as np
import pandas as pd

from analysis.results.epochs import Epochs
from analysis.results.grids import Grid
from analysis.robustness.drawings import LINES_UP_TO
from analysis.statistics import anytime
from analysis.statistics.estimate import LEVEL

OF_TRIALS = ["trial_id", "variant", "status", "protocol"]
"""Columns of the trials that a course needs: choosing among whole rows would copy a gigabyte of a million trials."""
POINTS = 80
"""Points of a curve, about."""
_BLOCK = 2_000_000
"""Values that are summarised at a time."""


@dataclass(frozen=True, eq=False)
class Course:
    """Seeds of one variant: their epochs or budgets, ascending [points], the values [points, seeds], and the places of
    their trials in the frame of all [seeds]."""

    variant: str
    at: np.ndarray
    values: np.ndarray
    trials: np.ndarray


T = TypeVar("T", Course, Grid)


@dataclass(frozen=True)
class Curves:
    """What a figure of courses needs.

    ``lines`` are those of the seeds: variant, trial_id, budget, value; none of a variant with more than LINES_UP_TO
    seeds, which is drawn as a band. ``summary`` has variant, budget, values, mean, std (ddof=1), low, high (pointwise
    Student-t interval of the mean, of ``level``, from three seeds on), p10, p90 (percentiles of the seeds).
    """

    lines: pd.DataFrame
    summary: pd.DataFrame
    level: float

    def in_unit(self, factor: float | pd.Series, divisor: float) -> Curves:
        """The same against budgets times ``factor``, of all or by variant, / ``divisor``."""

        def scaled(frame: pd.DataFrame) -> pd.DataFrame:
            by = factor if isinstance(factor, float) else frame["variant"].astype(str).map(factor).astype(float)
            return frame.assign(budget=frame["budget"] * by / divisor)

        return replace(self, lines=scaled(self.lines), summary=scaled(self.summary))


def held(grid: Grid, values: np.ndarray) -> Course | None:
    """``values`` of a grid at the points and of the searches where any is known; None where none is."""
    known = ~np.isnan(values)
    seeds, points = known.any(axis=0), known.any(axis=1)
    if not points.any():
        return None
    if not (seeds.all() and points.all()):
        values, known = values[points][:, seeds], known[points][:, seeds]
    if not known.all():
        values = carried(values.copy())
    return Course(grid.variant, grid.at[points], values, grid.trials[seeds])


def carried(values: np.ndarray) -> np.ndarray:
    """``values`` [points, seeds] with what is unknown filled in, in place, by what was known last."""
    for before, row in pairwise(values):
        np.copyto(row, before, where=np.isnan(row))
    return values


def by_variant(parts: Iterable[T | None]) -> Iterator[list[T]]:
    """What there is of each variant, whose searches may lie in several grids."""
    for _, own in groupby((part for part in parts if part), key=lambda part: part.variant):
        yield list(own)


def joined(courses: list[Course], at: np.ndarray) -> Course:
    """The seeds of one variant together at the points ``at``."""
    parts = []
    for one in courses:
        place = np.searchsorted(one.at, at, side="right") - 1
        parts.append(np.where(place[:, None] >= 0, one.values[place], np.nan) if place[0] < 0 else one.values[place])
    trials = np.concatenate([one.trials for one in courses])
    order = np.argsort(trials)
    values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)[:, order]
    return Course(courses[0].variant, at, values, trials[order])


def thinned(variants: Iterable[list[Course]]) -> Iterator[Course]:
    """Each variant at about POINTS of its epochs, both ends among them; one of a single epoch has no course."""
    for courses in variants:
        at = np.unique(np.concatenate([one.at for one in courses]))
        if len(at) > 1:
            keep = np.unique(np.linspace(0, len(at) - 1, min(POINTS, len(at))).round().astype(int))
            yield joined(courses, at[keep])


def curves(trials: pd.DataFrame, epochs: Epochs, column: str, less: str | None = None, level: float = LEVEL) -> Curves:
    """``column`` of ``trials`` against epochs or queries spent; ``less`` is a column that is subtracted from it."""
    grids = epochs.read(trials, [column] if less is None else [column, less])
    found = (held(g, g.values[column] if less is None else g.values[column] - g.values[less]) for g in grids)
    return collected(thinned(by_variant(found)), trials, level)


def collected(courses: Iterable[Course], trials: pd.DataFrame, level: float = LEVEL) -> Curves:
    """The lines and the summary of courses that need not be in memory together."""
    lines: list[pd.DataFrame] = []
    summaries: list[pd.DataFrame] = []
    for one in courses:
        summaries.append(_summary(one, level))
        if len(one.trials) <= LINES_UP_TO:
            lines.append(_lines(one, trials["trial_id"]))
    return Curves(_of_variants(lines, trials, _LINES), _of_variants(summaries, trials, _SUMMARY), level)


_LINES = ("variant", "trial_id", "budget", "value")
_SUMMARY = ("variant", "budget", "values", "mean", "std", "low", "high", "p10", "p90")


def _lines(one: Course, ids: pd.Series) -> pd.DataFrame:
    names = ids.loc[one.trials].to_numpy()
    frame = pd.DataFrame({"budget": np.tile(one.at, len(names)), "value": one.values.T.ravel()})
    return frame.assign(trial_id=np.repeat(names, len(one.at)), variant=one.variant).dropna()


def _summary(one: Course, level: float) -> pd.DataFrame:
    """A block of points at a time: of a million seeds a few have to do."""
    step = max(1, _BLOCK // len(one.trials))
    parts = []
    for start in range(0, len(one.at), step):
        block = one.values[start : start + step]
        found = anytime.course(one.at[start : start + step], block.T, level)
        frame = {"values": found.n, "mean": found.mean, "std": found.se * np.sqrt(found.n)}
        frame |= {"low": found.low, "high": found.high}
        frame["p10"], frame["p90"] = np.transpose([_tails(values[~np.isnan(values)]) for values in block])
        parts.append(pd.DataFrame(frame))
    return pd.concat(parts, ignore_index=True).assign(variant=one.variant, budget=one.at)


def _tails(values: np.ndarray) -> np.ndarray:
    """The 10th and the 90th percentile, in proportion between the two values next in rank."""
    rank = np.array([0.1, 0.9]) * (len(values) - 1)
    below = rank.astype(int)
    above = np.minimum(below + 1, len(values) - 1)
    values = np.sort(values)  # several times as fast as to part them at four ranks
    return values[below] + (values[above] - values[below]) * (rank - below)


def _of_variants(parts: list[pd.DataFrame], trials: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Frames of single variants as one."""
    if not parts:
        return pd.DataFrame({column: [] for column in columns})
    dtype = pd.CategoricalDtype(trials["variant"].cat.categories, ordered=True)
    return pd.concat(parts, ignore_index=True)[list(columns)].astype({"variant": dtype})
