"""A study on one GPU in this process: trials side by side on streams, without Ray, for as many minutes as there are.

    python speed/campaign.py paper_scale --data DIR --store results --minutes 8 --together 4 --parcel DIR

For a host that is to be had for minutes, has no network and may be taken away at any moment: nothing starts but Python.
Rows, claims and checkpoints are those of ``nas-study run``, which goes on with what is left, as this does with what
that one left. Trials are taken in the order given by --first, then in the study's. If not all that run can come to
their end in the minutes, the ones with most left rest, so that the others do. When the minutes are over, each lane gets
GRACE_S to end its epoch; the epoch of one that does not is lost, nothing else.

With --parcel what the store holds of the study travels: it is unpacked from that folder at the start, if it is there,
and packed into it again whenever a trial ends and at least every PACK_EVERY_S, in files of at most 16 MiB.
"""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import threading
import time
import uuid
from pathlib import Path

from study import environment
from study.loading import load
from study.preparation import prepare
from trainables.batch import Assignment, Batch, Work
from trainables.gang import Gang, deal
from trainables.spec import TrialSpec
from trainables.watchdog import Limits, Watchdog

PACED = 3
"""Epochs that a pace is taken from."""
MARGIN = 1.1
GRACE_S = 5.0
LOOK_EVERY_S = 5.0
PACK_EVERY_S = 30.0
PIECE = 16 * 2**20


def place(spec: TrialSpec, first: list[str]) -> int:
    """Where in ``first`` a trial comes: entries such as darts, gaea:level=single or gaea:level=single@0, of seed 0."""
    for index, wanted in enumerate(first):
        name, _, seed = wanted.partition("@")
        method, _, setting = name.partition(":")
        key, _, value = setting.partition("=")
        fits = spec.method == method and (not key or str(spec.hyperparameters[key]) == value)
        if fits and (not seed or spec.seed == int(seed)):
            return index
    return len(first)


class Deadline:
    """Says of lanes whether they have to stop: all of them at a time, and those before that cannot end by it.

    A lane's pace is that of its epochs since lanes or trials last changed, but for the one during which they did:
    before, other lanes took their share of the device, or kernels were compiled.
    """

    def __init__(self, lanes: list[Batch], ends: float) -> None:
        """``ends`` of the monotonic clock."""
        self.lanes, self.ends = lanes, ends
        self.resting: set[int] = set()
        self.lock = threading.Lock()
        self.running: list[tuple[int, str | None]] = []
        self.settled: dict[int, int] = {}
        """by lane: the epochs after which its pace counts"""

    def __call__(self, lane: Batch) -> bool:
        with self.lock:
            awake = {id(other): other for other in self.lanes if other.queue and id(other) not in self.resting}
            running = [(name, other.trial and other.trial.spec.id) for name, other in awake.items()]
            if running != self.running:
                self.running = running
                self.settled = {name: 1 + done(other) for name, other in awake.items()}
            left = {name: seconds_left(other, self.settled[name]) for name, other in awake.items()}
            known = {name: seconds for name, seconds in left.items() if seconds is not None}
            if len(known) == len(left):
                ordered = sorted(known, key=lambda name: known[name])
                able = ending_in_time([known[name] for name in ordered], self.ends - time.monotonic())
                self.resting.update(ordered[able:] if able else ())
            return time.monotonic() > self.ends or id(lane) in self.resting


def done(lane: Batch) -> int:
    return lane.trial.epochs_done if lane.trial else 0


