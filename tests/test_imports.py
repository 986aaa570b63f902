"""What lists, plans, watches or reports loads no library it can do without: torch alone takes over a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "ray", "optuna", "sklearn", "scipy", "botorch", "pandas", "pyarrow", "PIL", "matplotlib", "triton")
PROJECT = Path(__file__).parents[1]
LIGHT = (
    "trainables.benchmarks.columns",
    "trainables.benchmarks.signal",
    "trainables.datasets",
    "trainables.errors",
    "trainables.hyperparameters",
    "trainables.methods",
    "trainables.records",
    "trainables.spaces.nas_bench_201",
    "trainables.spec",
    "trainables.training_free",
)
WITHOUT_TORCH = (
    "study.costs",
    "study.preparation",
    "study.status.watching",
    "study.store.store",
    "trainables.batch",
    "trainables.benchmarks.table",
    "trainables.gang",
    "trainables.trial",
)
PLANNING = """
from trainables.methods import METHODS
from trainables.records import describe
from trainables.spec import DatasetSpec, Retrain, Scale, TrialSpec

for name, method in METHODS.items():
    config, scale = method.Config.parse(name, {}), Scale(epochs=5)
    needs = method.needs(config)
    if needs == "images":
        method.check_scale(config, scale)
    method.relative_cost(config)
    spec = TrialSpec(
        method=name, method_version=method.version, hyperparameters=config.model_dump(), space="nas_bench_201",
        dataset=DatasetSpec(name="cifar10"), dataset_fingerprint=None, signal_fingerprint=None,
        scale=scale if needs == "images" else None, retrain=Retrain() if needs == "images" else None, seed=0,
    )
    assert describe(spec, "study")["trial_id"] == spec.id
"""


def loaded(code: str) -> set[str]:
    """The heavy libraries that a fresh process has loaded after running some code."""
    report = f"{code}\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", report], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", LIGHT)
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert not loaded(f"import {module}")


@pytest.mark.parametrize("arguments", [["--help"], ["methods"], ["methods", "show", "drnas"], ["status", "results"]])
def test_short_commands_load_nothing_heavy(arguments: list[str]) -> None:
    code = f"from study.cli import app\napp({arguments!r}, standalone_mode=False)\nprint()"
    assert loaded(code) <= {"pyarrow"}


@pytest.mark.parametrize("report", ["comparison", "robustness", "sensitivity"])
def test_a_report_needs_no_torch(report: str) -> None:
    assert not loaded(f"import analysis.{report}.report") & {"torch", "ray"}


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_importing_loads_no_torch(module: str) -> None:
    assert not loaded(f"import {module}") & {"torch", "optuna", "sklearn", "scipy", "botorch"}


def test_configs_costs_and_rows_of_all_methods_load_nothing_heavy() -> None:
    assert not loaded(PLANNING)


def test_what_comes_later_is_the_module_itself() -> None:
    code = "from trainables.later import F, torch\nimport torch as real\nassert torch.nn is real.nn"
    assert "torch" in loaded(f"{code}\nassert F.relu is real.nn.functional.relu")
