"""``nas-study`` as a process of its own, whose workers keep a ledger: ``python driver.py LEDGER run STUDY ...``."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from pathlib import Path

import drills
from sabotage import Ledger, Sabotaged

from study import cli, preparation
from study.store import Store

started: list[subprocess.Popen[str]] = []


def start(study: Path, store: Path, ledger: Ledger, *options: str) -> subprocess.Popen[str]:
    """``nas-study run`` in the background, on a Ray of its own unless the options name another."""
    command = [sys.executable, __file__, str(ledger.path), "run", str(study), "--store", str(store), *options]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    started.append(
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | path)
    )
    return started[-1]


def kill_all() -> None:
    """Whatever is still there of the processes started, as after a drill that failed."""
    while started:
        process = started.pop()
        if process.poll() is None:
            drills.kill(*drills.descendants(process.pid), process.pid)
            process.wait()


def wait_until_half_done(store: Path, study: str, process: subprocess.Popen[str]) -> set[str]:
    """Until one trial is finished and another has been saved; ids of the finished ones."""
    results = Store(store, study)

    def half_done() -> set[str]:
        there = (store / study / "checkpoints").is_dir()
        return set(results.finished()) if there and results.checkpoints() else set()

    return set(drills.wait_until(half_done, process, 240))


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, [Path(f"/proc/{p}/cmdline").read_bytes() for p in pids]
        time.sleep(0.2)


if __name__ == "__main__":
    fault = Ledger(Path(sys.argv.pop(1)))
    preparation.Surroundings = functools.partial(Sabotaged, fault=fault)  # type: ignore[assignment,misc]
    cli.main()
