"""The scripts of a GPU visit, on the CPU: a visit is short, so nothing in them may fail there that can fail here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import campaign
import pyarrow.dataset as pads
import pytest
import yaml
from campaign import Deadline, ending_in_time

PROJECT = Path(__file__).parents[1]


def run(*command: str, cwd: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    script, *arguments = command
    done = subprocess.run(
        [sys.executable, str(PROJECT / "speed" / script), *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def failures(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value["failed"]] if "failed" in value else [f for part in value.values() for f in failures(part)]
    return []


@pytest.mark.slow
def test_a_dry_visit_runs_every_part_and_nothing_fails(tmp_path: Path) -> None:
    run("gpu.py", "--dry", "--out", str(tmp_path / "visit"), cwd=tmp_path)
    found = json.loads((tmp_path / "visit/gpu.json").read_text())
    assert not failures(found)
    assert {"machine", "agreement", "pairs, tiny", "same bits", "ceilings", "convolutions"} == set(found)
    assert found["agreement"]["lean"]["worst"] < 1e-3  # over 60 seeds on three instruction sets at most 6e-5
    for method, bits in found["same bits"].items():
        assert bits["replayed"] and bits["twice"] and bits["resumed"], method
    assert "reference supernet, step by step" in (tmp_path / "visit/gpu.md").read_text()


@pytest.mark.slow
def test_a_campaign_goes_on_where_its_minutes_ended(tmp_path: Path) -> None:
    study = {
        "name": "visit",
        "dataset": {"name": "digits", "train_images": 128, "test_images": 64},
        "scale": {"channels": 2, "cells": 1, "epochs": 3, "batch_size": 16},
        "methods": {"darts": {}, "gaea": {"level": ["single", "bilevel"]}},
        "seeds": 2,
    }
    (tmp_path / "visit.yaml").write_text(yaml.safe_dump(study))
    command = ["campaign.py", "visit.yaml", "--together", "2", "--first", "gaea:level=single", "--parcel", "parcel"]
    assert "6 to do" in run(*command, "--store", "first", "--minutes", "0", cwd=tmp_path)
    assert not list((tmp_path / "first/visit/trials").glob("*.parquet"))
    told = run(*command, "--store", "second", "--minutes", "5", cwd=tmp_path)
    assert told.index("'config': 'level=single'") < told.index("darts")
    assert "6 finished, 0 to do" in run(*command, "--store", "third", "--minutes", "5", cwd=tmp_path)
    rows = pads.dataset(tmp_path / "third/visit/trials", exclude_invalid_files=True).to_table().to_pylist()
    assert [row["status"] for row in rows] == ["ok"] * 6


def test_what_is_packed_in_pieces_is_unpacked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "PIECE", 1000)
    study, other, parcel = tmp_path / "study", tmp_path / "other", tmp_path / "parcel"
    for folder in ("trials", "epochs", "checkpoints"):
        (study / folder).mkdir(parents=True)
        (other / folder).mkdir(parents=True)
    contents = {"study.yaml": b"name: x", "environment.json": b"{}", "trials/a.parquet": b"row" * 999}
    contents |= {"epochs/a.parquet": b"rows", "checkpoints/b.pt": os.urandom(2500), "checkpoints/b.claim": b"mine"}
    for name, content in contents.items():
        (study / name).write_bytes(content)
    campaign.pack(study, parcel)
    assert all(path.stat().st_size <= 1000 for path in parcel.iterdir())
    campaign.unpack(parcel, other)
    del contents["checkpoints/b.claim"]  # whoever ran it is gone
    found = {str(path.relative_to(other)): path.read_bytes() for path in other.rglob("*") if path.is_file()}
    assert found == contents
    (study / "checkpoints/b.pt").unlink()
    campaign.pack(study, parcel)
    assert not list(parcel.glob("b.pt*"))


def test_lanes_that_cannot_all_end_in_time_leave_it_to_those_nearest_to_their_end() -> None:
    assert ending_in_time([10.0, 10.0, 10.0, 10.0], 12.0) == 4
    assert ending_in_time([100.0, 100.0, 100.0], 80.0) == 2  # a third of the time each, and a margin
    assert ending_in_time([20.0, 100.0, 100.0], 30.0) == 1
    assert ending_in_time([100.0, 100.0], 40.0) == 0


def lanes_in_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[int]:
    """Epochs of 50 that three lanes came to: one alone takes 4 s an epoch, three take 9 s; kernels take 20 s once."""
    trials = [
        SimpleNamespace(spec=SimpleNamespace(id=str(seed)), epochs=[], epochs_done=0, epochs_in_all=50)
        for seed in range(3)
    ]
    lanes: list[Any] = [SimpleNamespace(queue=[trial], trial=trial) for trial in trials]
    now = 0.0
    monkeypatch.setattr(campaign.time, "monotonic", lambda: now)
    deadline = Deadline(lanes, seconds)
    awake = lanes
    while awake := [lane for lane in awake if lane.queue and not deadline(lane)]:
        wall_s = {1: 4.0, 2: 7.0, 3: 9.0}[len(awake)] + (20.0 if now == 0 else 0.0)
        now += wall_s
        for lane in awake:
            lane.trial.epochs.append({"wall_s": wall_s})
            lane.trial.epochs_done += 1
            if lane.trial.epochs_done == 50:
                lane.queue, lane.trial = [], None
    return [trial.epochs_done for trial in trials]


def test_lanes_rest_by_the_pace_of_those_that_run_now(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lanes_in_time(monkeypatch, 550.0) == [50, 50, 50]  # 470 s, and a margin
    assert lanes_in_time(monkeypatch, 450.0) == [50, 50, 4]  # two of them need 378 s, the margin of which is just there
    assert lanes_in_time(monkeypatch, 260.0) == [50, 4, 4]
