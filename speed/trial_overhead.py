"""What a trial pays Ray: this project's runner against plain Ray Tune, in one run on the same searches.

    python speed/trial_overhead.py

Plain Ray Tune is one Tune trial a search with Tune's default settings: a new worker process and the default loggers for
each. Overhead is the CPU time of all processes (this one, Ray's, the workers) less that of the same searches in a loop
without Ray; unlike the time on the clock it barely depends on what else the machine does.

The comparison favours plain Ray Tune: its trials report their cell and no more, while the runner's also look up the
cell of every epoch and store all rows; and Ray's own start and stop counts for the runner only. Linux only. Takes two
minutes on two quiet cores.
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
import torch
from ray import tune
from rich.console import Console

from study.loading import parse
from study.preparation import Prepared, prepare
from study.running import runner
from trainables.spec import TrialSpec
from trainables.trial import Surroundings, Trial

SAMPLE = 8
"""So many of a study's trials run without Ray and in plain Ray Tune: what one costs does not depend on their number."""
STUDIES: dict[str, dict[str, Any]] = {
    "random search on the table, 1..150 queries": {
        "name": "table",
        "dataset": "cifar10",
        "methods": {"random_search": {"queries": list(range(1, 151))}},
        "seeds": 2,
    },
    "DARTS on digits, 3 short epochs": {
        "name": "digits",
        "dataset": {"name": "digits", "train_images": 128},
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
READ_S = 0.1

Cells = dict[str, str]
"""Trial id -> derived cell."""


@dataclass
class Cost:
    """Seconds of a whole run."""

    trials: int
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def line(self, who: str, without_ray: float | None = None) -> str:
        """Seconds a trial: wall, CPU, and CPU beyond ``without_ray``."""
        wall_s, cpu_s = self.wall_s / self.trials, self.cpu_s / self.trials
        overhead = "" if without_ray is None else f"{cpu_s - without_ray:12.4f}"
        return f"  {who:14}{self.trials:8,}{wall_s:12.4f}{cpu_s:12.4f}{overhead}"


class PlainSearch(tune.Trainable):
    """config: {"index": which of the searches}. The whole search is one step."""

    def setup(self, config: dict[str, Any], specs: list[TrialSpec], surroundings: Surroundings) -> None:  # type: ignore[override]
        self.trial = Trial(specs[config["index"]], surroundings)

    def step(self) -> dict[str, Any]:
        while not self.trial.finished:
            self.trial.advance()
        return {"done": True, "genotype": str(self.trial.genotype)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing, though Tune asks for it at the end."""


@contextlib.contextmanager
def measured(trials: int) -> Iterator[Cost]:
    """Wall time, and CPU time of this process and all its descendants, within the block.

    Ray never waits for its workers, so the kernel does not sum their times up; they are read every READ_S, and what
    a process uses between its last reading and its end is missed.
    """
    cost, used, over = Cost(trials), descendants_cpu_s(), threading.Event()
    before = dict(used)

    def watch() -> None:
        while not over.wait(READ_S):
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


def run_without_ray(specs: list[TrialSpec], surroundings: Surroundings) -> tuple[Cost, Cells]:
    """The searches one after another in this process."""

    def derive(spec: TrialSpec) -> str:
        trial = Trial(spec, surroundings)
        while not trial.finished:
            trial.advance()
        return str(trial.genotype)

    derive(specs[0])
    with measured(len(specs)) as cost:
        cells = {spec.id: derive(spec) for spec in specs}
    return cost, cells


def run_plain_tune(specs: list[TrialSpec], surroundings: Surroundings, folder: Path) -> tuple[Cost, Cells]:
    """One Tune trial a search, in a Ray that is running."""
    trainable = tune.with_parameters(PlainSearch, specs=specs, surroundings=surroundings)
    with contextlib.redirect_stdout(io.StringIO()), measured(len(specs)) as cost:
        results = tune.Tuner(
            trainable,
            param_space={"index": tune.grid_search(list(range(len(specs))))},
            run_config=tune.RunConfig(storage_path=str(folder)),
        ).fit()
    rows = [results[index].metrics or {} for index in range(len(results))]
    return cost, {specs[row["config"]["index"]].id: row["genotype"] for row in rows}


def run_ours(prepared: Prepared) -> tuple[Cost, Cells]:
    """The whole study through the runner, Ray's start and stop included."""
    prepared.store.prepare()
    with measured(len(prepared.plan.trials)) as cost:
        outcome = runner.run(
            prepared.study, prepared.plan, prepared.store, prepared.surroundings, address=None,
            console=Console(file=io.StringIO()),
        )  # fmt: skip
    assert outcome.ok == cost.trials, outcome
    return cost, {trial_id: row["genotype"] for trial_id, row in prepared.store.finished(("genotype",)).items()}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    prepared = {title: prepare(parse(raw), str(folder / "store")) for title, raw in STUDIES.items()}
    samples = {}
    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    for title, study in prepared.items():  # before the runner, which sets Tune's environment for the whole process
        every = len(study.plan.trials) // SAMPLE
        specs = study.plan.trials[::every][:SAMPLE]
        bare, cells = run_without_ray(specs, study.surroundings)
        plain, plain_cells = run_plain_tune(specs, study.surroundings, folder)
        assert plain_cells == cells
        samples[title] = (bare, plain, cells)
    ray.shutdown()

    print(f"seconds a trial; Ray {ray.__version__}, {os.cpu_count()} cores\n")
    print(f"  {'':14}{'trials':>8}{'wall':>12}{'CPU':>12}{'overhead':>12}")
    for title, (bare, plain, cells) in samples.items():
        ours, our_cells = run_ours(prepared[title])
        assert cells.items() <= our_cells.items(), "all must have done the same searches"
        search = bare.cpu_s / bare.trials
        ratio = (plain.cpu_s / plain.trials - search) / (ours.cpu_s / ours.trials - search)
        print(f"{title}\n{bare.line('without Ray')}\n{plain.line('plain Tune', search)}")
        print(f"{ours.line('this project', search)}   {ratio:.0f}x less than plain Tune\n")
    thousand, _ = run_ours(prepare(parse(THOUSAND), str(folder / "store")))
    print(f"regularised evolution on the table, 150 queries\n{thousand.line('this project')}")
    print(f"  {thousand.wall_s:.1f} s in all, from starting Ray to stopping it")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["NAS_STUDY_CACHE"] = temporary
        main(Path(temporary))
