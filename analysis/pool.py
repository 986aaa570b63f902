"""Parquet data set -> tidy frames: one row a trial, one row a trial and epoch.

A store is a folder or a URI that pyarrow understands (``s3://bucket/results``), holding one folder a study. Files may
hold one row or thousands, and files of different methods, or of an older schema, have different columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import yaml
from pyarrow import fs

from analysis.metrics import headline
from study.schema import EPOCHS, MERGED, SCHEMA_VERSION, TRIALS
from trainables.errors import StoreError, choose
from trainables.secrets import refuse_credentials

_PANDAS_TYPES = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
_SETTINGS = {
    "config": "{}",
    "space": "{}",
    "dataset": "on {}",
    "image_size": "{} px",
    "train_images": "{} images",
    "protocol": "{}",
    "channels": "C={}",
    "cells": "N={}",
    "epochs": "{} epochs",
    "batch_size": "batch {}",
}
"""Columns that make two trials of one method different experiments, and how a label names them."""


@dataclass(frozen=True, eq=False)
class Results:
    """One study as it lies in the store.

    ``trials`` follows study.schema.TRIALS plus ``hp.*`` and ``variant``, an ordered category: the variants from the
    highest mean of the headline accuracy to the lowest. Rows are sorted by variant, seed and id, whatever the files.
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
        """The epochs of recorded trials, only ``columns`` of study.schema.EPOCHS beside trial_id and epoch (all: None).

        Sorted by trial and epoch; empty where the study recorded no epochs. Raises StoreError on a damaged file.
        """
        wanted = list(dict.fromkeys(["trial_id", "epoch", *(columns if columns is not None else EPOCHS.names)]))
        if self._folder is None:
            return EPOCHS.empty_table().select(wanted).to_pandas(types_mapper=_PANDAS_TYPES.get)
        frame = _read(self._filesystem, f"{self._folder}/epochs", EPOCHS, wanted)
        frame = frame[frame["trial_id"].isin(self.trials["trial_id"])]
        frame = frame.sort_values(["trial_id", "epoch"], kind="stable")
        return frame.drop_duplicates(["trial_id", "epoch"], keep="last", ignore_index=True)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """All columns of all epochs, read at first use."""
        return self.read_epochs()


def load(store: str | Path, study: str | None = None) -> Results:
    """Read one study of ``store``: a results folder, one study's folder, or a URI of either.

    Raises StoreError where nothing is found, several studies need a choice, or a file is damaged or too new.
    """
    filesystem, root = _open(store)
    folder, name = _find_study(filesystem, root, study, str(store))
    trials = _read(filesystem, f"{folder}/trials", TRIALS)
    if trials.empty:
        raise StoreError(f"a report needs at least one recorded trial, but study {name!r} in {store} has none; run it")
    newest = trials["schema_version"].max()
    if pd.notna(newest) and newest > SCHEMA_VERSION:
        raise StoreError(
            f"records up to schema {SCHEMA_VERSION} can be read, but {folder} has schema {newest}; update this program"
        )
    trials = trials.sort_values("finished_at", kind="stable", na_position="first")
    trials = trials.drop_duplicates("trial_id", keep="last")  # a compaction cut short leaves a trial in two files
    study_text = _read_text(filesystem, f"{folder}/study.yaml")
    try:
        parsed = yaml.safe_load(study_text) or {}
        environment = json.loads(_read_text(filesystem, f"{folder}/environment.json") or "{}")
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise StoreError(f"study.yaml and environment.json must parse, but one in {folder} does not: {error}") from None
    if not isinstance(parsed, dict) or not isinstance(environment, dict):
        raise StoreError(f"study.yaml and environment.json must hold keys and values, but one in {folder} does not")
    return Results(name, with_variants(trials), parsed, study_text, environment, filesystem, folder)


def variant_labels(trials: pd.DataFrame) -> pd.Series:
    """Name each trial's variant: the method, its changed hyperparameters, and whatever else differs between its trials.

    ``drnas``; ``gaea (level=single)``; ``drnas (arch_lr=0.001)`` beside ``drnas (defaults)``; ``drnas v2`` beside
    ``drnas v1``.
    """
    labels = pd.Series("", index=trials.index, dtype=object)
    for method, rows in trials.groupby("method", dropna=False):
        name = pd.Series(str(method), index=rows.index, dtype=object)
        if rows["method_version"].nunique() > 1:
            name += " v" + rows["method_version"].astype(str)
        changed = _filled(rows, "config").ne("defaults").any()
        differing = [
            (c, text) for c, text in _SETTINGS.items() if _filled(rows, c).nunique() > 1 or (c == "config" and changed)
        ]
        if differing:
            texts = [_filled(rows, column).map(text.format) for column, text in differing]
            name += " (" + pd.concat(texts, axis=1).agg(", ".join, axis=1) + ")"
        labels.loc[rows.index] = name
    return labels


def _filled(rows: pd.DataFrame, column: str) -> pd.Series:
    if column == "config":
        return rows[column].fillna("").astype(object).replace("", "defaults")
    known = rows[column].dropna().unique()
    filler = known[0] if len(known) == 1 else "unknown"
    return rows[column].astype(object).where(rows[column].notna(), filler)


