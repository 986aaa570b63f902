"""A synthetic study: several methods, seeds, failures and holes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from synthetic_store import HOSTILE, Row, epochs_of, genotype, trial, write_study

from analysis import Results, load
from analysis.robustness.report import write_report
from trainables.spaces.nas_bench_201.genotype import SKIP, Genotype


@pytest.fixture(autouse=True, scope="session")
def _fonts_cut_once(fonts_cut_once: None) -> None:
    """Most tests here draw figures."""


@pytest.fixture(scope="session")
def rows() -> tuple[list[Row], list[Row]]:
    """Trials and epochs of a study with everything that makes a report hard.

    darts: 10 seeds, 1 failed, 1 diverged, half collapsed; drnas: two settings; random: a table searcher without
    protocol; solo: a single seed, with a hostile setting; lost: nothing but failures, with a hostile message.
    """
    collapsed, healthy = Genotype((SKIP, SKIP, SKIP, SKIP, 3, 3)), Genotype((3, 3, 2, 3, 0, 4))
    trials = [
        trial("darts", s, genotype=str(collapsed if s % 2 else healthy), **{"hp.arch_lr": 3e-4}) for s in range(8)
    ]
    trials.append(trial("darts", 8, status="failed", error="CUDA out of memory", traceback="Traceback: step 3"))
    trials.append(trial("darts", 9, status="diverged", error="train_loss is nan at epoch 4", **{"hp.arch_lr": 3e-4}))
    for config in ("", "arch_lr=0.001"):
        trials += [
            trial("drnas", s, config=config, genotype=genotype(17 * s + 5000 + len(config)), **{"hp.arch_lr": 1e-3})
            for s in range(3)
        ]
    bare = {"protocol": None, "channels": None, "cells": None, "batch_size": None, "dataset_fingerprint": None}
    trials += [trial("random", s, genotype=genotype(9000 + 31 * s), epochs=40, **bare) for s in range(4)]
    trials += [trial("solo", 0, config=c, genotype=genotype(77), **{"hp.note": HOSTILE}) for c in ("", HOSTILE)]
    trials += [trial("lost", s, status="failed", error=HOSTILE, traceback=HOSTILE) for s in range(2)]
    epochs = [e for t in trials if "genotype" in t and t["method"] not in ("solo", "random") for e in epochs_of(t)]
    return trials, epochs


@pytest.fixture(scope="session")
def results(rows: tuple[list[Row], list[Row]], tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The study of ``rows``, one file a trial."""
    store = tmp_path_factory.mktemp("store")
    write_study(store, *rows)
    return load(store)


@pytest.fixture(scope="session")
def written(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of ``results``: the page, with its files beside it."""
    return write_report(results, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Results]:
    """Load a study of the given trials (and epochs)."""

    def build(trials: list[Row], epochs: Sequence[Row] = (), **options: Any) -> Results:
        return load(write_study(tmp_path / "store", trials, epochs, **options))

    return build
