"""Parquet data set -> tidy frames: one row a trial, one row a trial and epoch.

The trials of a study are one frame: a million of them take 0.8 GiB. Its epochs are one frame on request only
(``read_epochs``); a report takes them a few variants at a time (``epochs_by_variant``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import yaml
from pyarrow import fs

from analysis.results.epochs import Epochs, partition
from analysis.results.stored import PANDAS_TYPES, find_study, open_store, read_text, scan
from analysis.results.variants import with_variants
from study.store.schema import EPOCHS, SCHEMA_VERSION, TRIALS
from trainables.errors import StoreError


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
    _filesystem: fs.FileSystem = field(repr=False)
    _folder: str | None = field(repr=False)
    """None where there are no epochs to read: the results are a table from elsewhere."""

    def read_epochs(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """The epochs of recorded trials: trial_id, epoch, queries and ``columns`` of EPOCHS in study.store.schema.

        ``columns`` None: all. Sorted by trial and epoch; empty where the study recorded no epochs. Raises StoreError on
        a damaged file.
        """
        wanted = list(
            dict.fromkeys(["trial_id", "epoch", "queries", *(columns if columns is not None else EPOCHS.names)])
        )
        if self._folder is None:
            return EPOCHS.empty_table().select(wanted).to_pandas(types_mapper=PANDAS_TYPES.get)
        table = scan(self._filesystem, f"{self._folder}/epochs", EPOCHS, lambda dataset: dataset.to_table(wanted))
        frame = table.to_pandas(types_mapper=PANDAS_TYPES.get)
        frame = frame[frame["trial_id"].isin(self.trials["trial_id"])]
        frame = frame.sort_values(["trial_id", "epoch"], kind="stable")
        return frame.drop_duplicates(["trial_id", "epoch"], keep="last", ignore_index=True)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """All columns of all epochs, read at first use."""
        return self.read_epochs()

    @contextmanager
    def epochs_by_variant(self, columns: Iterable[str]) -> Iterator[Epochs]:
        """The same rows in ``columns`` of numbers, a few variants at a time: they need not fit into memory.

        They lie in the folder for temporary files while the context lasts. Raises StoreError on a damaged file, and
        where that folder is full.
        """
        if self._folder is None:
            yield Epochs([], frozenset())
            return
        with TemporaryDirectory(prefix="nas-study-epochs-", ignore_cleanup_errors=True) as folder:
            read = partial(partition, trials=self.trials, columns=["queries", *columns], folder=Path(folder))
            yield scan(self._filesystem, f"{self._folder}/epochs", EPOCHS, read)

    @cached_property
    def has_epochs(self) -> bool:
        """Whether any epoch of a recorded trial is in the store."""
        if self._folder is None:
            return False
        known = pa.array(self.trials["trial_id"], pa.string())

        def any_known(dataset: pads.Dataset) -> bool:
            batches = dataset.to_batches(columns=["trial_id"], fragment_readahead=1)
            return any(pc.is_in(batch["trial_id"].unique(), known).true_count > 0 for batch in batches)

        return scan(self._filesystem, f"{self._folder}/epochs", EPOCHS, any_known)


def load(store: str | Path, study: str | None = None) -> Results:
    """Read one study of ``store``: a results folder, one study's folder, or a URI of either.

    Raises StoreError where nothing is found, several studies need a choice, or a file is damaged or too new.
    """
    filesystem, root = open_store(store)
    folder, name = find_study(filesystem, root, study, str(store))
    table = scan(filesystem, f"{folder}/trials", TRIALS, _latest)
    if not len(table):
        raise StoreError(f"a report needs at least one recorded trial, but study {name!r} in {store} has none; run it")
    newest = pc.max(table["schema_version"]).as_py()
    if newest is not None and newest > SCHEMA_VERSION:
        raise StoreError(
            f"records up to schema {SCHEMA_VERSION} can be read, but {folder} has schema {newest}; update this program"
        )
    study_text = read_text(filesystem, f"{folder}/study.yaml")
    try:
        parsed = yaml.safe_load(study_text) or {}
        environment = json.loads(read_text(filesystem, f"{folder}/environment.json") or "{}")
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise StoreError(f"study.yaml and environment.json must parse, but one in {folder} does not: {error}") from None
    if not isinstance(parsed, dict) or not isinstance(environment, dict):
        raise StoreError(f"study.yaml and environment.json must hold keys and values, but one in {folder} does not")
    trials = table.to_pandas(types_mapper=PANDAS_TYPES.get, split_blocks=True, self_destruct=True)
    del table
    pa.default_memory_pool().release_unused()  # what is freed is as large as the frame that comes next
    trials = with_variants(trials)
    pa.default_memory_pool().release_unused()
    return Results(name, trials, parsed, study_text, environment, filesystem, folder)


def _latest(dataset: pads.Dataset) -> pa.Table:
    """All columns of all trials, of each trial the latest record: a compaction cut short leaves one in two files."""
    table = dataset.to_table()
    keys = table.select(["trial_id", "finished_at"]).to_pandas()
    keys = keys.sort_values("finished_at", kind="stable", na_position="first").drop_duplicates("trial_id", keep="last")
    rows = keys.index.to_numpy()
    return table if np.array_equal(rows, np.arange(len(table))) else table.take(pa.array(rows))
