"""Frames as CSV: what pandas writes, in a fraction of its time, since a number that recurs is made text once.

Text that a spreadsheet would compute, such as ``=1+1``, has an apostrophe before it: spreadsheets take what follows as
it stands. Numbers never have one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sized
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

BLOCK = 20_000
"""Rows that are text at a time: all trials of a large study take gigabytes as text."""
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with, full width included."""


def csv_text(frame: pd.DataFrame) -> str:
    """The frame without its index; numbers unrounded, an empty field is a missing value."""
    return "".join(_blocks(frame))


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """``csv_text`` as a file, with what is in memory bounded."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(_blocks(frame))


def _blocks(frame: pd.DataFrame) -> Iterator[str]:
    yield ",".join(_quoted(str(column)) for column in frame.columns) + "\n"
    columns = [_column(frame[column]) for column in frame.columns]
    for start in range(0, len(frame), BLOCK):
        part = slice(start, start + BLOCK)
        lines = pc.binary_join_element_wise(*(texts(part) for texts in columns), ",")
        yield pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")[0].as_py() + "\n"


def _column(values: pd.Series) -> Callable[[slice], pa.Array]:
    """What makes a part of the column text; a value that recurs in the column is made text once."""
    if values.dtype == object:  # may hold 1, 1.0 and True, which are equal as well
        return lambda part: pa.array(map(_text, values.iloc[part].tolist()), pa.string())
    if isinstance(values.dtype, pd.StringDtype):
        codes, distinct = pd.factorize(values)
        if _few_recur(distinct, values):
            return lambda part: _quoted_all(pa.table({"": values.iloc[part]})[0].combine_chunks().cast(pa.string()))
        return _lookup(codes.astype(np.int32), pa.array(map(_quoted, distinct), pa.string()))
    if values.dtype == "datetime64[us, UTC]":
        return _times(values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, texts = values.cat.codes.to_numpy(), map(_text, values.cat.categories)
    elif values.dtype == np.float64:
        codes, bits = pd.factorize(values.to_numpy().view(np.int64))  # by bits: 0.0 and -0.0 are equal, not the same
        distinct = bits.view(np.float64)
        if _few_recur(distinct, values):
            return lambda part: _column(values.iloc[part])(slice(None))
        codes, texts = np.where(np.isnan(distinct)[codes], -1, codes), map(repr, distinct.tolist())
    else:
        codes, found = pd.factorize(values)
        texts = map(_quoted, pd.Series(found).astype(str))
    return _lookup(codes.astype(np.int32), pa.array(texts, pa.string()))


def _few_recur(distinct: Sized, values: Sized) -> bool:
    """Whether all texts at once would be large, and few of them used twice."""
    return len(distinct) > len(values) / 2 and len(values) > BLOCK


def _times(values: pd.Series) -> Callable[[slice], pa.Array]:
    """All with a fraction of a second where any has one."""
    whole = bool((values.dropna().dt.microsecond == 0).all())
    kind = pa.timestamp("s" if whole else "us", "UTC")
    return lambda part: pc.fill_null(pc.strftime(pa.array(values.iloc[part], kind), "%Y-%m-%d %H:%M:%S+00:00"), "")


def _lookup(codes: np.ndarray, texts: pa.Array) -> Callable[[slice], pa.Array]:
    return lambda part: pc.fill_null(texts.take(pa.array(codes[part], mask=codes[part] < 0)), "")


def _quoted_all(texts: pa.Array) -> pa.Array:
    """``_quoted`` of every text; missing ones are empty."""
    texts = pc.fill_null(texts, "")
    special = pc.match_substring_regex(texts, rf'[,"\n\r]|^\s*[{re.escape("".join(_FORMULA))}]')
    return pa.array(map(_quoted, texts.to_pylist()), pa.string()) if pc.any(special).as_py() else texts


def _text(value: object) -> str:
    return "" if pd.isna(value) else _quoted(str(value))


def _quoted(text: str) -> str:
    if text.lstrip().startswith(_FORMULA) and not _is_number(text):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if any(special in text for special in ',"\n\r') else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
