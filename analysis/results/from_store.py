"""Parquet data set -> tidy frames: one row a trial, one row a trial and epoch.

The trials of a study are one frame: a million of them take 0.8 GiB. Its epochs are one frame on request only
(``read_epochs``); a report takes a column or a few of them at a time (``course``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.results.accuracies import REGRETS, RETRAIN, SUPERNET, TABLE
from analysis.results.epochs import Epochs
from analysis.results.traces import Traces
from analysis.results.variants import with_variants
from study.store.finding import studies
from study.store.schema import EPOCHS, SCHEMA_VERSION
from study.store.store import Store
from trainables.errors import StoreError
from trainables.methods import METHODS
from trainables.records import SEPARATOR

PANDAS_TYPES = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
"""What a null needs, so that whole numbers do not become floating ones."""


@dataclass(frozen=True, eq=False)
class Results:
    """One study as it lies in the store.

    ``trials`` follows study.store.schema.TRIALS plus ``hp.*`` and ``variant``, an ordered category: the variants from
    the highest mean of the headline accuracy to the lowest. Rows are sorted by variant, seed and id, whatever the
    files.
    """

    name: str
    trials: pd.DataFrame
    study: dict[str, Any]
    study_text: str
    environment: dict[str, Any]
    _store: Store | None = field(repr=False)
    """None where there are no epochs to read: the results are a table from elsewhere."""
    paired: bool = True
    """Whether equal seeds of two methods are claimed to draw the same, and methods are compared seed by seed."""
    traces: Traces | None = None
    """The course of the runs of a table from elsewhere, where it has one."""

    @property
    def remarks(self) -> list[str]:
        """What every report says of these results beside how they are paired."""
        return [self.traces.remark] if self.traces else []

    @property
    def pairing(self) -> str:
        """Whether seeds are paired, and why, for the first screen of a report."""
        if self._store is None and self.paired:
            return "Paired by seed, as --paired claims: equal seeds of two methods are taken to have drawn the same."
        if self._store is None:
            return (
                "Unpaired: nothing in a table says that equal seeds of two methods drew the same. Where they did, "
                "--paired says so."
            )
        if self.paired:
            return (
                "Paired by seed: in a study of this program methods that share a seed share their initial weights and "
                "data order."
            )
        return "Unpaired, as --unpaired asks: methods are compared as independent samples."

    def read_epochs(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """The epochs of recorded trials: trial_id, epoch, queries and ``columns`` of EPOCHS in study.store.schema.

        ``columns`` None: all. Sorted by trial and epoch; empty where the study recorded no epochs. Raises StoreError on
        a damaged file.
        """
        wanted = list(
            dict.fromkeys(["trial_id", "epoch", "queries", *(columns if columns is not None else EPOCHS.names)])
        )
        table = EPOCHS.empty_table().select(wanted) if self._store is None else self._store.epochs.whole(wanted)
        frame = table.to_pandas(types_mapper=PANDAS_TYPES.get)
        frame = frame[frame["trial_id"].isin(self.trials["trial_id"])]
        frame = frame.sort_values(["trial_id", "epoch"], kind="stable")
        return frame.drop_duplicates(["trial_id", "epoch"], keep="last", ignore_index=True)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """All columns of all epochs, read at first use."""
        return self.read_epochs()

    def course(self, columns: Iterable[str]) -> Epochs:
        """The same rows in ``columns`` of numbers, as grids that need not fit into memory together."""
        return Epochs(self._store.epochs if self._store else None, self.trials, columns)

    @cached_property
    def has_epochs(self) -> bool:
        """Whether any epoch of a recorded trial is in the store."""
        if self._store is None:
            return False
        known = pa.array(self.trials["trial_id"], pa.string())
        tables = self._store.epochs.tables(["trial_id"])
        return any(pc.any(pc.is_in(table["trial_id"].unique(), known)).as_py() for table in tables)


def load(store: str | Path, study: str | None = None, *, paired: bool = True) -> Results:
    """Read one study of ``store``: a results folder, one study's folder, or a URI of either.

    Its seeds are ``paired``: methods that share one share their initial weights and data order.

    Raises StoreError where nothing is found, several studies need a choice, or a file is damaged or too new.
    """
    found = studies(store, study)
    if len(found) > 1:
        names = ", ".join(one.study for one in found)
        raise StoreError(f"a report is about one study, but {store} holds several; name one of: {names}")
    (own,) = found
    table = _latest(own.trials.whole())
    if not len(table):
        raise StoreError(f"a report needs at least one recorded trial, but {own.path} has none; run the study")
    newest = pc.max(table["schema_version"]).as_py()
    if newest is not None and newest > SCHEMA_VERSION:
        raise StoreError(
            f"records up to schema {SCHEMA_VERSION} can be read, but {own.path} has {newest}; update this program"
        )
    study_text = own.read_text("study.yaml") or ""
    parsed, environment = own.read_keys("study.yaml") or {}, own.read_keys("environment.json") or {}
    _check_percent(own.path, table)
    trials = table.to_pandas(types_mapper=PANDAS_TYPES.get, split_blocks=True, self_destruct=True)
    del table
    pa.default_memory_pool().release_unused()  # what is freed is as large as the frame that comes next
    _state_later(trials)
    trials = with_variants(trials, {config: config.split(SEPARATOR) for config in trials["config"].dropna().unique()})
    pa.default_memory_pool().release_unused()
    return Results(own.study, trials, parsed, study_text, environment, own, paired)


def _state_later(trials: pd.DataFrame) -> None:
    """Fill in the hyperparameters that a method got later, and that rows at the default do not state."""
    for name, method in METHODS.items():
        for hyperparameter, default in method.Config.later().items():
            if (column := f"hp.{hyperparameter}") in trials:
                trials.loc[(trials["method"] == name) & trials[column].isna(), column] = default


def _check_percent(path: str, table: pa.Table) -> None:
    """Raises StoreError where an accuracy of a record cannot be one."""
    for column in (RETRAIN, SUPERNET, *TABLE, *REGRETS):
        low = -100 if column in REGRETS else 0
        for value in pc.min_max(table[column]).as_py().values():
            if value is not None and not low <= value <= 100:
                raise StoreError(
                    f"accuracies are percent, 0 to 100, but a trial of {path} has {value:g} as its {column}; delete "
                    "that "
                    "record, which is damaged, and run the study again"
                )


def _latest(table: pa.Table) -> pa.Table:
    """All columns of all trials, of each trial the latest record: a compaction cut short leaves one in two files."""
    if len(table["trial_id"].unique()) == len(table):
        return table
    keys = table.select(["trial_id", "finished_at"]).to_pandas()
    keys = keys.sort_values("finished_at", kind="stable", na_position="first").drop_duplicates("trial_id", keep="last")
    return table.take(pa.array(keys.index))
