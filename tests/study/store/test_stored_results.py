"""Results that are stored stay valid: every row under results/ is a trial that its study plans today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.loading import load
from study.plan import Fingerprints, plan
from study.store.store import Store

RESULTS = Path(__file__).parents[3] / "results"
TRIALS = {
    "paper_scale": 1,
    "all_methods_cifar10_small": 75,
    "sensitivity_cifar10_small": 108,
    "sensitivity_table": 2550,
    "svge_small": 30,
    "table_searchers": 3000,
}
GROWING = {"paper_scale"}
"""Studies that go on whenever a GPU is there."""


def test_every_stored_study_is_named_here() -> None:
    assert {folder.name for folder in RESULTS.iterdir()} == set(TRIALS)


@pytest.mark.parametrize("study", TRIALS)
def test_every_stored_row_is_planned_by_its_study(study: str) -> None:
    environment = json.loads((RESULTS / study / "environment.json").read_text())
    signals = {int(epochs): fingerprint for epochs, fingerprint in environment["signal_fingerprints"].items()}
    found = plan(load(str(RESULTS / study / "study.yaml")), Fingerprints(environment["dataset_fingerprint"], signals))
    planned, stored = {spec.id for spec in found.trials}, set(Store(RESULTS, study).finished())
    assert stored <= planned and len(stored) == TRIALS[study]
    assert study in GROWING or stored == planned
