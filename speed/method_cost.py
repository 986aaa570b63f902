"""What an epoch of each method costs, measured side by side: relative to first-order DARTS, or to random search.

    python speed/method_cost.py [methods]

Each weight-sharing method runs a whole short search on digits at 16 x 16 pixels (8 channels, one cell a stage, one
thread), so that warm-ups, stages and phases weigh as they do in a search. After every epoch of it comes one of DARTS.
A searcher of the table runs a whole search, each epoch followed by 100 queries of random search. Times are CPU times.
The ratios go to speed/method_cost.csv, which docs/methods.md shows; where methods are named, theirs alone are new.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from trainables.methods import METHODS, method_named
from trainables.records import changed
from trainables.spec import DatasetSpec, Scale, TrialSpec
from trainables.trial import Surroundings, Trial

CSV = Path(__file__).with_suffix(".csv")
SCALE = Scale(channels=8, cells=1, epochs=6, batch_size=64)
DATASET = DatasetSpec(name="digits", image_size=16, train_images=768)
TABLE = DatasetSpec(name="cifar10")
QUERIES = 100
"""One is too short to be timed."""
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "darts": [{}, {"order": "second"}],
    "darts_pt": [{}, {"blank": True}],
    "drnas": [{}, {"progressive": True}],
    "enas": [{"controller_steps": 2, "samples": 16}],  # as many cells for every step of the weights as at paper scale
    "gaea": [{}, {"level": "single"}, {"variant": "pc_darts"}, {"variant": "gdas"}],
    "random_search": [{"queries": 150}],
    "robust_darts": [{}, {"order": "first"}],
    "sdarts": [{"variant": "random"}, {"variant": "adversarial"}],
    "svge": [{"vae_graphs": 1200, "vae_epochs": 10, "labelled": 50, "queries": 100, "batch_queries": 10}],
    "tpe": [{}, {"multivariate": True}],
    "zarts": [{"optimizer": name} for name in ("mgs", "gld", "rs")],
}


def trial(method: str, config: dict[str, Any]) -> Trial:
    """A short search."""
    cls = method_named(method)
    parsed = cls.Config.parse(method, config)
    trains = cls.needs(parsed) == "images"
    spec = TrialSpec(
        method=method, method_version=cls.version, hyperparameters=parsed.stated(), space="nas_bench_201",
        dataset=DATASET if trains else TABLE, dataset_fingerprint=None, signal_fingerprint=None,
        scale=SCALE if trains else None, retrain=None, seed=0,
    )  # fmt: skip
    return Trial(spec, Surroundings())


def cpu_s(some: Trial) -> float:
    """CPU seconds of the next epoch."""
    started = time.process_time()
    some.advance()
    return time.process_time() - started


def epochs_of_darts() -> Iterator[float]:
    """CPU seconds of one after another, without the first of each search."""
    while True:
        search = trial("darts", {})
        cpu_s(search)
        while not search.finished:
            yield cpu_s(search)


def random_queries() -> Iterator[float]:
    """CPU seconds of a query, one after another."""
    while True:
        search = trial("random_search", {"queries": QUERIES})
        yield sum(cpu_s(search) for _ in range(QUERIES)) / QUERIES


def main(chosen: list[str]) -> None:
    """Measure, print and write the ratios."""
    with CSV.open(newline="") as file:
        kept = {method: list(rows) for method, rows in groupby(list(csv.reader(file))[1:], key=lambda row: row[0])}
    rows = []
    references = {True: epochs_of_darts(), False: random_queries()}
    for method, cls in METHODS.items():
        if chosen and method not in chosen:
            rows += kept.get(method, [])
            continue
        for config in VARIANTS.get(method, [{}]):
            search, own, other = trial(method, config), 0.0, 0.0
            reference = references[search.spec.scale is not None]
            while not search.finished:
                own += cpu_s(search)
                other += next(reference)
            estimate = cls.relative_cost(cls.Config.parse(method, config))
            ratio = f"{own / other:.2f}" if own < 10 * other else f"{own / other:.0f}"
            rows.append([method, changed(search.spec), ratio])
            print(f"{method:22} {changed(search.spec):24} measured {ratio:>6}  estimate {estimate:8.2f}", flush=True)
    with CSV.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["method", "config", "cost"], *rows])


if __name__ == "__main__":
    main(sys.argv[1:])
