"""Merging loses nothing and doubles nothing, whenever it is killed and however many do it at once, at linear cost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from study.store import compaction
from study.store.arrow import ROW_GROUP
from study.store.compaction import compact
from study.store.files import Files
from study.store.rows import RowFiles, is_merged, version
from trainables.errors import StoreError

SCHEMA = pa.schema([("trial_id", pa.string()), ("epoch", pa.int32()), ("finished_at", pa.int64())])
MOST = 50


class Killed(BaseException):
    """A process that ends without another word."""


def rows_in(folder: Path, **options: Any) -> RowFiles:
    files = Files(str(folder), "s")
    files.create_folders(["d"])
    return RowFiles(files, "d", SCHEMA, options.pop("key", ["trial_id"]), options.pop("newest", "finished_at"))


def trial_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def fill(rows: RowFiles, numbers: range, finished_at: int = 1) -> None:
    for number in numbers:
        rows.write({trial_id(number): [{"trial_id": trial_id(number), "epoch": 1, "finished_at": finished_at}]})


def fill_step(rows: RowFiles, numbers: range) -> None:
    rows.write({trial_id(n): [{"trial_id": trial_id(n), "epoch": 1, "finished_at": 1}] for n in numbers})


def ids(rows: RowFiles) -> set[str]:
    return {i for table in rows.tables(["trial_id"]) for i in table["trial_id"].to_pylist()}


def ids_on_disk(rows: RowFiles) -> Counter[str]:
    return Counter(i for info in rows.listing() for i in pq.read_table(info.path)["trial_id"].to_pylist())


def before_change(rows: RowFiles, number: int, action: Callable[[], None]) -> RowFiles:
    """``rows`` whose files see ``action`` before the change (write or delete) of that number, from 1."""
    changes = 0

    def changed(original: Callable[..., None]) -> Callable[..., None]:
        def change(*arguments: Any) -> None:
            nonlocal changes
            changes += 1
            if changes == number:
                action()
            original(*arguments)

        return change

    rows.files.write, rows.files.delete = changed(rows.files.write), changed(rows.files.delete)  # type: ignore[method-assign]
    return rows


def die() -> None:
    raise Killed


def test_every_row_is_written_a_few_times_however_many_there_are(tmp_path: Path) -> None:
    """Two trials at a time become files of 2, ten of them one of 20, ten of those files of 60: full ones."""
    rows = rows_in(tmp_path)
    written: list[int] = []
    original = rows.write_merged

    def counting(table: pa.Table) -> str:
        written.append(len(table))
        return original(table)

    rows.write_merged = counting  # type: ignore[method-assign]
    for start in range(0, 200, 2):
        fill(rows, range(start, start + 2))
        compact(rows, MOST)
    assert Counter(written) == {2: 100, 20: 10, 60: 3}
    assert sorted(pq.read_metadata(info.path).num_rows for info in rows.listing()) == [20, 60, 60, 60]
    before = {version(info) for info in rows.listing()}
    compact(rows, MOST)
    assert {version(info) for info in rows.listing()} == before


@pytest.mark.parametrize("change", range(1, 9))
def test_killed_at_any_point_every_row_is_there_once(tmp_path: Path, change: int) -> None:
    """A merged file, what announces it, and five files that go: the eighth change never comes."""
    fill(rows_in(tmp_path), range(5))
    rows = before_change(rows_in(tmp_path), change, die)
    if change < 8:
        with pytest.raises(Killed):
            compact(rows, MOST)
    else:
        compact(rows, MOST)
    assert ids(rows_in(tmp_path)) == {trial_id(n) for n in range(5)}
    again = rows_in(tmp_path)
    fill(again, range(5, 7))
    compact(again, MOST)
    assert ids(again) == {trial_id(n) for n in range(7)}
    assert [len(again.find(trial_id(n))) for n in range(8)] == [1] * 7 + [0]
    assert not [info for info in again.listing() if not is_merged(info)]


@pytest.mark.parametrize("change", range(1, 8))
def test_two_at_once_lose_nothing_and_neither_fails(tmp_path: Path, change: int) -> None:
    """Another compaction, start to end and with a trial more, before any of the changes of the first."""

    def another() -> None:
        fill(rows_in(tmp_path), range(5, 6))
        compact(rows_in(tmp_path), MOST)

    fill(rows_in(tmp_path), range(5))
    rows = before_change(rows_in(tmp_path), change, another)
    compact(rows, MOST)
    assert ids(rows_in(tmp_path)) == {trial_id(n) for n in range(6)}
    assert all(len(rows_in(tmp_path).find(trial_id(n))) == 1 for n in range(6))


@pytest.mark.parametrize("change", range(1, 9))
def test_a_trial_is_found_at_every_moment_of_its_merging(tmp_path: Path, change: int) -> None:
    """By a reader that has just looked: another run may not take a finished trial for one that nobody has begun."""
    reader = rows_in(tmp_path)
    fill(rows_in(tmp_path), range(5, 7))
    compact(rows_in(tmp_path), MOST)
    assert not any(reader.find(trial_id(n)) for n in range(5))
    fill(rows_in(tmp_path), range(5))
    found: list[int] = []

    def look() -> None:
        found.extend(len(reader.find(trial_id(n))) for n in range(7))

    compact(before_change(rows_in(tmp_path), change, look), MOST)
    look()
    assert found == [1] * (7 if change == 8 else 14)


def test_a_merged_file_that_a_listing_does_not_show_yet_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, other = rows_in(tmp_path), rows_in(tmp_path)
    old = reader.listing()
    fill(other, range(3))
    compact(other, MOST)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "listing", lambda: old)
        assert not reader.find(trial_id(0))
    assert reader.find(trial_id(0))


def test_files_that_vanish_while_they_are_read_are_read_where_they_went(tmp_path: Path) -> None:
    rows, other = rows_in(tmp_path), rows_in(tmp_path)
    fill(rows, range(8))
    found: Counter[str] = Counter()
    for number, table in enumerate(rows.tables(["trial_id"])):
        found.update(table["trial_id"].to_pylist())
        if number == 3:
            compact(other, MOST)
    assert set(found) == {trial_id(n) for n in range(8)}
    infos = rows.listing()
    fill(rows, range(8, 10))
    compact(rows, MOST)
    assert rows.find(trial_id(9))
    for info in infos:
        info_gone = rows.files.root + "/d/" + info.base_name
        Path(info_gone).rename(tmp_path / "s/d/compact-elsewhere.parquet")  # merged once more, by another
    assert rows.find(trial_id(0)) and not rows.find(trial_id(11))


def test_sources_stay_while_a_listing_does_not_show_what_replaces_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So whoever lists the folder, as late as may be, finds every trial, by its own name or in a merged file."""
    monkeypatch.setattr(compaction, "LISTING_LAGS_S", (0.0, 0.0))
    rows = rows_in(tmp_path)
    fill(rows, range(4))
    old = rows.listing()
    with monkeypatch.context() as patch:
        patch.setattr(rows, "listing", lambda: old)
        compact(rows, MOST)
        assert ids(rows) == {trial_id(n) for n in range(4)}
        assert all(rows.find(trial_id(n)) for n in range(4))
    assert ids_on_disk(rows) == Counter({trial_id(n): 2 for n in range(4)})
    compact(rows, MOST)
    assert ids_on_disk(rows) == Counter({trial_id(n): 1 for n in range(4)})


