"""The course of the runs of a table from elsewhere: several rows a run, told apart by a step or an epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.results import accuracies
from analysis.results.table_checks import LARGEST
from analysis.results.table_file import as_numbers
from trainables.errors import StoreError

STEPS = ("step", "epoch")
"""Columns that may tell the rows of a run apart."""
SECONDS = "seconds"
"""The column of the time that a run has taken up to a row."""
_RUN = ["method", "config", "dataset", "seed"]


@dataclass(frozen=True, eq=False)
class Traces:
    """``rows``: trial_id, dataset, at, seconds (NaN where the table has none) and the values by name, by run and step.

    ``unit`` is the column that tells the rows of a run apart.
    """

    rows: pd.DataFrame
    unit: str

    def of(self, column: str, trials: pd.DataFrame) -> pd.DataFrame:
        """The rows of a value of ``trials`` (accuracies.foreign_column): trial (its place), at, seconds, value."""
        dataset, name = accuracies.foreign_parts(column)
        own = self.rows[self.rows["dataset"] == dataset]
        place = pd.Series(trials.index, index=trials["trial_id"])
        return pd.DataFrame(
            {"trial": place[own["trial_id"]].to_numpy(), "at": own["at"], "seconds": own["seconds"], "value": own[name]}
        )

    @property
    def remark(self) -> str:
        """That a report looks at the last row of each run, as a sentence."""
        last = self.rows.groupby(["trial_id", "dataset"], sort=False)["at"].max()
        low, high = last.min(), last.max()
        ends = f"{self.unit} {low:g}" if low == high else f"{self.unit}s {low:g} to {high:g}: budgets differ"
        return f"The table has the course of each run, of which the last row by {self.unit} is looked at ({ends})."


def split_traces(
    path: Path, frame: pd.DataFrame, names: list[str], ids: Callable[[pd.DataFrame], pd.Series]
) -> tuple[pd.DataFrame, Traces | None]:
    """The last row of each run, and the course where any run has several rows and a column of STEPS tells them apart.

    ``frame`` has the columns of ``_RUN`` and the values ``names``; ``ids`` gives its rows their trial_id. Raises
    StoreError where steps or times are no such.
    """
    steps = [name for name in STEPS if name in frame and name not in names]
    if not steps or not frame.duplicated(_RUN).any():
        return frame, None
    if len(steps) > 1:
        raise StoreError(
            f"one column tells the rows of a run apart, but {path} has both {steps[0]} and {steps[1]}; drop one"
        )
    (unit,) = steps
    rows = frame.assign(trial_id=ids(frame), at=_budget(path, frame[unit]), seconds=np.nan)
    if SECONDS in frame and SECONDS not in names:
        rows[SECONDS] = _budget(path, frame[SECONDS])
    rows = rows.sort_values([*_RUN, "at"], kind="stable")
    if (again := rows.duplicated([*_RUN, "at"])).any():
        row = rows[again].iloc[0]
        raise StoreError(
            f"a run has one row a {unit}, but {path} has {int(again.sum())} whose run and {unit} occur before "
            f"({row['trial_id']}, {row['dataset']}, {unit} {row['at']:g}); drop repeats, or tell runs apart by a "
            "column hp.NAME"
        )
    back = (rows[SECONDS].diff() < 0) & rows.duplicated(_RUN)
    if back.any():
        row = rows[back].iloc[0]
        raise StoreError(
            f"{SECONDS} are those since the start of a run, but in {path} they fall at {unit} {row['at']:g} of "
            f"{row['trial_id']}, {row['dataset']}; add them up"
        )
    kept = ["trial_id", "dataset", "at", SECONDS, *names]
    return rows.drop_duplicates(_RUN, keep="last"), Traces(rows[kept].reset_index(drop=True), unit)


def _budget(path: Path, values: pd.Series) -> pd.Series:
    found = as_numbers(path, values)
    if (odd := ~found.between(0, LARGEST)).any():
        row = int(np.flatnonzero(odd)[0])
        given = "none" if pd.isna(found.iloc[row]) else f"{found.iloc[row]:g}"
        raise StoreError(
            f"every row of a run's course needs a {values.name} from 0 to {LARGEST:g}, but row {row + 1} of {path} has "
            f"{given}; fill it in, or drop the column"
        )
    return found
