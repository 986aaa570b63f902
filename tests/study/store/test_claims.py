"""Several runs share the trials of a study: none is run twice for long, none is left because its worker died."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from study.store import claims
from study.store.claims import Claim, Claims, machine, parse
from study.store.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(str(tmp_path), "s")
    found.create_folders(["checkpoints"])
    return found


@pytest.fixture
def worker(files: Files) -> Iterator[Callable[[], Claims]]:
    """Makes workers, and stops them in the end."""
    made: list[Claims] = []

    def make() -> Claims:
        made.append(Claims(files))
        return made[-1]

    yield make
    for one in made:
        one.release("t")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """This process's monotonic clock: one number, to be moved by hand."""
    now = [1000.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    return now


def elsewhere(files: Files, beat: int = 0, **changes: object) -> None:
    """The claim of a worker on another machine."""
    claim = Claim(run="their run", host="their host", machine="their boot", pid=1, beat=beat, attempts={"their run": 1})
    files.write("checkpoints/t.claim", json.dumps(claim.model_dump() | changes).encode())


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_counts_how_often_its_workers_began_a_trial(worker: Callable[[], Claims], files: Files) -> None:
    assert [worker().take("t", "one") for _ in range(3)] == [1, 2, 3]
    assert [worker().take("t", "two"), worker().take("t", "one")] == [1, 4]


def test_a_claim_that_moves_is_respected_and_a_silent_one_taken_over(
    worker: Callable[[], Claims], files: Files, clock: list[float]
) -> None:
    mine = worker()
    for beat in range(4):
        elsewhere(files, beat)
        assert mine.take("t", "run") is None
        clock[0] += claims.SILENT_S - 1
    assert mine.take("t", "run") is None
    clock[0] += 1
    assert mine.take("t", "run") == 1 and mine.holds("t")
    assert parse(files.read("checkpoints/t.claim")).attempts == {"their run": 1, "run": 1}  # type: ignore[union-attr]


WHOLE = {"run": "r", "host": "h", "machine": machine(), "pid": 1, "beat": 0, "attempts": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"run": "thei',
        bytes(range(256)),
        b"[" * 100_000,
        b"[1]",
        b"null",
        *(
            json.dumps(WHOLE | changes).encode()
            for changes in (
                {"pid": "1"},
                {"pid": None},
                {"pid": 1.5},
                {"pid": -1},
                {"attempts": "many"},
                {"attempts": [1]},
                {"attempts": {"run": "2"}},
                {"attempts": {"run": -5}},
                {"machine": [1]},
            )
        ),
    ],
)
def test_an_unreadable_claim_is_one_like_any_other(
    worker: Callable[[], Claims], files: Files, clock: list[float], content: bytes
) -> None:
    files.write("checkpoints/t.claim", content)
    assert worker().take("t", "run") is None
    mine = worker()
    assert mine.take("t", "run") is None
    clock[0] += claims.SILENT_S
    assert mine.take("t", "run") == 1


def test_a_claim_of_no_possible_process_is_not_waited_for(worker: Callable[[], Claims], files: Files) -> None:
    elsewhere(files, machine=machine(), pid=2**80)
    assert worker().take("t", "run") == 1


def test_of_a_claim_that_is_far_too_large_only_the_start_is_read(
    worker: Callable[[], Claims], files: Files, clock: list[float], tmp_path: Path
) -> None:
    """200 MB, of which the disk holds none."""
    claim = tmp_path / "s/checkpoints/t.claim"
    with claim.open("wb") as file:
        file.truncate(200_000_000)
    mine = worker()
    tracemalloc.start()
    try:
        assert mine.take("t", "run") is None
        assert pa.total_allocated_bytes() + tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    clock[0] += claims.SILENT_S
    assert mine.take("t", "run") == 1 and claim.stat().st_size < 1000


def test_a_claim_that_is_a_link_is_replaced_and_what_it_leads_to_stays(
    worker: Callable[[], Claims], files: Files, clock: list[float], tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "s/checkpoints/t.claim").symlink_to(tmp_path / "mine.txt")
    mine = worker()
    assert mine.take("t", "run") is None
    clock[0] += claims.SILENT_S
    assert mine.take("t", "run") == 1
    mine.release("t")
    assert (tmp_path / "mine.txt").read_text() == "mine" and files.listing("checkpoints") == []


def test_a_dead_process_of_this_machine_is_not_waited_for(worker: Callable[[], Claims], files: Files) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    elsewhere(files, machine=machine(), pid=os.getppid())
    assert worker().take("t", "run") is None
    elsewhere(files, machine=machine(), pid=dead.pid)
    assert worker().take("t", "run") == 1


def test_of_two_that_claim_at_once_one_gives_up(
    worker: Callable[[], Claims], files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BEAT_S", 0.05)
    mine = worker()
    assert mine.take("t", "run") == 1 and mine.holds("t")
    elsewhere(files)
    wait_for(lambda: not mine.holds("t"))
    mine.release("t")
    assert parse(files.read("checkpoints/t.claim")).run == "their run"  # type: ignore[union-attr]


def test_a_worker_that_was_silent_while_another_finished_its_trial_lets_go_of_it(
    worker: Callable[[], Claims], files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BEAT_S", 0.05)
    mine = worker()
    mine.take("t", "run")
    files.delete("checkpoints/t.claim")
    wait_for(lambda: not mine.holds("t"))
    assert files.listing("checkpoints") == []


def test_a_claim_beats_until_it_is_released(
    worker: Callable[[], Claims], files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BEAT_S", 0.05)
    mine = worker()
    mine.take("t", "run")
    wait_for(lambda: (parse(files.read("checkpoints/t.claim")) or pytest.fail("gone")).beat >= 3)
    mine.release("t")
    assert files.listing("checkpoints") == [] and not mine.holds("t")
    time.sleep(0.2)
    assert files.listing("checkpoints") == []
    assert mine.take("t", "run") == 1
    wait_for(lambda: (parse(files.read("checkpoints/t.claim")) or pytest.fail("gone")).beat >= 1)


def test_storage_that_fails_for_a_while_ends_no_claim(
    worker: Callable[[], Claims], files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BEAT_S", 0.05)
    mine = worker()
    mine.take("t", "run")
    tried: list[str] = []

    def broken(path: str, content: bytes) -> None:
        tried.append(path)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(files, "_put", broken)
        wait_for(lambda: len(tried) >= 2)
    wait_for(lambda: (parse(files.read("checkpoints/t.claim")) or pytest.fail("gone")).beat >= 3)
    assert mine.holds("t")
