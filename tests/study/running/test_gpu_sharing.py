"""Shares of a GPU: from measurements of a simulated one, and from running out of memory."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drills
import pytest
import ray
import torch
from inline import Inline
from rich.console import Console
from simulated_gpu import Simulated

from study.loading import parse
from study.plan import Fingerprints, plan
from study.preparation import prepare
from study.running import runner
from study.running.gpu_sharing import FewImages, Usage, kind, miniature, probe, share
from trainables.datasets import load
from trainables.spec import TrialSpec
from trainables.trial import Surroundings, Trial

KNOWN = Fingerprints(images="a" * 16, signals={200: "b" * 16})


def trial(**change: Any) -> TrialSpec:
    """A search of two epochs on digits, and one epoch of retraining."""
    raw = {
        "name": "x",
        "dataset": "digits",
        "scale": {"channels": 4, "cells": 1, "epochs": 8, "batch_size": 32},
        "methods": {"darts": {}},
        "seeds": 1,
        "evaluate": {"retrain": {"epochs": 30}},
    }
    return plan(parse(raw | change), KNOWN).trials[0]


@pytest.mark.parametrize(
    ("peak_mib", "busy", "expected"),
    [
        (100, 0.0, 1 / 8),  # 1000 / 125
        (300, 0.1, 1 / 2),
        (100, 0.3, 1 / 3),
        (1, 0.0, 1 / 32),
        (450, 0.0, 1.0),
        (10, 0.95, 1.0),
    ],
)
def test_the_share_holds_what_is_needed(peak_mib: float, busy: float, expected: float) -> None:
    assert share(Usage(peak_mib, 1000, busy)) == pytest.approx(expected)


def test_trials_of_a_kind_differ_only_in_what_moves_no_memory() -> None:
    one = kind(trial())
    assert one == kind(trial(seeds=[7])) == kind(trial(methods={"darts": {"arch_lr": 0.01}}))
    assert one != kind(trial(methods={"darts": {"order": "second"}}))
    assert one != kind(trial(scale={"channels": 8, "cells": 1, "epochs": 8, "batch_size": 32}))
    assert one != kind(trial(evaluate={}))


@pytest.mark.parametrize("methods", [{"darts": {"order": "second"}}, {"drnas": {}}, {"random_search": {}}])
def test_a_miniature_goes_through_the_whole_trial_on_few_images(
    methods: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Trial] = []
    record = Trial.advance

    def advance(self: Trial) -> None:
        record(self)
        if self.finished:
            ended.append(self)

    monkeypatch.setattr(Trial, "advance", advance)
    miniature(trial(methods=methods), Surroundings())()
    (short,) = ended
    assert short.retrain_test_accuracy is not None and short.retraining is not None
    assert len(short.epochs) == (1 if "random_search" in methods else 2) and short.retraining.epochs_done == 2


def test_all_images_stay_on_the_device_though_few_are_seen() -> None:
    spec = trial()
    seen, whole = FewImages(images_seen=64).images(spec.dataset), load(spec.dataset, None)
    assert len(seen.train_images) == len(seen.train_labels) == 64
    assert seen.train_images.untyped_storage().nbytes() == whole.train_images.untyped_storage().nbytes()


def test_what_does_not_fit_alone_gets_a_whole_gpu_and_other_errors_are_raised() -> None:
    assert share(probe(trial(), Surroundings(), Simulated(2000))) == 1.0
    with pytest.raises(RuntimeError, match="broken"):
        probe(trial(), Surroundings(), Broken())


class Broken:
    def measure(self, work: Callable[[], None]) -> Usage:
        raise RuntimeError("broken")


@pytest.mark.parametrize("enough", [0.5, 2.0])
def test_out_of_memory_means_another_try_with_twice_the_share(
    table_study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: float
) -> None:
    """Seed 1 of random search needs ``enough`` of a GPU; the others are content with any share."""
    run = Inline(table_study, tmp_path, share=0.125)
    given, advance = run.result, Trial.advance

    def advance_with(present: float) -> Callable[[Trial], None]:
        def limited(self: Trial) -> None:
            if self.spec.method == "random_search" and self.spec.seed == 1 and present < enough:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB")
            advance(self)

        return limited

    def result(assignment: Any) -> Any:
        monkeypatch.setattr(Trial, "advance", advance_with(assignment.gpu))
        return given(assignment)

    monkeypatch.setattr(run, "result", result)
    run.run()
    shares = [assignment.gpu for assignment in run.assignments]
    rows = {
        (row["method"], row["seed"]): row
        for row in run.prepared.store.finished(("method", "seed", "status", "error", "notes", "gpu_share")).values()
    }
    row = rows["random_search", 1]
    first = "ran out of memory with 0.125 of a GPU, repeated with 0.25; ran out of memory with 0.25 of a GPU, repeated"
    assert row["notes"].startswith(first)
    if enough <= 1:
        assert shares == [0.125, 0.25, 0.5] and row["status"] == "ok"
    else:
        assert shares == [0.125, 0.25, 0.5, 1.0] and row["status"] == "failed"
        assert row["error"] == "OutOfMemoryError: CUDA out of memory. Tried to allocate 1.00 GiB"
    assert row["gpu_share"] == shares[-1]
    others = [other for key, other in rows.items() if key != ("random_search", 1)]
    assert len(others) == 5 and all(other["status"] == "ok" and other["notes"] is None for other in others)
    assert {other["gpu_share"] for other in others} == {0.125}


def test_a_share_that_the_user_chose_is_not_changed(
    table_study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Trial) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trial, "advance", fail)
    run = Inline(table_study, tmp_path).run()
    assert len(run.assignments) == 1
    assert {row["status"] for row in run.prepared.store.finished().values()} == {"failed"}


@pytest.mark.slow
def test_a_study_on_a_gpu_that_only_ray_believes_in(
    tiny_study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured on a simulated GPU in a Ray task, packed three at a time by Ray, run on the CPU."""
    tiny_study |= {"methods": {"darts": {}, "random_search": {}}, "resources": {"cpu": 0.25}}
    tiny_study["scale"] |= {"epochs": 2}
    prepared = prepare(parse(tiny_study), str(tmp_path))
    study = parse(tiny_study | {"resources": {"cpu": 0.25, "gpu": "auto"}})
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setattr(ray, "init", functools.partial(ray.init, num_gpus=1, num_cpus=2))
    prepared.store.prepare()
    shown = io.StringIO()
    outcome = runner.run(
        study, prepared.plan, prepared.store, prepared.surroundings, address=None,
        console=Console(file=shown, width=200), device=Simulated(260, busy=0.1),
    )  # fmt: skip
    assert outcome.ok == 4 and outcome.exit_code == 0
    assert "measuring 2 kinds of trials" in shown.getvalue()
    assert "darts: 260 of 1000 MiB, busy 10%: 3 on a GPU" in shown.getvalue()
    assert len(drills.rows(tmp_path, "tiny")[0]) == 4
