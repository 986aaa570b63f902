"""Nothing in a store is executed, and no credential gets into one, nor into a message, a log or a report."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis import load
from analysis.robustness.report import write_report
from study import cli
from study.environment import environment, save
from study.loading import parse
from study.plan import Fingerprints, plan
from study.store.store import Store
from trainables.batch import Assignment, Batch, Work
from trainables.benchmarks.signal import signal_fingerprints
from trainables.benchmarks.table import open_table
from trainables.methods.random_search import RandomSearch
from trainables.spec import TrialSpec
from trainables.trial import Surroundings
from trainables.watchdog import Limits, Watchdog

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Malicious:
    """Unpickling this would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def work(table_study: dict[str, Any], tmp_path: Path) -> Work:
    """One trial of random search, and a store for it."""
    study = parse(table_study | {"methods": {"random_search": {"queries": 5}}, "seeds": 1})
    fingerprints = Fingerprints(None, signal_fingerprints(open_table(), "cifar10"))
    store = Store(tmp_path / "store", study.name)
    store.prepare()
    save(store, study, environment(fingerprints, open_table().fingerprint, open_table().sources))
    return Work(study.name, "run", [plan(study, fingerprints).trials], store, Surroundings())


def run(work: Work) -> dict[str, Any]:
    """The only trial of the work, to its end, in this process: its row, after a look at what is reported of it."""
    batch = Batch(work, Assignment(0), Watchdog(Limits(), lambda reason: None))
    while batch.queue:
        batch.advance()
    batch.save()
    (reported,) = batch.ended
    row = work.store.find(trial(work).id)
    assert row is not None and row["error"] == reported["error"]
    return row


def trial(work: Work) -> TrialSpec:
    return work.batches[0][0]


def torch_saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [lambda content: pickle.dumps(content, protocol=2), torch_saved])
def test_a_checkpoint_that_would_execute_code_is_refused(
    work: Work, tmp_path: Path, pack: Callable[[object], bytes]
) -> None:
    work.store.write_checkpoint(
        trial(work).id, pack({"trial_id": trial(work).id, "epochs": Malicious(tmp_path / "out")})
    )
    row = run(work)
    assert not (tmp_path / "out").exists()
    assert row["status"] == "failed" and row["error"].startswith("StoreError: a checkpoint must be whole and hold")
    assert trial(work).id in row["error"] and "UnpicklingError" in row["error"] and "--retry-failed" in row["error"]


def test_a_secret_in_an_error_reaches_neither_record_nor_report(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    def refused(self: RandomSearch) -> None:
        raise PermissionError(f"signature of {SECRET} does not match")

    monkeypatch.setattr(RandomSearch, "epoch", refused)
    row = run(work)
    assert row["error"] == "PermissionError: signature of *** does not match" and row["error"] in row["traceback"]
    page = write_report(load(tmp_path / "store"), tmp_path / "report.html")
    assert "PermissionError" in page.read_text()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("command", [["run", "quickstart", "--store"], ["status"], ["report"], ["compact"]])
def test_no_command_takes_an_address_with_credentials(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nas-study", *command, f"s3://AKIAIOSFODNN7EXAMPLE:{SECRET}@bucket/p"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and "must not hold credentials" in err and err.count("\n") == 1
    assert SECRET not in out + err and "AKIA" not in out + err
