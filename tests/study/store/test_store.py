"""The store: what was written is read back, whole or not at all, from small files and merged ones alike."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import load
from study.store.rows import Cache, RowFiles
from study.store.schema import SCHEMA_VERSION, TRIALS
from study.store.store import Store


def row(trial_id: str, **values: Any) -> dict[str, Any]:
    return {"trial_id": trial_id, "method": "darts", "status": "ok", "seed": 1, **values}


def fill(store: Store, count: int) -> None:
    store.prepare()
    for index in range(count):
        epochs = [{"epoch": e + 1, "train_loss": 0.5 * e} for e in range(3)]
        store.write([(row(f"{index:016x}", **{"hp.arch_lr": 0.1 * index, "hp.order": "first"}), epochs)])


def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    columns = [name for name in TRIALS.names if name != "trial_id"]
    epochs = pa.concat_tables(store.epochs.tables()).sort_by([("trial_id", "ascending"), ("epoch", "ascending")])
    trials = store.finished([*columns, "hp.arch_lr", "hp.order"])
    return {"trials": [trials[key] for key in sorted(trials)], "epochs": epochs.to_pylist()}


def test_rows_are_typed_and_complete(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 1)
    table = pq.read_table(tmp_path / "s/trials/0000000000000000.parquet")
    assert table.schema.field("hp.arch_lr").type == "double" and table.schema.field("hp.order").type == "string"
    assert [table.schema.field(name).type for name in TRIALS.names] == list(TRIALS.types)
    assert table["schema_version"].to_pylist() == [SCHEMA_VERSION]
    assert table["genotype"].null_count == 1  # not known is null, never zero
    assert store.find("0" * 16) == table.to_pylist()[0]
    assert store.find("f" * 16) is None


def test_compacting_changes_nothing_that_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 7)
    before = everything(store)
    store.compact()
    assert [len(list((tmp_path / "s" / kind).glob("*.parquet"))) for kind in ("trials", "epochs")] == [1, 1]
    assert everything(store) == before
    assert Store(tmp_path, "s").find(f"{3:016x}") == before["trials"][3]
    store.write([(row(f"{7:016x}"), [])])
    store.compact()
    assert everything(store)["trials"][:7] == before["trials"] and store.find(f"{7:016x}")


def test_of_two_rows_of_a_trial_the_one_that_finished_last_counts(tmp_path: Path) -> None:
    """A failed trial that was merged while another run removed it, and has been repeated since."""
    store = Store(tmp_path, "s")
    store.prepare()
    late, early = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    for name, status, finished_at in (("a", "failed", early), ("b", "ok", late), ("c", "failed", early)):
        store.trials.write({name: [row("t", status=status, finished_at=finished_at)]})
    assert store.finished() == {"t": {"trial_id": "t", "status": "ok"}}
    store.compact()
    assert store.find("t")["status"] == "ok" and len(next(store.trials.tables())) == 1  # type: ignore[index]


def test_what_was_read_before_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path, "s")
    fill(store, 3)
    cache: Cache = {}
    first = store.finished(("status",), cache)
    read: list[str] = []
    original = store.trials.read
    monkeypatch.setattr(
        store.trials, "read", lambda info, *columns: read.append(info.base_name) or original(info, *columns)
    )
    assert store.finished(("status",), cache) == first and read == []
    store.write([(row("e" * 16), [])])
    store.write([(row(f"{0:016x}", status="failed", finished_at=datetime(2026, 1, 1, tzinfo=UTC)), [])])
    assert store.finished(("status",), cache)[f"{0:016x}"]["status"] == "failed"
    assert sorted(read) == [f"{0:016x}.parquet", "e" * 16 + ".parquet"]
    Store(tmp_path, "s").compact()
    assert len(store.finished(("status",), cache)) == len(next(iter(cache.values()))) == 4 and len(cache) == 1


def test_removing_trials_from_small_and_merged_files(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 3)
    store.compact()
    store.write([(row("e" * 16), [{"epoch": 1}])])
    store.write([(row("d" * 16), [{"epoch": 1}])])
    store.remove([f"{1:016x}", "e" * 16])
    assert set(store.finished()) == {f"{0:016x}", f"{2:016x}", "d" * 16}
    assert {e["trial_id"] for e in everything(store)["epochs"]} == {f"{0:016x}", f"{2:016x}", "d" * 16}


def test_a_report_reads_what_is_merged_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each listing is followed by a merge: first of the files it shows, then of none of them but a new one appears."""
    store = Store(tmp_path, "s")
    fill(store, 4)
    original, listings = RowFiles.listing, [0]

    def listed_and_then_merged(rows: RowFiles) -> list[Any]:
        found = original(rows)
        if rows.files is store.files:
            return found
        listings[0] += 1
        if listings[0] in (1, 3):
            store.write([(row("e" * 15 + str(listings[0])), [])])
            store.compact()
        return found

    monkeypatch.setattr(RowFiles, "listing", listed_and_then_merged)
    results = load(tmp_path)
    assert sorted(results.trials["trial_id"]) == [f"{n:016x}" for n in range(4)] + ["e" * 15 + "1"]
    assert len(results.epochs) == 12