def test_a_file_made_anew_after_it_was_read_is_not_deleted(tmp_path: Path) -> None:
    """A failed trial that another run has repeated meanwhile."""
    rows = rows_in(tmp_path)
    fill(rows, range(3), finished_at=1)
    compact(before_change(rows, 1, lambda: fill(rows_in(tmp_path), range(1), finished_at=22222)), MOST)
    assert rows_in(tmp_path).find(trial_id(0))[0]["finished_at"] == 22222
    compact(rows_in(tmp_path), MOST)
    fill(rows_in(tmp_path), range(3, 4))
    compact(rows_in(tmp_path), MOST)
    kept = [row for table in rows_in(tmp_path).tables() for row in table.to_pylist() if row["trial_id"] == trial_id(0)]
    assert max(row["finished_at"] for row in kept) == 22222


def test_of_two_rows_with_one_key_the_newest_stays(tmp_path: Path) -> None:
    rows = rows_in(tmp_path)
    fill(rows, range(2), finished_at=5)
    for name, finished_at in (("x", 7), ("y", None)):
        table = pa.Table.from_pylist(
            [{"trial_id": trial_id(1), "epoch": 1, "finished_at": finished_at}], schema=SCHEMA
        )  # fmt: skip
        pq.write_table(table, tmp_path / f"s/d/{name}.parquet")
    compact(rows, MOST)
    (only,) = rows.tables()
    assert [(row["trial_id"], row["finished_at"]) for row in only.to_pylist()] == sorted(
        [(trial_id(0), 5), (trial_id(1), 7)]
    )


