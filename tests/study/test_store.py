"""The store: what was written is read back, whole or not at all, from small files and merged ones alike."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from study.schema import EPOCHS, SCHEMA_VERSION, TRIALS
from study.store import Store
from trainables.errors import StoreError


def row(trial_id: str, **values: Any) -> dict[str, Any]:
    return {"trial_id": trial_id, "method": "darts", "status": "ok", "seed": 1, **values}


def fill(store: Store, count: int) -> None:
    store.prepare()
    for index in range(count):
        epochs = [{"epoch": e + 1, "train_loss": 0.5 * e} for e in range(3)]
        store.write(row(f"{index:016x}", **{"hp.arch_lr": 0.1 * index, "hp.order": "first"}), epochs)


def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    columns = [name for name in TRIALS.names if name != "trial_id"]
    epochs = store._dataset("epochs", None, EPOCHS).sort_by([("trial_id", "ascending"), ("epoch", "ascending")])
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
    assert store.find("0" * 16, {}) == table.to_pylist()[0]
    assert store.find("f" * 16, {}) is None


def test_compacting_changes_nothing_that_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 7)
    before = everything(store)
    assert store.compact() == 7
    assert len(list((tmp_path / "s/trials").iterdir())) == len(list((tmp_path / "s/epochs").iterdir())) == 1
    assert everything(store) == before
    assert store.find(f"{3:016x}", store.merged()) == before["trials"][3]
    store.write(row(f"{7:016x}"), [])
    assert store.compact() == store.compact() == 8
    assert everything(store)["trials"][:7] == before["trials"]


def test_a_kill_between_merging_and_deleting_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, "s")
    fill(store, 4)
    before = everything(store)

    class Killed(BaseException):
        pass

    original = Store._write_table

    def killed_after(writes: list[int]) -> Any:
        def write_then_die(self: Store, *args: Any) -> None:
            original(self, *args)
            writes.pop()
            if not writes:
                raise Killed

        return write_then_die

    for writes in (1, 2):
        monkeypatch.setattr(Store, "_write_table", killed_after([0] * writes))
        with pytest.raises(Killed):
            store.compact()
        monkeypatch.undo()
        assert everything(store) == before
    assert store.compact() == 4
    assert everything(store) == before


def test_files_appear_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that dies half-way leaves no file under a final name."""
    store = Store(tmp_path, "s")
    fill(store, 1)
    filesystem = store._location[0]

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(filesystem, name)

        def move(self, *_: Any) -> None:
            raise KeyboardInterrupt

    dying = Store(tmp_path, "s")
    dying.__dict__["_location"] = (Dying(), store._location[1])
    monkeypatch.setattr("study.store.pafs.LocalFileSystem", Dying)
    with pytest.raises(KeyboardInterrupt):
        dying.write(row("f" * 16), [])
    monkeypatch.undo()
    assert store.find("f" * 16, store.merged()) is None
    assert set(store.finished()) == {"0" * 16}


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 2)
    damaged = tmp_path / f"s/trials/{1:016x}.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(StoreError, match=f"must be a whole Parquet file, but .*{1:016x}.parquet"):
        store.finished()


def test_removing_trials_from_small_and_merged_files(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 3)
    store.compact()
    store.write(row("e" * 16), [{"epoch": 1}])
    store.write(row("d" * 16), [{"epoch": 1}])
    store.remove([f"{1:016x}", "e" * 16])
    assert set(store.finished()) == {f"{0:016x}", f"{2:016x}", "d" * 16}
    assert {e["trial_id"] for e in everything(store)["epochs"]} == {f"{0:016x}", f"{2:016x}", "d" * 16}


def test_an_unwritable_store_is_said_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"must be writable, but .*give another one with --store"):
        Store(tmp_path / "file", "s").prepare()


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


def test_attempts_count_within_one_run_only(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    store.prepare()
    assert [store.count_attempt("a", "run 1") for _ in range(3)] == [1, 2, 3]
    assert store.count_attempt("a", "run 2") == 1
    store.write(row("a"), [])
    assert store.count_attempt("a", "run 2") == 1


def test_a_pickled_store_holds_no_file_system(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    fill(store, 1)
    again = pickle.loads(pickle.dumps(store))
    assert "_location" not in again.__dict__ and again.finished() == store.finished()


def test_checkpoints_are_replaced_and_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path, "s")
    store.prepare()
    assert store.read_checkpoint("a") is None
    store.write_checkpoint("a", b"one")
    store.write_checkpoint("a", b"two")
    assert store.read_checkpoint("a") == b"two" and store.checkpoints() == ["a"]
    store.write(row("a"), [])
    assert store.checkpoints() == [] and store.read_checkpoint("a") is None
