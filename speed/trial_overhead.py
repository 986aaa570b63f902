"""What a trial pays Ray: this project's runner against plain Ray Tune, in one run on the same searches.

    python speed/trial_overhead.py

Plain Ray Tune is one Tune trial a search with Tune's default settings: a worker process for each, the default loggers.
Its trials report their cell and nothing else; the runner's also look up every epoch's cell and store all rows. Ray's
own start and stop counts for the runner and not for plain Ray Tune, so the ratios are rather too low than too high.

Overhead is the CPU time of all processes (this one, Ray's, the workers) less the time that trials spent searching, as
they measured it. Linux only. Takes two minutes on two quiet cores.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from rich.console import Console

from study import runner
from study.config import parse
from study.preparation import Prepared, prepare
from trainables.spec import TrialSpec
from trainables.trial import Surroundings, Trial

PLAIN_TRIALS = 12
"""A sample of each study's trials; what one costs plain Ray Tune does not depend on how many there are."""
STUDIES: dict[str, dict[str, Any]] = {
    "random search on the table, 1..150 queries": {
        "name": "table",
        "dataset": "cifar10",
        "methods": {"random_search": {"queries": list(range(1, 151))}},
        "seeds": 2,
    },
    "DARTS on digits, 3 short epochs": {
        "name": "digits",
        "dataset": {"name": "digits", "train_images": 256},
        "scale": {"channels": 4, "cells": 1, "epochs": 3, "batch_size": 32},
        "methods": {"darts": {}},
        "seeds": 100,
    },
}
THOUSAND: dict[str, Any] = {
    "name": "thousand",
    "dataset": "cifar10",
    "methods": {"regularized_evolution": {}},
    "seeds": 1000,
}
SAMPLE_S = 0.1


@dataclass
class Cost:
    """Seconds of a whole run."""

    trials: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    search_s: float = 0.0
    """inside the trials, summed over them"""

    @property
    def overhead_s(self) -> float:
        """CPU seconds a trial beyond its search."""
        return (self.cpu_s - self.search_s) / self.trials

    def line(self, who: str) -> str:
        per_trial = [seconds / self.trials for seconds in (self.wall_s, self.cpu_s, self.search_s)]
        return f"  {who:14}{self.trials:8,}" + "".join(f"{s:12.4f}" for s in (*per_trial, self.overhead_s))


class PlainSearch(tune.Trainable):
    """config: {"index": which of the searches}. The whole search is one step."""

    def setup(self, config: dict[str, Any], specs: list[TrialSpec], surroundings: Surroundings) -> None:  # type: ignore[override]
        self.trial = Trial(specs[config["index"]], surroundings)

    def step(self) -> dict[str, Any]:
        while not self.trial.finished:
            self.trial.advance()
        row = self.trial.record()
        return {"done": True, "genotype": row["genotype"], "search_wall_s": row["search_wall_s"]}


@contextlib.contextmanager
def measured() -> Iterator[Cost]:
    """Wall time, and CPU time of this process and all its descendants, within the block.

    Ray never waits for its workers, so the kernel does not sum their times up; they are read every SAMPLE_S, and what
    a process uses between its last reading and its end is missed.
    """
    cost, used, over = Cost(), descendants_cpu_s(), threading.Event()
    before = dict(used)

    def watch() -> None:
        while not over.wait(SAMPLE_S):
            used.update(descendants_cpu_s())

    watcher = threading.Thread(target=watch, daemon=True)
    started, own = time.perf_counter(), time.process_time()
    watcher.start()
    yield cost
    cost.wall_s = time.perf_counter() - started
    over.set()
    watcher.join()
    cost.cpu_s = time.process_time() - own + sum(s - before.get(process, 0.0) for process, s in used.items())


def descendants_cpu_s() -> dict[tuple[int, str], float]:
    """(process id, start time) -> CPU seconds so far, for every process that stems from this one."""
    found: dict[int, tuple[int, str, float]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            found[int(file.parent.name)] = (int(fields[1]), fields[19], ticks / os.sysconf("SC_CLK_TCK"))
    children: dict[int, list[int]] = {}
    for process, (parent, _, _) in found.items():
        children.setdefault(parent, []).append(process)
    below, todo = {}, list(children.get(os.getpid(), []))
    while todo:
        process = todo.pop()
        todo += children.get(process, [])
        below[process, found[process][1]] = found[process][2]
    return below


def run_plain(specs: list[TrialSpec], surroundings: Surroundings, folder: Path) -> tuple[Cost, dict[str, str]]:
    """One Tune trial a search in the Ray that runs; its cost, and trial id -> derived cell."""
    trainable = tune.with_parameters(PlainSearch, specs=specs, surroundings=surroundings)
    with contextlib.redirect_stdout(io.StringIO()), measured() as cost:
        results = tune.Tuner(
            trainable,
            param_space={"index": tune.grid_search(list(range(len(specs))))},
            run_config=tune.RunConfig(storage_path=str(folder)),
        ).fit()
    rows = [result.metrics or {} for result in results]
    cost.trials, cost.search_s = len(rows), sum(row["search_wall_s"] for row in rows)
    return cost, {specs[row["config"]["index"]].id: row["genotype"] for row in rows}


def run_ours(prepared: Prepared) -> tuple[Cost, dict[str, str]]:
    """The whole study through the runner, Ray's start and stop included."""
    prepared.store.prepare()
    with measured() as cost:
        outcome = runner.run(
            prepared.study, prepared.plan, prepared.store, prepared.surroundings, address=None,
            console=Console(file=io.StringIO()),
        )  # fmt: skip
    assert outcome.ok == len(prepared.plan.trials), outcome
    rows = prepared.store.finished(("genotype", "search_wall_s"))
    cost.trials, cost.search_s = len(rows), sum(row["search_wall_s"] for row in rows.values())
    return cost, {trial_id: row["genotype"] for trial_id, row in rows.items()}


def main(folder: Path) -> None:
    prepared = {title: prepare(parse(raw), str(folder / "store")) for title, raw in STUDIES.items()}
    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    plain = {}
    for title, study in prepared.items():  # first, because the runner sets Tune's environment for the whole process
        every = len(study.plan.trials) // PLAIN_TRIALS
        specs = study.plan.trials[::every][:PLAIN_TRIALS]
        plain[title] = run_plain(specs, study.surroundings, folder)
    ray.shutdown()

    print(f"seconds a trial; Ray {ray.__version__}, {os.cpu_count()} cores\n")
    print(f"  {'':14}{'trials':>8}{'wall':>12}{'CPU':>12}{'search':>12}{'overhead':>12}")
    for title, study in prepared.items():
        (their_cost, their_cells), (our_cost, our_cells) = plain[title], run_ours(study)
        assert their_cells.items() <= our_cells.items(), "both must have done the same searches"
        print(f"{title}\n{their_cost.line('plain Tune')}\n{our_cost.line('this project')}")
        print(f"  overhead {their_cost.overhead_s / our_cost.overhead_s:.0f}x less\n")
    cost, _ = run_ours(prepare(parse(THOUSAND), str(folder / "store")))
    print(f"regularised evolution on the table, 150 queries\n{cost.line('this project')}\n  {cost.wall_s:.1f} s in all")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["NAS_STUDY_CACHE"] = temporary
        main(Path(temporary))
