"""Rows as Arrow tables, and tables as the bytes of Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]

ROW_GROUP = 5_000
"""Rows that must be read to have one of a large file."""
TOGETHER = 500
"""Tables that become one at a time."""


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


def together(trials: Iterable[Sequence[Row]], schema: pa.Schema) -> pa.Table:
    """The rows of several trials as one table, whose hyperparameters may have one name and several types."""
    alike: dict[frozenset[tuple[str, type]], list[Row]] = {}
    for rows in trials:
        extra = set(rows[0]).difference(schema.names) if rows else ()
        alike.setdefault(frozenset((key, type(rows[0][key])) for key in extra), []).extend(rows)
    return concatenated([to_table(rows, schema) for rows in alike.values()])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """All rows under the union of the columns, in the order of ``unified``; null where a table lacks one."""
    schema = unified([table.schema for table in tables])
    cast = [table.cast(pa.schema([schema.field(name) for name in table.column_names])) for table in tables]
    return pa.concat_tables([schema.empty_table(), *cast], promote_options="default")


def unified(schemas: Iterable[pa.Schema]) -> pa.Schema:
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


def gathered(tables: Iterable[pa.Table]) -> list[pa.Table]:
    """The same rows in few tables, those of one schema together: a table of its own takes 80 KiB for a single row."""
    held: dict[pa.Schema, list[pa.Table]] = {}
    for table in tables:
        alike = held.setdefault(table.schema, [])
        alike.append(table)
        if len(alike) == TOGETHER:
            alike[:] = [pa.concat_tables(alike).combine_chunks()]
    return [pa.concat_tables(alike) for alike in held.values()]


def encoded(table: pa.Table) -> pa.Buffer:
    """A table as the bytes of a Parquet file, of which a part can be read."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP)
    return sink.getvalue()


def encoded_whole(table: pa.Table) -> pa.Buffer:
    """The same of what a worker has just finished, which is read as a whole: in a third of the time, and smaller, since
    most of such a file is what would tell where its parts are."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="lz4", use_dictionary=False, write_statistics=False)
    return sink.getvalue()