def test_epochs_are_told_apart_by_trial_and_epoch(tmp_path: Path) -> None:
    rows = rows_in(tmp_path, key=["trial_id", "epoch"], newest=None)
    for name in "abb":
        rows.write({name + name: [{"trial_id": name, "epoch": epoch} for epoch in (2, 1)]})
    rows.write({"c": []})
    compact(rows, MOST)
    (only,) = rows.tables()
    assert list(zip(*(only[n].to_pylist() for n in ("trial_id", "epoch")), strict=True)) == [
        ("a", 1), ("a", 2), ("b", 1), ("b", 2),
    ]  # fmt: skip


def test_hyperparameters_of_one_name_and_several_types(tmp_path: Path) -> None:
    rows = rows_in(tmp_path)
    for number, value in enumerate((1, 2.5, None, 3)):
        rows.write({f"{number}": [{"trial_id": f"{number}"} | ({} if value is None else {"hp.a": value})]})
    compact(rows, MOST)
    assert [rows.find(f"{n}")[0]["hp.a"] for n in range(4)] == [1.0, 2.5, None, 3.0]
    rows.write({"4": [{"trial_id": "4", "hp.a": "cosine"}]})
    rows.write({"5": [{"trial_id": "5", "hp.a": 5}]})
    compact(rows, MOST)
    assert [rows.find(n)[0]["hp.a"] for n in "345"] == [3.0, "cosine", "5"]


def test_hyperparameters_of_one_name_and_several_types_in_one_step(tmp_path: Path) -> None:
    """As two methods have them, whose trials a worker runs one after another."""
    rows, values = rows_in(tmp_path), {"0": 1, "1": 2.5, "2": 3}
    rows.write({name: [{"trial_id": name, "hp.a": value}] for name, value in values.items()} | {"3": []})
    rows.write({"4": [{"trial_id": "4", "hp.a": True, "hp.b": 1}], "5": [{"trial_id": "5", "hp.a": "cosine"}]})
    assert [rows.find(name)[0]["hp.a"] for name in "0124"] == [1.0, 2.5, 3.0, "true"] and rows.find("3") == []
    assert [rows.find(name)[0]["hp.b"] for name in "45"] == [1, None] and rows.find("5")[0]["hp.a"] == "cosine"


@pytest.mark.parametrize("change", range(1, 6))
def test_a_trial_of_a_step_is_found_at_every_moment_of_its_merging(tmp_path: Path, change: int) -> None:
    """A merged file, what announces it, two files that go, and then; killed there, merging is repeated."""
    reader = rows_in(tmp_path)
    for numbers in (range(2), range(2, 5)):
        fill_step(rows_in(tmp_path), numbers)
        assert [len(reader.find(trial_id(n))) for n in numbers] == [1] * len(numbers)
    found: list[int] = []

    def look() -> None:
        found.extend(len(reader.find(trial_id(n))) for n in range(5))
        raise Killed

    with pytest.raises(Killed):
        compact(before_change(rows_in(tmp_path), change, look), MOST)
        look()
    compact(rows_in(tmp_path), MOST)
    found.extend(len(reader.find(trial_id(n))) for n in range(5))
    assert found == [1] * 10 and ids(rows_in(tmp_path)) == {trial_id(n) for n in range(5)}


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux tells how much a process has read")
def test_of_a_large_file_only_the_part_with_the_trial_is_read(tmp_path: Path) -> None:
    rows = rows_in(tmp_path)
    names = sorted(trial_id(n) for n in range(20 * ROW_GROUP))
    rows.write_merged(pa.table({"trial_id": names, "finished_at": range(len(names))}))
    (info,) = rows.listing()
    assert len(rows.find(trial_id(7))) == 1  # the ids are read once

    def bytes_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = bytes_read()
    assert rows.find(trial_id(9))[0]["finished_at"] == names.index(trial_id(9))
    assert bytes_read() - before < info.size / 4
    assert rows.find(trial_id(len(names))) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    rows = rows_in(tmp_path)
    fill(rows, range(3))
    (tmp_path / f"s/d/{trial_id(1)}.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(StoreError, match=rf"whole Parquet file, but .*{trial_id(1)}.parquet is not"):
        compact(rows, MOST)
    assert len(rows.listing()) == 3
