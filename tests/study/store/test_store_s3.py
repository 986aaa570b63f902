"""A store on object storage that is slow, answers with errors, cuts connections, and loses its writers."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import drills
import driver
import pytest
from faulty_s3 import Fault, FaultyS3
from sabotage import Ledger

from analysis import load
from study.loading import parse as parse_study
from study.plan import Fingerprints, plan
from study.store import claims, files
from study.store.claims import parse
from study.store.files import Files
from study.store.store import Store
from trainables import datasets
from trainables.errors import StoreError
from trainables.spec import TrialSpec
from trainables.trial import Surroundings, Trial

pytestmark = pytest.mark.slow

SECRET = "SECRETwJalrXUtnFEMIK7MDENG"


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyS3]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        found = FaultyS3()
        yield found
        found.close()


@pytest.fixture
def s3(server: FaultyS3) -> FaultyS3:
    server.calm()
    return server


@pytest.fixture
def store(s3: FaultyS3, request: pytest.FixtureRequest) -> Store:
    found = Store(s3.uri(f"{abs(hash(request.node.name))}"), "study")
    found.prepare()
    return found


def run_trials(store: Store, numbers: range) -> None:
    """What a worker does to the store, in its order."""
    for number in numbers:
        trial_id = f"{number:016x}"
        assert store.claim(trial_id, "run") == 1 and store.find(trial_id) is None
        store.write_checkpoint(trial_id, b"state" * number)
        assert store.read_checkpoint(trial_id) == b"state" * number
        row = {"trial_id": trial_id, "method": "darts", "status": "ok", "seed": number, "hp.arch_lr": 0.1}
        store.write([(row, [{"epoch": epoch + 1, "train_loss": 0.5} for epoch in range(2)])])


def plan_of(raw: dict[str, Any]) -> list[TrialSpec]:
    study = parse_study(raw)
    return plan(study, Fingerprints(datasets.fingerprint(study.dataset, None))).trials


def seeds(store: Store) -> list[int]:
    return sorted(row["seed"] for row in store.finished(("seed",)).values())


FAULTS: tuple[Fault, ...] = (0.1, 500, "cut", 503, "cut inside", "cut after")


def test_faults_of_every_kind_change_nothing(store: Store, s3: FaultyS3) -> None:
    number = itertools.count()
    s3.faults = lambda method, path: None if (n := next(number)) % 3 else FAULTS[n // 3 % len(FAULTS)]
    run_trials(store, range(3))
    store.compact()
    assert next(number) > 3 * len(FAULTS)
    assert seeds(store) == [0, 1, 2] and store.in_progress() == []
    assert len(store.trials.listing()) == len(store.epochs.listing()) == 1
    s3.calm()
    assert store.find(f"{2:016x}")["seed"] == 2  # type: ignore[index]
    results = load(store.uri)
    assert len(results.trials) == 3 and len(results.epochs) == 6


def test_storage_that_is_away_for_longer_than_pyarrow_tries(
    store: Store, s3: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_trials(store, range(1))
    waits: list[float] = []

    def back_after_the_first(seconds: float) -> None:
        waits.append(seconds)
        s3.calm()

    monkeypatch.setattr(files, "time", SimpleNamespace(sleep=back_after_the_first))
    s3.faults = lambda method, path: 503
    store.write_text("study.yaml", "name: s")
    assert waits == [1.0] and store.read_text("study.yaml") == "name: s"


def test_access_denied_is_said_at_once(store: Store, s3: FaultyS3) -> None:
    run_trials(store, range(1))
    s3.calm()
    s3.faults = lambda method, path: 403
    with pytest.raises(StoreError, match=r"must be writable, but .*ACCESS_DENIED.*run the same command again"):
        store.write_text("study.yaml", "name: s")
    with pytest.raises(StoreError, match=r"must be readable, but .*ACCESS_DENIED"):
        store.find("f" * 16)
    assert len(s3.requests) == 2


def test_a_bucket_that_is_not_there(s3: FaultyS3) -> None:
    elsewhere = Store(s3.uri("p").replace("s3://study/", "s3://no-such-bucket/"), "study")
    with pytest.raises(
        StoreError, match=r"must be writable, but s3://no-such-bucket/p/study.*give another one with --st"
    ):
        elsewhere.prepare()


def test_a_small_file_is_one_request_and_a_short_trial_eleven(
    store: Store, s3: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BEAT_S", 600.0)
    run_trials(store, range(1))
    s3.calm()
    store.write_text("study.yaml", "name: s")
    assert [request.split()[0] for request in s3.requests] == ["PUT"]
    s3.calm()
    trial_id = "e" * 16
    store.claim(trial_id, "run"), store.find(trial_id), store.read_checkpoint(trial_id)
    store.write([({"trial_id": trial_id, "method": "darts", "status": "ok"}, [])])
    assert len(s3.requests) <= 11, s3.requests


def test_short_trials_of_one_step_are_nine_requests_each_and_four_for_all(
    store: Store, s3: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BEAT_S", 600.0)
    run_trials(store, range(1))
    s3.calm()
    trial_ids = [f"{number:016x}" for number in range(1, 11)]
    for trial_id in trial_ids:
        store.claim(trial_id, "run"), store.find(trial_id), store.read_checkpoint(trial_id)
    store.write([({"trial_id": i, "method": "darts", "seed": 1, "status": "ok"}, [{"epoch": 1}]) for i in trial_ids])
    assert len(s3.requests) <= 10 * 9 + 4, s3.requests
    reader = Store(store.uri, store.study)
    s3.calm()
    assert all(reader.find(trial_id) for trial_id in trial_ids)
    assert sum("list-type" in request for request in s3.requests) == 1, s3.requests


WRITER = """
import sys
from study.store.files import Files
Files(sys.argv[1], "study").write("checkpoints/big.pt", bytes(11_000_000))
"""


def test_a_killed_writer_leaves_what_was_there(store: Store, s3: FaultyS3) -> None:
    """Killed when the first part of a large file has arrived and the second is under way."""
    store.write_checkpoint("big", b"before")
    s3.faults = lambda method, path: 20.0 if "partNumber=2" in path else None
    writer = subprocess.Popen([sys.executable, "-c", WRITER, store.uri])
    drills.wait_until(lambda: any("partNumber=2" in request for request in s3.requests), writer)
    drills.kill(writer.pid)
    writer.wait()
    s3.calm()
    assert store.read_checkpoint("big") == b"before" and store.checkpoints() == ["big"]


def test_an_interrupted_writer_publishes_no_empty_file(
    store: Store, s3: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exception of a signal that comes after opening and before writing, where it would end the upload."""
    original = Files._put

    def slowly(self: Files, path: str, content: bytes) -> None:
        with self.filesystem.open_output_stream(path) as stream:
            time.sleep(0.5)
            stream.write(content)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Files, "_put", slowly)
    before = signal.signal(signal.SIGALRM, interrupt)
    # What it returns is pytest-timeout's, which else would watch over this test no more.
    timeout = signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            store.write_checkpoint("a", b"whole")
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timeout)
    monkeypatch.setattr(Files, "_put", original)
    deadline = time.monotonic() + 60
    while (found := store.read_checkpoint("a")) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found == b"whole"


