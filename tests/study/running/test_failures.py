"""What is said of a worker that failed, from what Ray writes down."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ray._private import worker
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from ray.exceptions import ActorDiedError, OutOfMemoryError

from study.running.failures import Brief, failures

DEAD = ActorDiedErrorContext(
    actor_id=bytes(16),
    class_name="SearchTrainable",
    node_ip_address="10.0.0.7",
    pid=7,
    error_message="The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR. And so on.",
)
STORE_FULL = """\x1b[36mray::ResourceTrainable.train()\x1b[39m (pid=7, ip=10.0.0.7)
  File "batch.py", line 1, in save
trainables.errors.StoreError: the result store must be writable, but /s is not (disk full)
"""
NO_STORAGE = """\x1b[36mray::ResourceTrainable.save()\x1b[39m (pid=7, ip=10.0.0.7)
  File "storage.py", line 517, in check
RuntimeError: Unable to set up cluster storage
"""
SILENT = (
    "The actor 01 is unavailable: The actor is temporarily unavailable: RpcError: Socket closed. The task may or not."
)
NO_MEMORY = """1 worker(s) were killed due to the node running low on memory. \
Memory on the node (IP: 10.0.0.7, ID: 5ca3) was 62.10GB used / 62.72GB limit (0.990115)
OOM kill reason: usage exceeds the threshold
Object store memory usage: [- objects spillable: 0]
Ray killed 1 worker(s) based on the killing policy
To see more information about memory usage on this node, use `ray logs raylet.out -ip 10.0.0.7`
Top 10 memory users: PID\tMEM(GB)\tCOMMAND
4711\t58.20\t/usr/bin/else
7\t0.41\tray::SearchTrainable.train
Refer to the documentation on how to address the out of memory issue: https://docs.ray.io. Consider more memory.
"""
EXHAUSTED = (
    "Memory on the node 10.0.0.7 was exhausted: 62.10 of 62.72 GB; run fewer trials at once, limit each with "
    "resources.memory_gib, or end what else runs there"
)


@pytest.mark.parametrize(
    ("text", "reason", "mendable"),
    [
        (str(ActorDiedError(DEAD)), "its worker process has died, on 10.0.0.7", False),
        (str(OutOfMemoryError(NO_MEMORY)), EXHAUSTED, False),
        (f"The actor is dead because its worker process has died. Worker exit type: X. {NO_MEMORY}", EXHAUSTED, False),
        (SILENT, "it does not answer any more", False),
        (NO_STORAGE, "RuntimeError: Unable to set up cluster storage", False),
        (STORE_FULL, "the result store must be writable, but /s is not (disk full)", True),
    ],
    ids=["died", "host out of memory", "died of a host out of memory", "silent", "exception", "user's"],
)
def test_each_failure_is_a_sentence(text: str, reason: str, mendable: bool, tmp_path: Path) -> None:
    path = tmp_path / "error.txt"
    path.write_text(f"Failure # 1 (occurred at noon)\n{STORE_FULL}\nFailure # 2 (occurred later)\n{text}\n")
    first, last = failures(SimpleNamespace(error_file=str(path)))
    assert first.mendable and last == (reason, mendable, False)


def test_a_raylet_s_page_on_killed_workers_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker, "print_to_stdstream", worker.print_to_stdstream)
    for _ in range(2):
        Brief.install()
    for message in (NO_MEMORY, "the raylet has another error"):
        # as ray._private.worker.listen_error_messages does
        worker.print_to_stdstream({"lines": [message], "pid": "raylet", "is_err": False}, ignore_prefix=False)
    said = capsys.readouterr().out
    assert "another error" in said and "memory users" not in said and "4711" not in said


@pytest.mark.parametrize(
    ("text", "at_setup"),
    [
        ("The actor died because of an error raised in its creation task, ray::T.__init__()\nKeyError: 1", True),
        ("RuntimeError: The actor with name T failed to import on the worker. This may be", True),
        ("Failed to set up runtime environment.\nCould not create the actor", True),
        (STORE_FULL, False),
        (SILENT, False),
    ],
)
def test_a_worker_that_never_was_one_is_told_apart(text: str, at_setup: bool, tmp_path: Path) -> None:
    path = tmp_path / "error.txt"
    path.write_text(f"Failure # 1 (occurred at noon)\n{text}\n")
    (failure,) = failures(SimpleNamespace(error_file=str(path)))
    assert failure.at_setup is at_setup


def test_a_failure_without_a_text(tmp_path: Path) -> None:
    (only,) = failures(SimpleNamespace(error_file=None))
    assert only == ("Ray does not say why", False, False)