def test_rewriting_keeps_columns_that_only_some_rows_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.store.rows.ROW_GROUP", 2)
    store = Store(tmp_path, "s")
    fill(store, 3)
    store.write([(row("e" * 16), [{"epoch": 1}])])
    store.compact()
    before = everything(store)
    store.rewrite(lambda kind, rows: [r | {"genotype": kind} for r in rows])
    assert everything(store) == {kind: [r | {"genotype": kind} for r in rows] for kind, rows in before.items()}


def test_epochs_of_one_trial_come_in_order_wherever_they_lie(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 3)
    assert [epoch["epoch"] for epoch in store.find_epochs(f"{1:016x}")] == [1, 2, 3]
    store.compact()
    store.epochs.write({"x": [{"trial_id": f"{1:016x}", "epoch": 4}, {"trial_id": f"{1:016x}", "epoch": 3}]})
    store.epochs.write({"y": []})
    store.compact()
    assert [epoch["epoch"] for epoch in store.find_epochs(f"{1:016x}")] == [1, 2, 3, 4]
    assert Store(tmp_path, "s").find_epochs("e" * 16) == []


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("a/b", "a/b/s"),
        ("a/b/", "a/b/s"),
        ("s3://bucket/p?region=r&scheme=http", "s3://bucket/p/s?region=r&scheme=http"),
    ],
)
def test_where_a_study_lies(uri: str, path: str) -> None:
    assert Store(uri, "s").path == path


def test_a_claim_goes_with_the_trial(tmp_path: Path) -> None:
    store, other = Store(tmp_path, "s"), Store(tmp_path, "s")
    store.prepare()
    assert [store.claim("a", "run 1"), store.claim("a", "run 1"), store.claim("a", "run 2")] == [1, 2, 1]
    assert store.holds("a") and not other.holds("a")
    store.write([(row("a"), [])])
    assert store.in_progress() == [] and not store.holds("a")


def test_a_pickled_store_holds_no_file_system(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 1)
    again = pickle.loads(pickle.dumps(store))
    assert "files" not in again.__dict__ and again.finished() == store.finished()


def test_checkpoints_are_replaced_and_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    store.prepare()
    assert store.read_checkpoint("a") is None
    store.write_checkpoint("a", b"one")
    store.write_checkpoint("a", b"two")
    assert store.read_checkpoint("a") == b"two" and store.checkpoints() == ["a"]
    store.write([(row("a"), [])])
    assert store.checkpoints() == [] and store.read_checkpoint("a") is None


def test_a_store_in_the_working_folder_is_the_same_to_a_worker_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the workers of a running cluster are."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    store = Store("store", "s")
    fill(store, 1)
    travelling = pickle.dumps(store)
    monkeypatch.chdir(tmp_path / "there")
    assert len(pickle.loads(travelling).finished()) == 1
