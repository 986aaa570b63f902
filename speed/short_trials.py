"""What a trial of milliseconds costs a worker, beside an earlier version: python speed/short_trials.py EARLIER [rounds]

EARLIER is a checkout of an earlier commit, as `git worktree add` makes one. Regularised evolution on the table, 150
queries, in steps of a second as a worker has them but without Ray, then merged as at a run's end. Each round is a
process of its own for either version, by turns: CPU time of trials and of merging, and files written, claims included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from study.loading import parse
from study.preparation import prepare
from study.store.files import Files
from trainables.batch import Assignment, Batch, Work
from trainables.trainable import REPORT_EVERY_S
from trainables.watchdog import Limits, Watchdog

ROOT = Path(__file__).parent.parent
TRIALS = 500
STUDY: dict[str, Any] = {
    "name": "short",
    "dataset": "cifar10",
    "methods": {"regularized_evolution": {}},
    "seeds": TRIALS,
}
COLUMNS = {"trial, CPU ms": 1e3, "merging it, CPU ms": 1e3, "files written": 1.0}


def run(folder: str) -> list[float]:
    """A trial's share of each of COLUMNS, in seconds and files."""
    torch.set_num_threads(1)
    prepared = prepare(parse(STUDY), folder)
    prepared.store.prepare()
    written, write = [], Files.write

    def counted(self: Files, name: str, content: Any) -> None:
        written.append(name)
        write(self, name, content)

    Files.write = counted  # type: ignore[method-assign]
    work = Work("short", "run", [prepared.plan.trials], prepared.store, prepared.surroundings)
    batch = Batch(work, Assignment(0), Watchdog(Limits(), lambda reason: None))
    began = time.process_time()
    while batch.queue:
        until = time.monotonic() + REPORT_EVERY_S
        while batch.queue and time.monotonic() < until:
            batch.advance()
        batch.save()
    ended = time.process_time()
    prepared.store.compact()
    assert len(prepared.store.finished()) == TRIALS
    return [amount / TRIALS for amount in (ended - began, time.process_time() - ended, float(len(written)))]


def apart(code: Path) -> list[float]:
    """``run`` in a process of its own, with the project in ``code``."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--in", folder]
        environment = os.environ | {"PYTHONPATH": str(code)}
        said = subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True).stdout
    found: list[float] = json.loads(said)
    return found


def main(earlier: Path, rounds: int) -> None:
    found = [[apart(code) for code in (earlier, ROOT)] for _ in range(rounds)]
    print("| of each trial | earlier | now | now / earlier |\n|---|---|---|---|")
    for column, (name, unit) in enumerate(COLUMNS.items()):
        old, new = (median(pair[version][column] for pair in found) for version in (0, 1))
        share = median(now[column] / then[column] for then, now in found)
        print(f"| {name} | {unit * old:.2f} | {unit * new:.2f} | {share:.2f} |")


if __name__ == "__main__":
    if sys.argv[1] == "--in":
        print(json.dumps(run(sys.argv[2])))
    else:
        main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
