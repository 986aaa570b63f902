"""Helpers of the drills: run ``nas-study`` as a user does, find its processes, read the rows that may not differ."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from ray import tune
from rich.console import Console

from study.loading import parse
from study.preparation import prepare
from study.running import runner
from study.running.runner import Outcome
from study.store.schema import EPOCHS, TRIALS, VOLATILE
from study.store.store import Store
from trainables.trial import Surroundings

Rows = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""Of trials and of epochs."""
ONE_WORKER = {"resources": {"cpu": 2}}
"""Of a study on the session's cluster: where nothing needs to go on side by side, the start of a second is saved."""


def command(study: Path, store: Path, *options: str) -> list[str]:
    # -P as in the installed script: the working folder is not searched for modules
    return [
        sys.executable,
        "-P",
        "-c",
        "from nas_study import main; main()",
        "run",
        str(study),
        "--store",
        str(store),
        *options,
    ]


def write_study(folder: Path, raw: dict[str, Any]) -> Path:
    path = folder / f"{raw['name']}.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def shadow(folder: Path) -> None:
    """Files of the user's, named as modules of ours, of the standard library and of what we use."""
    names = ("study.py", "analysis.py", "types.py", "random.py", "torch.py", "yaml.py", "trainables/__init__.py")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("raise RuntimeError('a file of the user is imported')\n")


def shadow_path(folder: Path) -> dict[str, str]:
    """An environment whose PYTHONPATH begins with a folder of the user's that holds such names."""
    for package in ("study", "trainables", "analysis"):
        folder.mkdir(exist_ok=True)
        (folder / f"{package}.py").write_text("raise RuntimeError('a file of the user is imported')\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def run(study: Path, store: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The whole command, to its end, in a process of its own."""
    return subprocess.run(
        command(study, store, *options),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=study.parent,
        env=os.environ | environment,
    )


def run_here(
    raw: dict[str, Any],
    store: Path,
    address: str | None,
    surroundings: Surroundings | None = None,
    callbacks: Sequence[tune.Callback] = (),
) -> tuple[Outcome, str]:
    """``nas-study run`` in this process, without its report: how it ended and what it said."""
    prepared = prepare(parse(raw), str(store))
    prepared.store.prepare()
    shown = io.StringIO()
    outcome = runner.run(
        prepared.study, prepared.plan, prepared.store, surroundings or prepared.surroundings, address=address,
        console=Console(file=shown, width=250), callbacks=callbacks,
    )  # fmt: skip
    return outcome, shown.getvalue()


def rows(store: Path, study: str) -> Rows:
    """All trial and epoch rows in a fixed order, without the columns that say how a trial ran."""
    results = Store(store, study)
    names = {name for path in (store / study / "trials").glob("*.parquet") for name in pq.read_schema(path).names}
    found = results.finished(sorted(names - VOLATILE - {"trial_id"}))
    columns = [name for name in EPOCHS.names if name not in VOLATILE]
    epochs = pa.concat_tables(results.epochs.tables(columns)).select(columns)
    epochs = epochs.group_by(columns, use_threads=False).aggregate([])  # a row may lie in two files, if it is the same
    assert set(TRIALS.names) <= names
    order = [("trial_id", "ascending"), ("epoch", "ascending")]
    return [found[key] for key in sorted(found)], epochs.sort_by(order).to_pylist()


def descendants(root: int) -> list[int]:
    """All processes below ``root``, from /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def wait_until(condition: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 240) -> Any:
    """Poll until the condition holds; fails if the process ends or time runs out first."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        assert process.poll() is None, f"the run ended too early:\n{process.communicate()}"
        time.sleep(0.1)
    raise AssertionError("waited too long")


def start(study: Path, store: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(study, store, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=study.parent
    )


def kill(*pids: int) -> None:
    """Those that have gone already, perhaps with their parent, are as good."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
