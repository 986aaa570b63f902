"""A file that somebody else wrote -> a frame, with nothing read into it that is not there.

In CSV all is text: ``001`` is not 1, ``NA`` and ``None`` are names, only the empty field is missing. Blanks around a
field are nobody's intention and go. Separated by semicolons or tabs, a number may have a decimal comma.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from trainables.errors import StoreError

TEXT = ("method", "dataset")
"""Columns that are names, whatever they look like."""
_DECIMAL_COMMA = r"^([+-]?\d+),(\d+(?:[eE][+-]?\d+)?)$"
_NUMBER = r"[+-]?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?|[+-]?\.\d+(?:[eE][+-]?\d+)?"
"""A number as people write it: without zeros before it, which are part of a name."""


def read_frame(path: Path) -> pd.DataFrame:
    """The columns of a .parquet or .csv file; text is stripped, and empty text is missing.

    Raises StoreError, in one sentence, where the file is no such table, has a row longer or shorter than its header, or
    a column twice.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise StoreError(f"a table of results must be a .parquet or .csv file, but got {path}; convert it")
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else _read_csv(path)
    except FileNotFoundError:
        raise StoreError(f"a table of results must exist, but there is none at {path}; give its path") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise StoreError(f"a table of results must be readable, but {path} is not ({reason}); write it again") from None
    names = [name.strip() for name in table.column_names]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise StoreError(
            f"every column of a table needs a name of its own, but {path} has {twice[0]!r} {names.count(twice[0])} "
            "times; rename or drop one"
        )
    if not len(table):
        raise StoreError(f"a table of results needs at least one row, but {path} has none; give one that has")
    return pd.DataFrame({n: _column(c) for n, c in zip(names, table.columns, strict=True)})


def as_text(values: pd.Series) -> pd.Series:
    """Names: every known value as text, None where it is missing."""
    return values.astype(object).where(values.notna(), None).map(str, na_action="ignore")


def as_numbers(path: Path, values: pd.Series) -> pd.Series:
    """A column of numbers, NaN where a field is empty. Raises StoreError where one is no number, or all are empty."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    if (text := numbers.isna() & values.notna()).any():
        raise StoreError(
            f"column {values.name!r} must hold numbers, but {path} has {values[text].iloc[0]!r} in it; "
            "leave the field of a failed run empty, and write decimals with a point"
        )
    if numbers.isna().all():
        raise StoreError(f"column {values.name!r} of {path} has no value at all; name another")
    return numbers


def as_settings(path: Path, values: pd.Series) -> pd.Series:
    """A hyperparameter: numbers, or True and False, where all known values are such, otherwise text.

    ``0.1`` and ``0.10`` are one number; ``001`` is a name and makes names of the whole column. Raises StoreError where
    a value is neither, such as a list.
    """
    known = values.dropna()
    if values.dtype != object or known.empty:
        return values
    if (odd := ~known.map(np.isscalar)).any():
        raise StoreError(
            f"a hyperparameter is a number, text, True or False, but {values.name!r} of {path} has "
            f"{known[odd].iloc[0]!r}; write it as text"
        )
    if not known.map(lambda value: isinstance(value, str)).all():
        return values
    if known.isin(["True", "False", "true", "false", "TRUE", "FALSE"]).all():
        return values.map(lambda value: value.lower() == "true", na_action="ignore")
    if not known.str.fullmatch(_NUMBER).all():
        return values
    if values.notna().all() and known.str.fullmatch(r"[+-]?\d{1,18}").all():
        return known.astype("int64")
    return pd.to_numeric(values, errors="coerce").astype(float)


def _read_csv(path: Path) -> pa.Table:
    text = path.read_bytes()
    try:
        header = next((line for line in text.decode("utf-8-sig").splitlines() if line.strip()), "")
    except UnicodeDecodeError as error:
        raise StoreError(
            f"a table of results must be UTF-8 text, but byte {error.start} of {path} is none; save it as UTF-8"
        ) from None
    separator = max(",;\t", key=header.count)
    wrong: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        wrong.append(row)
        return "skip"

    first = pacsv.open_csv(pa.BufferReader(text), parse_options=_parsing(separator, note)).schema.names
    wrong.clear()
    table = pacsv.read_csv(
        pa.BufferReader(text),
        read_options=pacsv.ReadOptions(use_threads=False),
        parse_options=_parsing(separator, note),
        convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(first, pa.string()), strings_can_be_null=False),
    )
    if wrong:
        row = wrong[0]
        raise StoreError(
            f"every row of a table has as many fields as its header, but row {(row.number or 2) - 1} of {path} has "
            f"{row.actual_columns} instead of {row.expected_columns} ({row.text[:80]}); mend it"
        )
    if separator == ",":
        return table
    for place, name in enumerate(table.column_names):
        if name.strip() not in TEXT:
            column = pc.replace_substring_regex(table.column(place), _DECIMAL_COMMA, r"\1.\2")
            table = table.set_column(place, name, column)
    return table


def _parsing(separator: str, note: object) -> pacsv.ParseOptions:
    return pacsv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note)


def _column(values: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values.to_pandas()
    stripped = pc.utf8_trim_whitespace(values)
    empty = pc.equal(stripped, "")
    return pc.if_else(empty, pa.scalar(None, values.type), stripped).to_pandas().astype(object)
