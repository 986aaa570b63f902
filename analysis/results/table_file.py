"""A file that somebody else wrote -> a frame, with nothing read into it that is not there.

In CSV all is text: ``001`` is not 1, ``NA`` and ``None`` are names, only the empty field is missing. Blanks around a
field are nobody's intention and go. Separated by semicolons or tabs, a number may have a decimal comma.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from trainables.errors import StoreError

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
"""Characters that no page and no drawing may hold; of a byte-order mark within a text matplotlib makes no PDF."""
SUFFIXES = (".parquet", ".csv", ".tsv")
TEXT = ("method", "dataset")
"""Columns that are names, whatever they look like."""
_PACKED = {
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"PK\x03\x04": "an Excel file or another archive; save the table in it as CSV",
    b"PAR1": "a Parquet file; end its name in .parquet",
}
"""What files begin with that are no text, whatever their names end in."""
_POINT_THOUSANDS = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_COMMA_THOUSANDS = r"^[+-]?[1-9]\d{0,2},\d{3}$"
_DECIMAL_COMMA = r"^([+-]?\d+),(\d+(?:[eE][+-]?\d+)?)$"
EXACT = 2**53
"""Up to here every whole number is a float of its own."""
_NUMBER = r"[+-]?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?|[+-]?\.\d+(?:[eE][+-]?\d+)?"
"""A number as people write it: without zeros before it, which are part of a name."""


def is_table(path: Path) -> bool:
    """Whether its name says that it is a file that ``read_frame`` reads."""
    return path.suffix.lower() in SUFFIXES


def read_frame(path: Path) -> pd.DataFrame:
    """The columns of a .parquet or .csv file; text is stripped, and empty text is missing.

    Raises StoreError, in one sentence, where the file is no such table, has a row longer or shorter than its header, or
    a column twice.
    """
    if not is_table(path):
        raise StoreError(f"a table of results must be a .parquet, .csv or .tsv file, but got {path}; convert it")
    try:
        table = pq.read_table(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
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
    if hidden := [name for name in names if UNPRINTABLE.search(name)]:
        raise StoreError(
            f"the name of a column is text that can be printed, but {path} has {hidden[0]!r}; write it without control "
            "characters"
        )
    if not len(table):
        raise StoreError(f"a table of results needs at least one row, but {path} has none; give one that has")
    return pd.DataFrame({n: _column(path, n, c) for n, c in zip(names, table.columns, strict=True)})


def as_text(path: Path, values: pd.Series) -> pd.Series:
    """Names: every known value as text, None where it is missing. Raises StoreError where one is a list or a record."""
    if values.dtype == object and (odd := ~values.dropna().map(np.isscalar)).any():
        raise StoreError(
            f"a {values.name} is a name, but column {values.name!r} of {path} has {values.dropna()[odd].iloc[0]!r}; "
            "write it as text"
        )
    return values.astype(object).where(values.notna(), None).map(str, na_action="ignore")


def as_numbers(path: Path, values: pd.Series) -> pd.Series:
    """A column of numbers, NaN where a field is empty. Raises StoreError where one is no number, or all are empty."""
    kinds = {type(value) for value in values.dropna()} if values.dtype == object else set()
    if values.dtype.kind in "bmM" or kinds & {bool, np.bool_}:
        given = values.dropna().iloc[0] if values.notna().any() else values.dtype
        raise StoreError(
            f"column {values.name!r} must hold numbers, but {path} has {str(given)!r} in it, which is a time or "
            "a truth; convert it"
        )
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
    a value is neither, such as a list, or a number so large that a float is its neighbour's, too.
    """
    setting = _as_setting(path, values)
    if setting.dtype.kind in "iuf" and (large := np.isfinite(setting) & (setting.abs() > EXACT)).any():
        raise StoreError(
            f"a hyperparameter is told from its neighbours up to 2^53, but {values.name!r} of {path} has "
            f"{values[large].iloc[0]}; write it as a name, or in a larger unit"
        )
    return setting


def _as_setting(path: Path, values: pd.Series) -> pd.Series:
    known = values.dropna()
    if values.dtype.kind in "mM":
        return as_text(path, values)
    if values.dtype != object or known.empty:
        return values
    if known.map(lambda value: isinstance(value, Decimal)).all():
        return values.astype(float)
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
    if packed := next((words for magic, words in _PACKED.items() if text.startswith(magic)), None):
        raise StoreError(f"a table of results must be text where it is no Parquet file, but {path} is {packed}")
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
    return table if separator == "," else _with_points(path, table)


def _with_points(path: Path, table: pa.Table) -> pa.Table:
    """Decimal commas as points. Raises StoreError where a point or a comma may part thousands just as well."""
    columns = [place for place, name in enumerate(table.column_names) if name.strip() not in TEXT]
    commas = any(_count(_matching(table.column(c), _DECIMAL_COMMA)) for c in columns)
    for place in columns if commas else ():
        values, name = table.column(place), table.column_names[place]
        filled, decimal, grouped = (_matching(values, p) for p in (r"\S", _DECIMAL_COMMA, _COMMA_THOUSANDS))
        if not 0 < _count(grouped) == _count(decimal) < _count(filled):
            grouped = _matching(values, _POINT_THOUSANDS)
        if _count(grouped):
            raise StoreError(
                f"a number is read in one way, but {values.filter(grouped)[0].as_py()!r} in column {name!r} of {path} "
                "may have decimals or thousands; write decimals with a point, and thousands without"
            )
        column = pc.replace_substring_regex(values, _DECIMAL_COMMA, r"\1.\2")
        table = table.set_column(place, name, column)
    return table


def _matching(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    return pc.match_substring_regex(values, pattern)


def _count(mask: pa.ChunkedArray) -> int:
    return pc.sum(mask).as_py() or 0


def _parsing(separator: str, note: object) -> pacsv.ParseOptions:
    return pacsv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note)


def _column(path: Path, name: str, values: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        try:
            values = values.cast(pa.large_string())  # how some programs write text
        except pa.ArrowInvalid:
            raise StoreError(
                f"a column holds numbers or text, but {name!r} of {path} holds bytes that are no UTF-8; drop it"
            ) from None
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values.to_pandas()
    stripped = pc.utf8_trim_whitespace(values)
    empty = pc.equal(stripped, "")
    return pc.if_else(empty, pa.scalar(None, values.type), stripped).to_pandas().astype(object)