def test_a_listing_that_lags_neither_loses_nor_repeats(
    store: Store, s3: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose listings are those of the beginning asks for a trial by its name."""
    late = Store(store.uri, store.study)
    nothing = late.trials.listing()
    monkeypatch.setattr(late.trials, "listing", lambda: nothing)
    run_trials(store, range(3))
    assert late.finished() == {} and late.find(f"{1:016x}")["seed"] == 1  # type: ignore[index]
    late.compact()
    assert seeds(store) == [0, 1, 2]


def test_two_runs_at_once_one_of_them_killed(
    s3: FaultyS3, tiny_study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both share the trials; the other goes on with those of the dead one from where they were, bit for bit."""
    number = itertools.count(1)
    s3.faults = lambda method, path: None if (n := next(number)) % 20 else FAULTS[n // 20 % len(FAULTS)]
    logs = tempfile.mkdtemp(prefix="ray")  # not in tmp_path: Ray's sockets must have short names
    monkeypatch.setenv("RAY_TMPDIR", logs)
    tiny_study["dataset"]["train_images"] = 64  # the ledger makes an epoch long, not its work
    study, uri, ledger = drills.write_study(tmp_path, tiny_study), s3.uri("two"), Ledger(tmp_path / "ledger")
    store = Store(uri, "tiny")
    runs = [driver.start(study, uri, ledger) for _ in range(2)]

    def interrupted() -> str | None:
        """A trial of the first run that has a checkpoint, once both runs are at work."""
        claimed = {
            i.base_name.removesuffix(".claim"): i.base_name for i in store.in_progress() if i.extension == "claim"
        }
        claims = {trial: parse(store.files.read(f"checkpoints/{name}")) for trial, name in claimed.items()}
        one, two = (
            {trial for trial, claim in claims.items() if claim and claim.pid in drills.descendants(run.pid)}
            for run in runs
        )
        return next(iter(one & set(store.checkpoints())), None) if two else None

    try:
        trial_id = drills.wait_until(interrupted, runs[1])
        drills.kill(*drills.descendants(runs[0].pid), runs[0].pid)
        output, _ = runs[1].communicate(timeout=280)
    finally:
        for run in runs:
            drills.kill(*drills.descendants(run.pid), *[run.pid] * (run.poll() is None))
            run.wait()
    assert runs[1].returncode == 0, output
    assert store.in_progress() == [] and len(store.finished()) == 4

    results = load(uri)
    row = results.trials.set_index("trial_id").loc[trial_id]
    spec = next(s for s in plan_of(tiny_study) if s.id == trial_id)
    undisturbed = Trial(spec, Surroundings())
    while not undisturbed.finished:
        undisturbed.advance()
    assert row["genotype"] == str(undisturbed.genotype)
    found = results.read_epochs(["train_loss"]).query("trial_id == @trial_id")["train_loss"].tolist()
    assert found == [epoch["train_loss"] for epoch in undisturbed.epochs]

    written = [path for path in Path(logs).rglob("*") if path.is_file()]
    assert written and not [path for path in written if SECRET.encode() in path.read_bytes()]