def with_variants(trials: pd.DataFrame) -> pd.DataFrame:
    """Add the ordered category ``variant``, highest mean of the headline accuracy first, and sort the rows by it."""
    labels = variant_labels(trials)
    scores = trials[headline(trials)].where(trials["status"] == "ok").groupby(labels).mean().sort_index()
    order = scores.sort_values(ascending=False, na_position="last", kind="stable").index
    trials = trials.assign(variant=pd.Categorical(labels, categories=list(order), ordered=True))
    return trials.sort_values(["variant", "seed", "trial_id"], kind="stable", ignore_index=True)


def _open(store: str | Path) -> tuple[fs.FileSystem, str]:
    if "://" not in str(store):
        return fs.LocalFileSystem(), Path(store).expanduser().resolve().as_posix()
    refuse_credentials(str(store))
    try:
        filesystem, root = fs.FileSystem.from_uri(str(store))
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"a store must be a folder or a URI that pyarrow opens, but got {store}: {error}") from None
    return filesystem, root.rstrip("/")


def _find_study(filesystem: fs.FileSystem, root: str, study: str | None, given: str) -> tuple[str, str]:
    if _is_study(filesystem, root):
        name = root.rsplit("/", 1)[-1]
        if study not in (None, name):
            raise StoreError(f"{given} is the folder of study {name!r}, but study {study!r} was asked for")
        return root, name
    entries = filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True))
    found = sorted(e.base_name for e in entries if e.type == fs.FileType.Directory and _is_study(filesystem, e.path))
    if not found:
        raise StoreError(f"a store must hold a study with recorded trials, but {given} has none; run a study into it")
    if study is None and len(found) > 1:
        raise StoreError(f"a report is about one study, but {given} holds several; name one of: {', '.join(found)}")
    if study is not None and study not in found:
        raise StoreError(f"{given}: {choose('study', study, found)}")
    name = study or found[0]
    return f"{root}/{name}", name


def _is_study(filesystem: fs.FileSystem, folder: str) -> bool:
    return filesystem.get_file_info(f"{folder}/trials").type == fs.FileType.Directory


def _read_text(filesystem: fs.FileSystem, path: str) -> str:
    if filesystem.get_file_info(path).type != fs.FileType.File:
        return ""
    with filesystem.open_input_stream(path) as stream:
        return bytes(stream.read()).decode(errors="replace")


def _read(
    filesystem: fs.FileSystem, folder: str, declared: pa.Schema, columns: list[str] | None = None
) -> pd.DataFrame:
    """All rows of the folder's Parquet files; ``columns`` None reads every column, declared or not.

    A run that goes on meanwhile merges files: what is gone before it is read is in a merged file that is new.
    """
    paths = _parquet_files(filesystem, folder)
    try:
        format_ = pads.ParquetFileFormat()
        fragments = [format_.make_fragment(path, filesystem=filesystem) for path in paths]
        schema = _unify([declared, *(fragment.physical_schema for fragment in fragments)])
        table = pads.FileSystemDataset(fragments, schema, format_, filesystem).to_table(columns=columns)
    except (pa.ArrowException, OSError) as error:
        if set(paths) - set(_parquet_files(filesystem, folder)):
            return _read(filesystem, folder, declared, columns)
        damaged = next((path for path in paths if not _is_readable(filesystem, path)), folder)
        raise StoreError(
            f"every record must be a whole Parquet file, but {damaged} cannot be read ({str(error).splitlines()[0]}); "
            "remove it and run the study again: only what is missing is repeated"
        ) from None
    news = set(_parquet_files(filesystem, folder)) - set(paths)
    if any(path.rpartition("/")[2].startswith(MERGED) for path in news):
        return _read(filesystem, folder, declared, columns)
    return table.to_pandas(types_mapper=_PANDAS_TYPES.get)


def _parquet_files(filesystem: fs.FileSystem, folder: str) -> list[str]:
    entries = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    return sorted(e.path for e in entries if e.is_file and e.extension == "parquet" and e.base_name[0] not in "._")


def _unify(schemas: list[pa.Schema]) -> pa.Schema:
    """The union of all columns at the wider of two types; text where the types have nothing in common."""
    distinct = list(dict.fromkeys(schema.remove_metadata() for schema in schemas))
    try:
        return pa.unify_schemas(distinct, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        fields: dict[str, pa.Field] = {}
        for candidate in (field for schema in distinct for field in schema):
            known = fields.get(candidate.name, candidate)
            try:
                merged = pa.unify_schemas([pa.schema([known]), pa.schema([candidate])], promote_options="permissive")
                fields[candidate.name] = merged.field(0)
            except (pa.ArrowTypeError, pa.ArrowInvalid):
                fields[candidate.name] = pa.field(candidate.name, pa.string())
        return pa.schema(list(fields.values()))


def _is_readable(filesystem: fs.FileSystem, path: str) -> bool:
    try:
        pads.dataset(path, filesystem=filesystem, format="parquet").to_table()
    except (pa.ArrowException, OSError):
        return False
    return True