def seconds_left(lane: Batch, settled: int) -> float | None:
    """How long a lane's trial takes to its end at the pace of its last epochs; None before PACED are ``settled``."""
    trial = lane.trial
    if trial is None or trial.epochs_in_all is None or len(trial.epochs) - settled < PACED:
        return None
    pace = sorted(epoch["wall_s"] for epoch in trial.epochs[-PACED:])[PACED // 2]
    return pace * (trial.epochs_in_all - trial.epochs_done)


def ending_in_time(left_s: list[float], seconds: float) -> int:
    """How many of the lanes, those with least left first, end within ``seconds`` if the others rest.

    A lane takes as much less time as there are fewer of them, MARGIN apart.
    """
    share = [MARGIN * left * count / len(left_s) for count, left in enumerate(left_s, 1)]
    return max((count for count, needed in enumerate(share, 1) if needed <= seconds), default=0)


def pack(study: Path, parcel: Path) -> None:
    """Put what the folder of a study holds into files of at most PIECE bytes; each appears whole."""
    parcel.mkdir(parents=True, exist_ok=True)
    rows = io.BytesIO()
    with tarfile.open(fileobj=rows, mode="w:gz") as tar:
        for name in ("study.yaml", "environment.json", "trials", "epochs"):
            tar.add(study / name, name)
    wanted = {"rows.tar.gz": rows.getvalue()} | {
        path.name: path.read_bytes() for path in sorted((study / "checkpoints").glob("*.pt"))
    }
    pieces = {
        f"{name}.{start // PIECE:03d}": content[start : start + PIECE]
        for name, content in wanted.items()
        for start in range(0, len(content), PIECE)
    }
    for name, piece in pieces.items():
        (parcel / "aside").write_bytes(piece)
        (parcel / "aside").replace(parcel / name)
    for path in parcel.iterdir():
        if path.name not in pieces:
            path.unlink()


def unpack(parcel: Path, study: Path) -> None:
    """The other way."""
    pieces: dict[str, list[Path]] = {}
    for path in sorted(parcel.iterdir()):
        pieces.setdefault(path.stem, []).append(path)
    for name, paths in pieces.items():
        content = b"".join(path.read_bytes() for path in paths)
        if name == "rows.tar.gz":
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                tar.extractall(study, filter="data")
        else:
            (study / "checkpoints" / name).write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--benchmark", type=Path)
    parser.add_argument("--store", default="results")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--together", type=int, default=4)
    parser.add_argument("--first", nargs="*", default=[])
    parser.add_argument("--parcel", type=Path)
    parser.add_argument("--set", action="append", dest="overrides")
    options = parser.parse_args()
    began = time.monotonic()
    ends = began + 60 * options.minutes
    prepared = prepare(
        load(options.study, options.overrides), options.store, data=options.data, benchmark=options.benchmark
    )
    store, table = prepared.store, prepared.surroundings.table()
    store.prepare()
    if options.parcel and options.parcel.exists():
        unpack(options.parcel, Path(store.path))
    environment.save(
        store,
        prepared.study,
        environment.environment(prepared.fingerprints, table.fingerprint, table.sources, prepared.unread),
    )
    finished = store.finished()
    todo = [spec for spec in prepared.plan.trials if spec.id not in finished]
    todo.sort(key=lambda spec: place(spec, options.first))
    work = Work(prepared.study.name, uuid.uuid4().hex, [todo], store, prepared.surroundings)
    watchdogs = [Watchdog(Limits(), lambda reason: None) for _ in range(options.together)]
    lanes = deal(work, Assignment(0, gpu=1.0), watchdogs)
    print(f"{len(finished)} finished, {len(todo)} to do, ready after {time.monotonic() - began:.1f} s", flush=True)
    seen: set[str] = set()
    packed = told = began

    def look() -> None:
        """Say what happened, and pack it."""
        nonlocal packed, told
        ended = [row for lane in lanes for row in list(lane.ended) if row["trial_id"] not in seen]
        for row in ended:
            seen.add(row["trial_id"])
            print({key: row[key] for key in ("method", "config", "seed", "status", "error")}, flush=True)
        now = time.monotonic()
        if now - told > 3 * LOOK_EVERY_S:
            told = now
            trials = [trial for lane in lanes if (trial := lane.trial) is not None]
            running = (f"{t.spec.method} {t.spec.seed}: {t.epochs_done}/{t.epochs_in_all}" for t in trials)
            print(f"{now - began:.0f} s: {len(seen)} ended; {', '.join(running)}", flush=True)
        if options.parcel and (ended or now - packed > PACK_EVERY_S):
            packed = now
            pack(Path(store.path), options.parcel)

    running = Gang(lanes, Deadline(lanes, ends))
    while not running.wait(LOOK_EVERY_S):
        look()
        if time.monotonic() > ends + GRACE_S:
            break
    look()
    if options.parcel:
        pack(Path(store.path), options.parcel)
    print(f"{len(seen)} ended in {time.monotonic() - began:.0f} s", flush=True)
    os._exit(0)  # a lane may be in the middle of an epoch


if __name__ == "__main__":
    main()
