"""Which trials are the same experiment: the variant of each, named by what tells it from the others of its method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.results.accuracies import headline, lower_is_better
from trainables.errors import StoreError

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

_READABLE = 60
"""Characters of changed hyperparameters that a label holds; of more, those that all variants of the method share go."""


Parts = Mapping[str, Sequence[str]]
"""A ``config`` -> the hyperparameters it names, each as text: what was joined need not be taken apart again."""


def variant_labels(trials: pd.DataFrame, parts: Parts) -> pd.Series:
    """Name each trial's variant: the method, its changed hyperparameters, and whatever else differs between its trials.

    ``drnas``; ``gaea (level=single)``; ``drnas (arch_lr=0.001)`` beside ``drnas (defaults)``; ``drnas v2`` beside
    ``drnas v1``; ``svge (queries=150, labelled=50, 8 more)``, where all hyperparameters would be a line of their own.
    """
    kinds = trials[["method", "method_version", *_SETTINGS]].drop_duplicates()
    numbers = trials.groupby(list(kinds.columns), dropna=False, sort=False).ngroup()
    labels = _labels_of_kinds(kinds, parts)
    labels.index = pd.Index(numbers.loc[kinds.index])
    return numbers.map(labels).astype(object)


def with_variants(trials: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """Add the ordered category ``variant``, best mean of the headline accuracy first, and sort the rows by it.

    ``trials`` is used up, column by column: two frames of a million trials need not fit into memory. Raises StoreError
    where two methods would have one name.
    """
    labels = variant_labels(trials, parts)
    _refuse_namesakes(trials["method"], labels)
    column = headline(trials)
    keys = pa.table({"seed": pa.array(trials["seed"]), "trial_id": pa.array(trials["trial_id"])})
    by_seed = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names]).to_numpy()
    # In the order of seeds, since a mean is rounded and files have any order.
    scores = trials[column].where(trials["status"] == "ok").iloc[by_seed].groupby(labels.iloc[by_seed]).mean()
    order = scores.sort_index().sort_values(ascending=lower_is_better(column), na_position="last", kind="stable").index
    variant = pd.Categorical(labels, categories=list(order), ordered=True)
    rows = by_seed[np.argsort(variant.codes[by_seed], kind="stable")]
    columns = {column: trials.pop(column).array.take(rows) for column in list(trials.columns)}
    return pd.DataFrame(columns | {"variant": variant.take(rows)}, copy=False).copy()


def _refuse_namesakes(methods: pd.Series, labels: pd.Series) -> None:
    both = pd.DataFrame({"method": methods, "label": labels}).drop_duplicates()
    if (twice := both["label"].duplicated()).any():
        label = both.loc[twice, "label"].iloc[0]
        names = " and ".join(repr(name) for name in both.loc[both["label"] == label, "method"])
        raise StoreError(
            f"methods and their settings need names of their own, but {names} both make {label!r}; rename one"
        )


def _labels_of_kinds(kinds: pd.DataFrame, parts: Parts) -> pd.Series:
    """The label of every distinct combination of settings."""
    labels = pd.Series("", index=kinds.index, dtype=object)
    for method, rows in kinds.groupby("method", dropna=False):
        name = pd.Series(str(method), index=rows.index, dtype=object)
        if rows["method_version"].nunique() > 1:
            name += " v" + rows["method_version"].astype(str)
        changed = _filled(rows, "config").ne("defaults").any()
        differing = [
            (c, text) for c, text in _SETTINGS.items() if _filled(rows, c).nunique() > 1 or (c == "config" and changed)
        ]
        if differing:
            shown = rows.assign(config=_readable(_filled(rows, "config"), parts))
            texts = [_filled(shown, column).map(text.format) for column, text in differing]
            name += [f" ({', '.join(parts)})" for parts in zip(*texts, strict=True)]
        labels.loc[rows.index] = name
    return labels


def _readable(configs: pd.Series, parts: Parts) -> pd.Series:
    """Changed hyperparameters in short: long texts without what all of them share, or with the first two of that."""
    changed = {config: parts[config] for config in configs.unique() if config != "defaults"}
    if max(map(len, changed), default=0) <= _READABLE:
        return configs
    shared = [part for part in next(iter(changed.values())) if all(part in own for own in changed.values())]
    left_out = shared[2:] if len(changed) == 1 else shared
    rest = [f"{len(left_out)} more"] if left_out else []
    short = {
        config: ", ".join([part for part in own if part not in left_out] + rest) for config, own in changed.items()
    }
    return configs.map({"defaults": "defaults"} | short)


def _filled(rows: pd.DataFrame, column: str) -> pd.Series:
    if column == "config":
        return rows[column].fillna("").astype(object).replace("", "defaults")
    known = rows[column].dropna().unique()
    filler = known[0] if len(known) == 1 else "unknown"
    return rows[column].astype(object).where(rows[column].notna(), filler)
