"""Results that did not come from us: a tidy Parquet or CSV file -> the same Results that a store gives.

One row a run: ``method``, ``seed``, ``dataset``, any ``hp.*`` and one or more value columns (percent, higher is better;
empty where the run failed). Rows that differ only in ``dataset`` are one trial looked at on several data sets, as the
table of NAS-Bench-201 does: each data set becomes a value column of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowInvalid

from analysis.pages.words import setting_text
from analysis.results import accuracies
from analysis.results.from_store import Results
from analysis.results.variants import with_variants
from study.store.schema import TRIALS
from trainables.errors import StoreError, choose

_KEYS = ("method", "dataset", "seed")
_PREFIX = "hp."


def load_table(path: str | Path, value: str | Sequence[str], *, paired: bool = False) -> Results:
    """Read ``path`` (.parquet or .csv); ``value`` names its value columns, in percent.

    ``paired`` claims that equal seeds of two methods drew the same; the table itself cannot say so.

    There are no cells, epochs or settings of a search in it: sections that need them say so. Raises StoreError, in one
    sentence, where the file cannot be read as such a table.
    """
    path = Path(path)
    names = [value] if isinstance(value, str) else list(value)
    frame = _read(path)
    _check_columns(path, frame, names)
    _check_keys(path, frame)
    for name in names:
        frame[name] = _percent(path, frame[name])
    settings = [column for column in frame.columns if column.startswith(_PREFIX)]
    frame = frame[[*_KEYS, *settings, *names]].astype({"method": str, "dataset": str, "seed": "int64"})
    frame["config"], parts = _configurations(frame, settings)
    _check_repeats(path, frame)
    return Results(path.stem, with_variants(_as_trials(frame, settings, names), parts), {}, "", {}, None, paired)


def _read(path: Path) -> pd.DataFrame:
    if path.suffix not in (".parquet", ".csv"):
        raise StoreError(f"a table of results must be a .parquet or .csv file, but got {path}; convert it")
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except FileNotFoundError:
        raise StoreError(f"a table of results must exist, but there is none at {path}; give its path") from None
    except (ArrowInvalid, OSError, ValueError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise StoreError(f"a table of results must be readable, but {path} is not ({reason}); write it again") from None
    if frame.empty:
        raise StoreError(f"a table of results needs at least one row, but {path} has none; give one that has")
    return frame


def _check_columns(path: Path, frame: pd.DataFrame, names: list[str]) -> None:
    for column in _KEYS:
        if column not in frame:
            raise StoreError(
                f"a table of results needs the columns {', '.join(_KEYS)}, but {path} lacks {column!r}; "
                f"rename or add it: it has {', '.join(map(str, frame.columns))}"
            )
    others = [str(c) for c in frame.columns if c not in _KEYS and not str(c).startswith(_PREFIX)]
    if not names:
        raise StoreError(f"name the columns with the accuracies, as in --value COLUMN; {path} has {', '.join(others)}")
    for name in names:
        if name not in others:
            raise StoreError(f"{path}: {choose('value column', name, others)}")


def _check_keys(path: Path, frame: pd.DataFrame) -> None:
    for column in _KEYS:
        if frame[column].isna().any():
            row = int(np.flatnonzero(frame[column].isna())[0])
            raise StoreError(f"every row needs a {column}, but row {row + 1} of {path} has none; fill it in or drop it")
    seeds = pd.to_numeric(frame["seed"], errors="coerce")
    if (wrong := seeds.isna() | (seeds % 1 != 0)).any():
        given = frame.loc[wrong, "seed"].iloc[0]
        raise StoreError(f"a seed is a whole number, but {path} has {given!r}; number the seeds")


def _percent(path: Path, values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    if (text := numbers.isna() & values.notna()).any():
        raise StoreError(
            f"column {values.name!r} must hold numbers, but {path} has {values[text].iloc[0]!r} in it; "
            "leave the field of a failed run empty"
        )
    numbers = numbers.astype(float)
    if numbers.isna().all():
        raise StoreError(f"column {values.name!r} of {path} has no value at all; name another with --value")
    if numbers.between(0, 1).where(numbers.notna(), True).all():
        raise StoreError(
            f"accuracies are percent, but all of column {values.name!r} of {path} lies between 0 and 1; "
            "multiply it by 100"
        )
    if not numbers.dropna().between(0, 100).all():
        wrong = numbers[numbers.notna() & ~numbers.between(0, 100)].iloc[0]
        raise StoreError(
            f"accuracies are percent, higher is better, but column {values.name!r} of {path} has {wrong:g}; "
            "convert it to 0 to 100"
        )
    return numbers


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
            f"occur before ({of}); drop repeats, or tell them apart by a column hp.NAME"
        )


def _as_trials(frame: pd.DataFrame, settings: list[str], names: list[str]) -> pd.DataFrame:
    """One row a method, configuration and seed, with every column of the schema."""
    keys = ["method", "config", "seed"]
    wide = frame.pivot(index=keys, columns="dataset", values=names)
    datasets = sorted(frame["dataset"].unique())
    values = {accuracies.foreign_column(d, name): wide[name, d].to_numpy() for name in names for d in datasets}
    trials = pd.DataFrame(values, index=wide.index)
    if settings:
        trials = trials.join(frame.groupby(keys)[settings].first())
    trials = trials.reset_index()
    ok = trials[list(values)].notna().any(axis=1)
    ids = trials["method"] + " " + trials["config"].map(lambda c: f"({c}) " if c else "") + trials["seed"].astype(str)
    trials = trials.assign(
        status=np.where(ok, "ok", "failed"), error=ok.map({True: None, False: "the table has no value"}), trial_id=ids
    )
    empty = TRIALS.empty_table().to_pandas()
    return trials.reindex(columns=[*empty.columns, *settings, *values])
