"""Results that did not come from us: a tidy Parquet or CSV file -> the same Results that a store gives.

One row a run: ``method``, ``seed``, ``dataset``, any ``hp.*`` and one or more value columns (percent, higher is better;
or, where that is said, lower is better, in a unit of their own; empty where the run failed). Rows that differ only in
``dataset`` stand in one row: each data set becomes a value column of its own. Where rows are the course of a run, told
apart by ``step`` or ``epoch``, the last one of each run is its row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.results import accuracies
from analysis.results.from_store import Results
from analysis.results.table_checks import check_names, direction, one_unit, seed_number
from analysis.results.table_file import TEXT, as_numbers, as_settings, as_text, read_frame
from analysis.results.traces import SECONDS, STEPS, split_traces
from analysis.results.variants import with_variants
from study.store.schema import TRIALS
from trainables.errors import StoreError, choose
from trainables.records import setting_text

_KEYS = (*TEXT, "seed")
_PREFIX = "hp."


def load_table(
    path: str | Path, value: str | Sequence[str], *, lower_is_better: bool | None = None, paired: bool = False
) -> Results:
    """Read ``path`` (.parquet or .csv); ``value`` names its value columns, in percent.

    ``lower_is_better``: of all values, which are then in a unit of their own; None where nobody said, so that a name or
    a range that looks like an error rate is refused. ``paired`` claims that equal seeds of two methods drew the same;
    the table itself cannot say so. There are no cells or settings of a search in it: sections that need them are left
    out. Raises StoreError and ConfigError, in one sentence, where the file cannot be read as such a table.
    """
    path = Path(path)
    names = [value] if isinstance(value, str) else list(value)
    frame = read_frame(path)
    _check_columns(path, frame, names)
    settings = [column for column in frame.columns if column.startswith(_PREFIX)]
    budgets = [column for column in (*STEPS, SECONDS) if column in frame and column not in names]
    frame = frame[[*_KEYS, *settings, *names, *budgets]].copy()
    for column in TEXT:
        frame[column] = as_text(path, frame[column])
    _check_keys(path, frame)
    for column in settings:
        frame[column] = as_settings(path, frame[column])
    for column in [*TEXT, *settings]:
        check_names(path, frame[column])
    for name in names:
        frame[name] = as_numbers(path, frame[name])
        lower = direction(path, frame[name], lower_is_better)
        one_unit(path, frame, name, lower=lower)
    frame["config"], parts = _configurations(frame, settings)
    frame, traces = split_traces(path, frame, names, _ids)
    _check_repeats(path, frame)
    trials = _as_trials(frame, settings, names, lower=bool(lower_is_better))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    about = {"file": path.name, "sha256": digest, "values": names, "lower is better": bool(lower_is_better)}
    return Results(path.stem, with_variants(trials, parts), {}, "", about, None, paired, traces)


def _check_columns(path: Path, frame: pd.DataFrame, names: list[str]) -> None:
    for column in _KEYS:
        if column not in frame:
            raise StoreError(
                f"a table of results needs the columns {', '.join(_KEYS)}, but {path} lacks {column!r}; "
                f"rename or add it: it has {', '.join(frame.columns)}"
            )
    others = [c for c in frame.columns if c not in _KEYS and not c.startswith(_PREFIX)]
    if not names:
        raise StoreError(f"name the columns with the accuracies, as in --value COLUMN; {path} has {', '.join(others)}")
    for name in names:
        if name not in others:
            raise StoreError(f"{path}: {choose('value column', name, others)}")
        if names.count(name) > 1:
            raise StoreError(
                f"a value column is named once, but {name!r} was given {names.count(name)} times; drop one"
            )


def _check_keys(path: Path, frame: pd.DataFrame) -> None:
    for column in _KEYS:
        if frame[column].isna().any():
            row = int(np.flatnonzero(frame[column].isna())[0])
            raise StoreError(f"every row needs a {column}, but row {row + 1} of {path} has none; fill it in or drop it")
    if (odd := ~frame["seed"].map(np.isscalar)).any():  # such as lists
        seed_number(path, frame.loc[odd, "seed"].iloc[0])
    codes, given = pd.factorize(frame["seed"])
    frame["seed"] = np.array([seed_number(path, seed) for seed in given], dtype=np.int64)[codes]


def _configurations(frame: pd.DataFrame, settings: list[str]) -> tuple[pd.Series, dict[str, list[str]]]:
    """The hyperparameters that vary within a method, "lr=0.1, wd=0", and the parts of each such label.

    Two configurations never share a label.
    """
    labels = pd.Series("", index=frame.index, dtype=object)
    parts: dict[str, list[str]] = {}
    for _, rows in frame.groupby("method", sort=False):
        varying = [column for column in settings if rows[column].nunique(dropna=False) > 1]
        if varying:
            texts = [_texts(rows[column], f"{column.removeprefix(_PREFIX)}=") for column in varying]
            label = texts[0]
            for text in texts[1:]:
                label = label + ", " + text
            labels.loc[rows.index] = label
            parts |= {label[row]: [text[row] for text in texts] for row in label.drop_duplicates().index}
    return labels, parts


def _texts(values: pd.Series, prefix: str) -> pd.Series:
    """Each value as text, written once for every distinct one."""
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    texts = np.array([prefix + setting_text(value) for value in distinct.to_numpy()], dtype=object)
    return pd.Series(texts[codes], index=values.index)


def _check_repeats(path: Path, frame: pd.DataFrame) -> None:
    keys = ["method", "config", "dataset", "seed"]
    if (again := frame.duplicated(keys)).any():
        row = frame[again].iloc[0]
        of = f"{row['method']}{f' ({row.config})' if row['config'] else ''}, {row['dataset']}, seed {row['seed']}"
        raise StoreError(
            f"a run is one row, but {path} has {int(again.sum())} rows whose method, hyperparameters, dataset and seed "
            f"occur before ({of}); drop repeats, or tell them apart by a column hp.NAME, or step where they are the "
            "course of one run"
        )


def _ids(rows: pd.DataFrame) -> pd.Series:
    """``darts (lr=0.1) 3``: method, configuration and seed."""
    return rows["method"] + " " + rows["config"].map(lambda c: f"({c}) " if c else "") + rows["seed"].astype(str)


def _as_trials(frame: pd.DataFrame, settings: list[str], names: list[str], *, lower: bool) -> pd.DataFrame:
    """One row a method, configuration and seed, with every column of the schema."""
    keys = ["method", "config", "seed"]
    wide = frame.pivot(index=keys, columns="dataset", values=names)
    datasets = sorted(frame["dataset"].unique())
    values = {
        accuracies.foreign_column(d, name, lower=lower): wide[name, d].to_numpy() for name in names for d in datasets
    }
    trials = pd.DataFrame(values, index=wide.index)
    if settings:
        trials = trials.join(frame.groupby(keys)[settings].first())
    trials = trials.reset_index()
    ok = trials[list(values)].notna().any(axis=1)
    error = ok.map({True: None, False: "the table has no value"})
    trials = trials.assign(status=np.where(ok, "ok", "failed"), error=error, trial_id=_ids(trials))
    empty = TRIALS.empty_table().to_pandas()
    return trials.reindex(columns=[*empty.columns, *settings, *values])
