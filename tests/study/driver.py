"""``nas-study`` as a process of its own, whose workers keep a ledger: ``python driver.py LEDGER run STUDY ...``."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import drills
from sabotage import Ledger, Sabotaged

from study import cli, preparation
from study.store.store import Store

started: list[subprocess.Popen[str]] = []


def start(study: Path, store: Path | str, ledger: Ledger, *options: str) -> subprocess.Popen[str]:
    """``nas-study run`` in the background, on a Ray of its own unless the options name another."""
    command = [sys.executable, __file__, str(ledger.path), "run", str(study), "--store", str(store), *options]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    started.append(
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | path,
            cwd=study.parent,
        )
    )
    return started[-1]


def kill_all() -> None:
    """Whatever is still there of the processes started, as after a drill that failed."""
    while started:
        process = started.pop()
        if process.poll() is None:
            drills.kill(*drills.descendants(process.pid), process.pid)
            process.wait()


@contextmanager
def half_done(
    study: Path, store: Path, ledger: Ledger, *options: str
) -> Iterator[tuple[subprocess.Popen[str], set[str]]]:
    """A run of which one trial is finished, and others wait in their middle until the block ends; its id, in a set."""
    results = Store(store, study.stem)

    def finished() -> set[str]:
        there = ledger.waiting() and ledger.waiting() <= set(results.checkpoints())
        return set(results.finished()) if there else set()

    with ledger.held():
        process = start(study, store, ledger, *options)
        yield process, drills.wait_until(finished, process)


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, [Path(f"/proc/{p}/cmdline").read_bytes() for p in pids]
        time.sleep(0.2)


if __name__ == "__main__":
    fault = Ledger(Path(sys.argv.pop(1)))
    preparation.Surroundings = functools.partial(Sabotaged, fault=fault)  # type: ignore[assignment,misc]
    cli.main()
