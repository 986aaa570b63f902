"""What thousands of short trials cost: this project's runner at growing sizes, plain Ray Tune where that is feasible.

    python speed/many_trials.py [sizes, such as 100,1000,10000]

Each line is a process of its own, so that the driver's memory is that of its own trials: random searches of 1 to 100
queries on the table. The runner does more than plain Ray Tune in the same time, as ``trial_overhead.py`` explains; its
time includes Ray's start and stop, and the merging of the results' files. Plain Ray Tune writes what its default
loggers write, and is asked for no more than a thousand, which take it 45 minutes; larger sizes are compared with its
pace there. Linux only. This project's sizes up to 10,000 take four minutes on two quiet cores.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import ray
import torch
from trial_overhead import run_ours, run_plain_tune

from study.loading import parse
from study.preparation import Prepared, prepare
from trainables.peak_memory import PeakMemory

SIZES = (100, 1_000, 10_000)
PLAIN_SIZES = (100, 1_000)
QUERIES = 100


def study(trials: int) -> dict[str, Any]:
    """Random searches of 1..100 queries, as many seeds of each as it takes."""
    return {
        "name": "many",
        "dataset": "cifar10",
        "methods": {"random_search": {"queries": list(range(1, QUERIES + 1))}},
        "seeds": max(1, trials // QUERIES),
    }


def contents(folder: Path) -> tuple[int, int]:
    """Files below a folder, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def run(who: str, prepared: Prepared, folder: Path) -> dict[str, float]:
    """One run in this process: seconds, memory of the driver in MiB, files and bytes it leaves."""
    memory = PeakMemory(torch.device("cpu"))
    if who == "ours":
        cost, _ = run_ours(prepared)
        kept = Path(prepared.store.path)
    else:
        kept = folder / "plain"
        ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        cost, _ = run_plain_tune(prepared.plan.trials, prepared.surroundings, kept)
        ray.shutdown()
    files, size = contents(kept)
    peak = memory.mib()
    return {
        "trials": cost.trials, "wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "memory": peak, "files": files, "size": size,
    }  # fmt: skip


def in_a_process(who: str, trials: int) -> dict[str, float]:
    """``run`` in a process of its own."""
    command = [sys.executable, __file__, who, str(trials)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def line(who: str, found: dict[str, float]) -> str:
    """Trials, trials a second, CPU milliseconds a trial, driver MiB, files a trial, bytes a trial."""
    trials = found["trials"]
    return (
        f"  {who:14}{trials:8,.0f}{trials / found['wall_s']:12.1f}{1000 * found['cpu_s'] / trials:12.1f}"
        f"{found['memory']:12.0f}{found['files']:10,.0f}{found['size'] / trials:12,.0f}"
    )


def main(sizes: list[int]) -> None:
    print(f"Ray {ray.__version__}, {os.cpu_count()} cores\n")
    print(
        f"  {'':14}{'trials':>8}{'trials/s':>12}{'CPU ms/trial':>13}{'driver MiB':>12}{'files':>9}{'bytes/trial':>12}"
    )
    pace = 0.0
    for size in sizes:
        if size in PLAIN_SIZES:
            plain = in_a_process("plain", size)
            pace = plain["trials"] / plain["wall_s"]
            print(line("plain Tune", plain), flush=True)
        ours = in_a_process("ours", size)
        times = f"  {ours['trials'] / ours['wall_s'] / pace:.0f}x the trials a second" if pace else ""
        print(line("this project", ours) + times, flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as temporary, contextlib.redirect_stdout(io.StringIO()):
            os.environ["NAS_STUDY_CACHE"] = temporary
            folder = Path(temporary)
            found = run(sys.argv[1], prepare(parse(study(int(sys.argv[2]))), str(folder / "store")), folder)
        print(json.dumps(found))
    else:
        main([int(size) for size in sys.argv[1].split(",")] if len(sys.argv) == 2 else list(SIZES))
