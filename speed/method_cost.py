"""What an epoch of each weight-sharing method costs relative to first-order DARTS, measured side by side.

    python speed/method_cost.py

Each method runs a whole short search on digits at 16 x 16 pixels (8 channels, one cell a stage, one thread), so that
warm-ups, stages and phases weigh as they do in a search. After every epoch of a method comes one of DARTS. Times are
CPU times. The ratios go to speed/method_cost.csv, which docs/methods.md shows.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

from trainables.methods import METHODS, method_named
from trainables.records import changed
from trainables.spec import DatasetSpec, Scale, TrialSpec
from trainables.trial import Surroundings, Trial

CSV = Path(__file__).with_suffix(".csv")
SCALE = Scale(channels=8, cells=1, epochs=6, batch_size=64)
DATASET = DatasetSpec(name="digits", image_size=16, train_images=768)
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "darts": [{}, {"order": "second"}],
    "darts_pt": [{}, {"blank": True}],
    "drnas": [{}, {"progressive": True}],
    "gaea": [{}, {"level": "single"}, {"variant": "pc_darts"}, {"variant": "gdas"}],
    "robust_darts": [{}, {"order": "first"}],
    "zarts": [{"optimizer": name} for name in ("mgs", "gld", "rs")],
}


def trial(method: str, config: dict[str, Any]) -> Trial:
    """A short search."""
    cls = method_named(method)
    spec = TrialSpec(
        method=method, method_version=cls.version, hyperparameters=cls.Config.parse(method, config).model_dump(),
        space="nas_bench_201", dataset=DATASET, dataset_fingerprint=None, signal_fingerprint=None, scale=SCALE,
        retrain=None, seed=0,
    )  # fmt: skip
    return Trial(spec, Surroundings())


def cpu_s(some: Trial) -> float:
    """CPU seconds of the next epoch."""
    started = time.process_time()
    some.advance()
    return time.process_time() - started


def main() -> None:
    """Measure, print and write the ratios."""
    reference = trial("darts", {})
    cpu_s(reference)
    rows = []
    for method, cls in METHODS.items():
        if cls.needs(cls.Config()) != "images":
            continue
        for config in VARIANTS.get(method, [{}]):
            search, own, darts = trial(method, config), [], []
            while not search.finished:
                own.append(cpu_s(search))
                if reference.finished:
                    reference = trial("darts", {})
                    cpu_s(reference)
                darts.append(cpu_s(reference))
            ratio = sum(own) / sum(darts)
            estimate = cls.relative_cost(cls.Config.parse(method, config))
            rows.append([method, changed(search.spec), f"{ratio:.2f}"])
            print(f"{method:14} {changed(search.spec):32} measured {ratio:5.2f}  estimate {estimate:5.2f}", flush=True)
    with CSV.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["method", "config", "cost"], *rows])


if __name__ == "__main__":
    main()
