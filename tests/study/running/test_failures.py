"""What is said of a worker that failed, from what Ray writes down."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from ray.exceptions import ActorDiedError

from study.running.failures import failures

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


@pytest.mark.parametrize(
    ("text", "reason", "mendable"),
    [
        (str(ActorDiedError(DEAD)), "its worker process has died, on 10.0.0.7", False),
        (SILENT, "it does not answer any more", False),
        (NO_STORAGE, "RuntimeError: Unable to set up cluster storage", False),
        (STORE_FULL, "the result store must be writable, but /s is not (disk full)", True),
    ],
    ids=["died", "silent", "exception", "user's"],
)
def test_each_failure_is_a_sentence(text: str, reason: str, mendable: bool, tmp_path: Path) -> None:
    path = tmp_path / "error.txt"
    path.write_text(f"Failure # 1 (occurred at noon)\n{STORE_FULL}\nFailure # 2 (occurred later)\n{text}\n")
    first, last = failures(SimpleNamespace(error_file=str(path)))
    assert first.mendable and last == (reason, mendable, False)


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
