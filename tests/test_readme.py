"""The README keeps its word: links lead somewhere, and every command and code block in it runs.

``make study`` and ``make test`` are run by .ci/run itself. Commands run here in this process and on the session's Ray,
long studies with fewer epochs and seeds.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray_head import Cluster

import analysis
from analysis.sensitivity.numbers import (
    declared_defaults,
    read_settings,
    tunability,
)
from trainables import datasets
from trainables.methods import METHODS
from trainables.spec import DatasetSpec, Scale, TrialSpec
from trainables.trial import Surroundings, Trial

ROOT = Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
README = (ROOT / "README.md").read_text()
SMALLER = [
    "scale.epochs=1",
    "scale.channels=2",
    "scale.batch_size=32",
    "dataset.train_images=256",
    "evaluate.retrain.epochs=1",
    "resources.cpu=2",  # one worker at a time: a second is not started for a trial or two
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def commands() -> list[str]:
    lines = [line.partition("#")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("make ")]


def rows(header: str) -> list[tuple[str, ...]]:
    """The cells of the table whose first line begins with ``header``."""
    table = README.partition(header)[2].partition("\n\n")[0]
    return [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in table.splitlines()[2:]]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"`((?:study|trainables|analysis|speed|docs)/[\w./]*)`", README):
        assert (ROOT / name).exists(), name


def test_the_two_commands_are_the_makefiles_and_ci_runs_them() -> None:
    assert [line.split()[1] for line in blocks("bash")[0].splitlines()] == ["study", "test"]
    ci = (ROOT / ".ci/run").read_text()
    assert "make test" in ci and "make study" in ci


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_every_command_runs(nas_study: Any, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one folder, in order, as a reader would type them."""
    if not (SHARED_DATA / "cifar10").is_dir():
        pytest.skip(f"the README's commands on real data need CIFAR-10 and the benchmark table in {SHARED_DATA}")
    (tmp_path / "my_study.yaml").write_text(blocks("yaml")[0])
    shutil.copytree(ROOT / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    for line in commands():
        program, *arguments = shlex.split(line.replace("$DATA", str(SHARED_DATA)))
        assert program == "nas-study", line
        if arguments[0] == "run" and "--dry-run" not in arguments:
            smaller = [*SMALLER, "search.samples=2"] if "my_study" in line else SMALLER
            arguments += ["--seeds", "1", *(part for change in smaller for part in ("--set", change))]
            arguments += ["--address", cluster.address]
        if arguments[0] == "status":
            continue  # there is no ./store yet; it is run below, after the studies
        code, out, err = nas_study(*arguments)
        assert code == 0, f"{line}\n{out}{err}"
    code, out, _ = nas_study("status")
    assert code == 0 and "quickstart" in out
    assert (tmp_path / "report.html").is_file()
    tuning = (tmp_path / "tuning_files/tuning.md").read_text()
    for method, *_, gain, decides in rows("| method | varied |")[:3]:
        told = next(line for line in tuning.splitlines() if line.startswith(f"| {method} |"))
        assert told.split("|")[-2].strip().replace("\\", "") == gain.removeprefix("+")
        name, share = decides.split(", ")
        assert f"{method}: {name} alone explains {share} of the variance" in tuning


def test_the_results_table_is_what_the_stored_rows_say() -> None:
    trials = analysis.load(ROOT / "results", "all_methods_cifar10_small").trials
    columns = ["cifar10_test_accuracy", "cifar100_test_accuracy"]
    found = trials.groupby("variant", observed=True)[columns].agg(["mean", "std", "min"])
    expected = {
        (variant, f"{c['mean']:.2f} ± {c['std']:.2f}", f"{c['min']:.2f}", f"{d['mean']:.2f} ± {d['std']:.2f}")
        for variant, c, d in ((v, row[columns[0]], row[columns[1]]) for v, row in found.iterrows())
    }
    assert {row[:4] for row in rows("| variant | CIFAR-10 test, mean ± std (%) |")} == expected


@pytest.mark.parametrize(
    ("study", "header", "arm"),
    [("table_searchers", "| searcher |", "variant"), ("svge_small", "| searcher, 10 seeds |", "method")],
)
def test_the_tables_of_searchers_are_what_the_stored_rows_say(study: str, header: str, arm: str) -> None:
    trials = analysis.load(ROOT / "results", study).trials
    columns = ["cifar10_test_accuracy", "cifar10_valid_regret"]
    found = trials.groupby(arm, observed=True)[columns].agg(["mean", "std"])
    expected = {
        (str(name).replace(" (defaults)", ""), f"{test['mean']:.2f} ± {test['std']:.2f}", f"{regret['mean']:.3f}")
        for name, test, regret in ((n, row[columns[0]], row[columns[1]]) for n, row in found.iterrows())
    }
    assert set(rows(header)) == expected


def test_the_table_of_published_settings_is_what_the_stored_rows_say() -> None:
    trials = analysis.load(ROOT / "results", "paper_scale").trials
    found = trials.groupby("variant", observed=True)["cifar10_test_accuracy"].agg(["size", "mean"])
    expected = {
        (str(name).replace(" (defaults)", ""), f"{row['size']:.0f}", f"{row['mean']:.2f}")
        for name, row in found.iterrows()
    }
    assert {row[:3] for row in rows("| method, as published |")} == expected


def test_the_gains_of_tuning_are_what_the_stored_rows_say() -> None:
    """Of the weight-sharing methods; those of the table searchers are compared with the page that the README makes."""
    trials = analysis.load(ROOT / "results", "sensitivity_cifar10_small").trials
    trials = trials.assign(dataset="CIFAR-10 test")
    told = {method: gain for method, *_, gain, _ in rows("| method | varied |")[3:]}
    for method, part in trials.groupby("method"):
        settings = read_settings(part, "cifar10_test_accuracy")
        default = declared_defaults(settings)
        assert default is not None
        gap = tunability(settings, default, np.random.default_rng(0)).gap
        assert told.pop(str(method)) == f"{gap.estimate:+.2f} [{gap.low:.2f}, {gap.high:.2f}]"
    assert not told


def test_the_example_method_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace: dict[str, object] = {"__name__": "example"}
    exec(compile(blocks("python")[0], "README.md", "exec"), namespace)
    monkeypatch.setitem(METHODS, "sharp_darts", namespace["SharpDarts"])  # type: ignore[arg-type]
    config = METHODS["sharp_darts"].Config()
    spec = TrialSpec(
        method="sharp_darts", method_version=1, hyperparameters=config.stated(), space="nas_bench_201",
        dataset=DatasetSpec(name="digits", train_images=128), dataset_fingerprint="x", signal_fingerprint=None,
        scale=Scale(channels=2, cells=1, epochs=1, batch_size=32), retrain=None, seed=0,
    )  # fmt: skip
    trial = Trial(spec, Surroundings())
    before = trial.search.alpha.detach().clone()  # type: ignore[attr-defined]
    trial.advance()
    assert trial.finished and not torch.equal(before, trial.search.alpha)  # type: ignore[attr-defined]
    assert datasets.load(spec.dataset, None).classes == 10
