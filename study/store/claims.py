"""Who runs a trial: a claim beside its checkpoint, so that several runs of one study share its trials.

    checkpoints/<trial id>.claim   {"run", "host", "machine", "pid", "beat", "attempts": {run: how often begun}}

The worker that runs the trial counts ``beat`` up every BEAT_S seconds. Another takes the trial over once the claim has
not changed for SILENT_S seconds of its own monotonic clock, so that no clocks are compared and none may jump; at once
where the claim is a process of this machine that no longer exists. Two that claim at the same moment both begin; the
claim written last stays, and who reads another's claim at its next beat, or finds none since another has finished the
trial, gives it up after the epoch it is in. Until then both compute the same numbers.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from study.store.files import Files
from trainables.errors import StoreError

BEAT_S = 5.0
SILENT_S = 30.0
SUFFIX = ".claim"
LARGEST = 1 << 20
"""Bytes of a claim that are read; one that ten thousand runs began has fewer."""


class Claim(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    run: str
    host: str
    machine: str
    pid: PositiveInt
    beat: NonNegativeInt
    attempts: dict[str, NonNegativeInt]

    @property
    def owner(self) -> tuple[str, int]:
        return self.machine, self.pid


class Claims:
    """The trials this process runs, and what it has seen of others."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._held: dict[str, Claim] = {}
        self._seen: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()
        self._beating = False

    def take(self, trial_id: str, run: str) -> int | None:
        """Claim a trial: how often a worker of ``run`` has begun it, this time included; None while another runs it."""
        content = self._files.read(path(trial_id), LARGEST)
        earlier = parse(content)
        if content is not None and self._is_at_work(trial_id, content, earlier):
            return None
        attempts = dict(earlier.attempts) if earlier else {}
        attempts[run] = attempts.get(run, 0) + 1
        claim = Claim(run=run, host=platform.node(), machine=machine(), pid=os.getpid(), beat=0, attempts=attempts)
        with self._lock:
            self._write(trial_id, claim)
            self._held[trial_id] = claim
            if not self._beating:
                self._beating = True
                threading.Thread(target=self._beat, name="claims", daemon=True).start()
        return attempts[run]

    def holds(self, trial_id: str) -> bool:
        """Whether the trial is still this process's: not taken over, not finished by another."""
        return trial_id in self._held

    def release(self, *trial_ids: str) -> None:
        """Let go of trials that are finished or handed back."""
        with self._lock:
            held = [path(trial_id) for trial_id in trial_ids if self._held.pop(trial_id, None) is not None]
            list(self._files.map(self._files.delete, held))

    def _is_at_work(self, trial_id: str, content: bytes, claim: Claim | None) -> bool:
        if claim is not None and claim.machine == machine() and (claim.pid == os.getpid() or not is_alive(claim.pid)):
            return False
        now = time.monotonic()
        last, since = self._seen.get(trial_id, (None, now))
        if content != last:
            self._seen[trial_id] = content, now
            return True
        return now - since < SILENT_S

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_S)
            with self._lock:
                for trial_id in list(self._held):
                    with suppress(StoreError):  # a storage that fails is the trial's to report, when it saves
                        self._beat_of(trial_id)
                if not self._held:
                    self._beating = False
                    return

    def _beat_of(self, trial_id: str) -> None:
        claim = self._held[trial_id]
        content = self._files.read(path(trial_id), LARGEST)
        now = parse(content)
        if content is None or (now is not None and now.owner != claim.owner):
            del self._held[trial_id]
            return
        claim.beat += 1
        self._write(trial_id, claim)

    def _write(self, trial_id: str, claim: Claim) -> None:
        self._files.write(path(trial_id), claim.model_dump_json().encode())


def path(trial_id: str) -> str:
    return f"checkpoints/{trial_id}{SUFFIX}"


def parse(content: bytes | None) -> Claim | None:
    """A claim as written, or None where there is none to be read."""
    try:
        return None if content is None else Claim.model_validate_json(content)
    except ValidationError:
        return None


@lru_cache
def machine() -> str:
    """Where a process id means something: this boot of this kernel and, on Linux, this container."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return platform.node()


def is_alive(pid: int) -> bool:
    """Whether a process of this machine exists (True where that cannot be told)."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:  # no system has such a number
        return False
    return True
