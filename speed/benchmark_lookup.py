"""Benchmark look-up: our table against the nas-bench-201 package, side by side in one run.

    python speed/benchmark_lookup.py [cells]

Both read the same miniature of the official file (300 cells by default; the real one has 15,625, where the package's
loading time and memory grow in proportion and our table's do not). Every number looked up is checked to be the same.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from miniature_benchmark import build_miniature
from nas_201_api import NASBench201API

from trainables.benchmarks import table as ours
from trainables.benchmarks.importers import import_builtin, import_table
from trainables.spaces.nas_bench_201.genotype import Genotype

QUERIES = 1_000


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Median wall time of one call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def compare(cells: int, folder: Path) -> None:
    generator = np.random.default_rng(0)
    thrice = np.flatnonzero(~np.isnan(ours.open_table().values["cifar10_valid_accuracy_seed999"]))
    chosen = generator.choice(thrice, size=cells, replace=False)
    names = [str(Genotype.from_index(int(cell))) for cell in chosen]
    file = build_miniature(names, generator).write_pth(folder)
    print(f"{file.name}: {cells} cells, {file.stat().st_size / 2**20:.0f} MiB\n")

    api = NASBench201API(str(file), verbose=False)
    import_builtin()
    import_s = seconds(lambda: import_table(file, partial=True), repeats=1)
    table = ours.open_table(file)

    def open_anew() -> None:
        ours._open.cache_clear()
        ours.open_table(file)

    def their_accuracy(name: str) -> float:
        trainings = api.arch2infos_dict[api.query_index_by_arch(name)]["200"]  # its shortest way: no copies
        return trainings.get_metrics("cifar100", "x-test")["accuracy"]

    def our_accuracy(name: str) -> float:
        return float(table.accuracy("cifar100", "test", np.array([Genotype.from_string(name).index]))[0])

    asked = generator.integers(cells, size=QUERIES)
    indices, strings = chosen[asked], [names[place] for place in asked]
    told = np.array([their_accuracy(name) for name in strings])
    np.testing.assert_allclose(table.accuracy("cifar100", "test", indices), told, atol=1e-12)
    np.testing.assert_allclose([our_accuracy(name) for name in strings], told, atol=1e-12)

    rows = {
        "load, every process": (
            seconds(lambda: NASBench201API(str(file), verbose=False), repeats=3),
            seconds(open_anew, repeats=21),
        ),
        "accuracy of one cell, by string": (
            seconds(lambda: their_accuracy(names[0]), repeats=2_001),
            seconds(lambda: our_accuracy(names[0]), repeats=2_001),
        ),
        f"accuracies of {QUERIES:,} cells": (
            seconds(lambda: [their_accuracy(name) for name in strings], repeats=5),
            seconds(lambda: table.accuracy("cifar100", "test", indices), repeats=201),
        ),
    }
    print(f"{'':33}{'nas-bench-201':>16}{'ours':>16}{'ratio':>12}")
    for what, (theirs_s, ours_s) in rows.items():
        print(f"{what:33}{theirs_s * 1e3:>13.4f} ms{ours_s * 1e3:>13.4f} ms{theirs_s / ours_s:>11,.0f}x")
    print(f"{'import, once':33}{'':16}{import_s * 1e3:>13.4f} ms")


if __name__ == "__main__":
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # the package's torch.load predates weights_only
    warnings.filterwarnings("ignore", message="Environment variable TORCH_FORCE")
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["NAS_STUDY_CACHE"] = temporary
        compare(int(sys.argv[1]) if len(sys.argv) > 1 else 300, Path(temporary))
