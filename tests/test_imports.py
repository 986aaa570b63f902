"""What lists, plans, watches or reports loads no library it can do without: torch alone takes over a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

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
        method=name, method_version=method.version, hyperparameters=config.stated(), space="nas_bench_201",
        dataset=DatasetSpec(name="cifar10"), dataset_fingerprint=None, signal_fingerprint=None,
        scale=scale if needs == "images" else None, retrain=Retrain() if needs == "images" else None, seed=0,
    )
    assert describe(spec, "study")["trial_id"] == spec.id
"""
DIGITS = """
from trainables.datasets import fingerprint
from trainables.spec import DatasetSpec

fingerprint(DatasetSpec(name="digits"), None)
"""
TRAINING = """
import sys
import torch
from trainables.compiler import leave_out_compiler

leave_out_compiler()
weight = torch.nn.Parameter(torch.ones(2))
for optimizer in (torch.optim.SGD([weight], lr=0.1), torch.optim.Adam([weight])):
    weight.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
assert "sympy" not in sys.modules
"""
COMPILING = """
import sys
import torch._dynamo.config
import torch

assert torch._dynamo is sys.modules["torch._dynamo"] and "sympy" in sys.modules
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)) == 2
"""


def loaded(*steps: str) -> dict[str, set[str]]:
    """The heavy libraries that each step of a fresh process has loaded, but none before it."""
    report = f"""
import contextlib, io, json, sys
found, before = {{}}, set()
for step in {steps!r}:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(step, {{}})
    there = {{name for name in {HEAVY!r} if name in sys.modules}}
    found[step], before = sorted(there - before), there
print(json.dumps(found))"""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", report], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {step: set(found) for step, found in json.loads(done.stdout).items()}


def heavier_than(allowed: set[str], *steps: str) -> dict[str, set[str]]:
    """The steps that load more than is allowed, and what."""
    return {step: more for step, found in loaded(*steps).items() if (more := found - allowed)}


def test_listing_planning_and_watching_load_nothing_heavy() -> None:
    assert not heavier_than(set(), *(f"import {module}" for module in LIGHT), PLANNING, DIGITS)


def test_short_commands_load_nothing_heavy() -> None:
    commands = (["--help"], ["methods"], ["methods", "show", "drnas"], ["status", "results"])
    steps = [f"from study.cli import app\napp({arguments!r}, standalone_mode=False)" for arguments in commands]
    assert not heavier_than({"pyarrow"}, *steps)


def test_a_report_needs_no_torch() -> None:
    reports = ("comparison", "correlation", "robustness", "sensitivity")
    allowed = set(HEAVY) - {"torch", "ray"}
    assert not heavier_than(allowed, *(f"import analysis.{report}.report" for report in reports))


def test_importing_loads_no_torch() -> None:
    allowed = set(HEAVY) - {"torch", "optuna", "sklearn", "scipy", "botorch"}
    assert not heavier_than(allowed, *(f"import {module}" for module in WITHOUT_TORCH))


def test_what_comes_later_is_the_module_itself() -> None:
    steps = (
        "from trainables.later import F, torch\nimport torch as real\nassert torch.nn is real.nn",
        "from trainables.later import F, torch\nassert F.relu is torch.nn.functional.relu",
    )
    assert "torch" in loaded(*steps)[steps[0]]


def test_training_loads_no_compiler_which_whoever_compiles_finds() -> None:
    loaded(TRAINING, COMPILING)
