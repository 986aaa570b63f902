"""Looking finished cells up again when the user brings a table that knows more of them."""

from __future__ import annotations

from study.store.arrow import Row
from study.store.store import Store
from trainables.benchmarks.accuracies import ACCURACIES, MEAN_COLUMNS
from trainables.benchmarks.table import BenchmarkTable
from trainables.records import look_up


def look_up_again(store: Store, table: BenchmarkTable) -> str | None:
    """Bring the looked-up columns of all finished trials to ``table``; returns a sentence if there was reason to.

    A search never reads these columns, so filling them later changes no result. They are not replaced by a table that
    knows less than the one they came from.
    """
    columns = [accuracy.column for accuracy in ACCURACIES]
    rows = store.finished(("table_fingerprint", "space", *columns))
    own = {trial_id: row for trial_id, row in rows.items() if row["space"] == table.space}
    stale = [row for row in own.values() if row["table_fingerprint"] not in (None, table.fingerprint)]
    if not stale:
        return None
    known_before = {name for name in columns if any(row[name] is not None for row in stale)}
    known_now = {a.column for a in ACCURACIES if table.has(a.dataset, a.split)}
    if not known_before <= known_now:
        lost = ", ".join(sorted(known_before - known_now))
        return f"earlier trials have {lost} from another table; give --benchmark again to have it for the new ones too"

    def update(kind: str, found: list[Row]) -> list[Row]:
        cells = [row["genotype"] if row["trial_id"] in own else None for row in found]
        for name, values in look_up(table, cells).items():
            if kind == "trials" or name in MEAN_COLUMNS:
                for row, value in zip(found, values, strict=True):
                    row[name] = value
        return [row | {"table_fingerprint": table.fingerprint} for row in found] if kind == "trials" else found

    store.rewrite(update)
    return f"looked up {len(stale)} finished trials again in the new benchmark table"
