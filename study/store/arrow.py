"""Rows as Arrow tables, and tables as the bytes of Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]

ROW_GROUP = 5_000
"""Rows that must be read to have one of a large file."""


def to_table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows as a typed table; keys outside the schema are hyperparameters, typed by their values."""
    extra = sorted({key for row in rows for key in row} - set(schema.names))
    unknown = [key for key in extra if not key.startswith("hp.")]
    assert not unknown, f"columns {unknown} are not in the schema"
    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    for key in extra:
        value = next(row[key] for row in rows if row.get(key) is not None)
        schema = schema.append(pa.field(key, kinds[type(value)]))
    return pa.Table.from_pylist(list(rows), schema=schema)


def concatenated(tables: list[pa.Table]) -> pa.Table:
    """All rows under the union of the columns; where two types have nothing in common the column becomes text."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        kinds: dict[str, set[pa.DataType]] = {}
        for field in (field for table in tables for field in table.schema):
            kinds.setdefault(field.name, set()).add(field.type)
        text = {name for name, types in kinds.items() if len(types) > 1 and any(map(pa.types.is_string, types))}
        as_text = [
            pa.schema([pa.field(f.name, pa.string() if f.name in text else f.type) for f in t.schema]) for t in tables
        ]
        cast = [table.cast(schema) for table, schema in zip(tables, as_text, strict=True)]
        return pa.concat_tables(cast, promote_options="permissive")


def encoded(table: pa.Table) -> pa.Buffer:
    """A table as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP)
    return sink.getvalue()
