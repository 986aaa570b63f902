"""Thousands of table trials on one store while drivers are killed: are the rows those of a run that nothing disturbed?

    python speed/long_drill.py [trials]

First all trials undisturbed. Then on another store: a driver that is killed (SIGKILL) at a quarter of the trials, two
drivers at once of which one is killed at the half, and the other to its end, with ``status --watch`` beside them all.
Prints times, what the files hold, the memory of ``status --watch``, and ends with 1 where a row differs. Linux only.
Some five minutes of two quiet cores for 20,000 trials.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from study.store.schema import VOLATILE
from study.store.store import Store

TRIALS, SETTINGS = 2_000, 20
NAME = "drill"
Driver = subprocess.Popen[bytes]


def study(trials: int) -> dict[str, Any]:
    queries = list(range(10, 10 * SETTINGS + 1, 10))
    methods = {"random_search": {"queries": queries}, "regularized_evolution": {"queries": queries}}
    return {"name": NAME, "dataset": "cifar10", "methods": methods, "seeds": max(1, trials // (2 * SETTINGS))}


def start(*arguments: str | Path) -> Driver:
    command = [sys.executable, "-P", "-m", "study.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finished(store: Path) -> int:
    """Trials whose rows are in files."""
    return len(Store(store, NAME).finished()) if (store / NAME).exists() else 0


def wait_for(trials: int, store: Path, driver: Driver) -> int:
    """Until so many are finished, or the driver has ended; how many they are."""
    while (count := finished(store)) < trials and driver.poll() is None:
        time.sleep(0.2)
    return count


def rows(store: Path) -> dict[str, dict[str, Any]]:
    """By trial, without the columns that say how a trial ran."""
    names = {name for path in (store / NAME / "trials").glob("*.parquet") for name in pq.read_schema(path).names}
    return Store(store, NAME).finished(sorted(names - VOLATILE - {"trial_id"}))


def twice(store: Path) -> int:
    """Trials that lie in more than one file, of which readers take one."""
    paths = (store / NAME / "trials").glob("*.parquet")
    ids = Counter(i for path in paths for i in pq.read_table(path, columns=["trial_id"])["trial_id"].to_pylist())
    return sum(count > 1 for count in ids.values())


def peak_mib(driver: Driver) -> float:
    status = Path(f"/proc/{driver.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def undisturbed(path: Path, store: Path) -> None:
    begun = time.monotonic()
    code = start("run", path, "--store", store).wait()
    print(f"undisturbed: {finished(store):,} trials in {time.monotonic() - begun:.0f} s, exit code {code}", flush=True)


def disturbed(path: Path, store: Path, trials: int) -> None:
    begun = time.monotonic()
    first = start("run", path, "--store", store)
    while not (store / NAME / "study.yaml").exists() and first.poll() is None:
        time.sleep(0.2)
    watch = start("status", store, "--watch", "--every", "1")
    print(f"a driver is killed at {wait_for(trials // 4, store, first):,}", flush=True)
    first.kill()
    one, other = (start("run", path, "--store", store) for _ in range(2))
    print(f"one of two drivers is killed at {wait_for(trials // 2, store, one):,}", flush=True)
    one.kill()
    code = other.wait()
    print(f"the other ends after {time.monotonic() - begun:.0f} s in all, exit code {code}")
    memory = peak_mib(watch)
    watch.send_signal(signal.SIGINT)
    print(f"status --watch: {memory:.0f} MiB, exit code {watch.wait()} on Ctrl-C")
    for killed in (first, one):
        killed.wait()


def main(trials: int) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by a shell's background jobs
    with tempfile.TemporaryDirectory() as place:
        folder, raw = Path(place), study(trials)
        path = folder / f"{NAME}.yaml"
        path.write_text(yaml.safe_dump(raw))
        trials = 2 * SETTINGS * raw["seeds"]
        calm, rough = folder / "calm", folder / "rough"
        undisturbed(path, calm)
        disturbed(path, rough, trials)
        expected, found = rows(calm), rows(rough)
        differ = sum(found.get(trial) != row for trial, row in expected.items()) + len(found.keys() - expected.keys())
        print(
            f"{len(found):,} of {trials:,} rows, {differ} differ from the undisturbed; {twice(rough)} lie in two files"
        )
        return int(differ > 0 or len(expected) != trials)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS))
