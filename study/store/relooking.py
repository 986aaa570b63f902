"""Looking finished cells up again when the user brings a table that knows more of them."""

from __future__ import annotations

from study.store.arrow import Row
from study.store.schema import TABLE_DATASETS, TABLE_SPLITS
from study.store.store import Store
from trainables.benchmarks.table import Table
from trainables.trial import look_up


def look_up_again(store: Store, table: Table) -> str | None:
    """Bring the looked-up columns of all finished trials to ``table``; returns a sentence if there was reason to.

    A search never reads these columns, so filling them later changes no result. They are not replaced by a table that
    knows less than the one they came from.
    """
    signals = [f"{d}_{s}_accuracy" for d in TABLE_DATASETS for s in TABLE_SPLITS]
    rows = store.finished(("table_fingerprint", *signals))
    stale = [row for row in rows.values() if row["table_fingerprint"] not in (None, table.fingerprint)]
    if not stale:
        return None
    known_before = {name for name in signals if any(row[name] is not None for row in stale)}
    known_now = {f"{d}_{s}_accuracy" for d in TABLE_DATASETS for s in TABLE_SPLITS if table.has(d, s)}
    if not known_before <= known_now:
        lost = ", ".join(sorted(known_before - known_now))
        return f"earlier trials have {lost} from another table; give --benchmark again to have it for the new ones too"

    def update(kind: str, found: list[Row]) -> list[Row]:
        for name, values in look_up(table, [row["genotype"] for row in found]).items():
            if kind == "trials" or "_seed" not in name:
                for row, value in zip(found, values, strict=True):
                    row[name] = value
        return [row | {"table_fingerprint": table.fingerprint} for row in found] if kind == "trials" else found

    store.rewrite(update)
    return f"looked up {len(stale)} finished trials again in the new benchmark table"
