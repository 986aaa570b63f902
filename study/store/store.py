"""The result store: a folder (or object-storage prefix) of Parquet files of finished trials, each written whole.

    <store>/<study>/study.yaml         the study as run
                    environment.json   versions, hardware, fingerprints of data and table
                    trials/            <trial id>.parquet, one row; step-*.parquet, the rows that a worker finished
                                       within a step; compact-*.parquet, merged ones; _latest names the newest
                    epochs/            the same: one row a trial-epoch
                    checkpoints/       trials in progress, and the claims of those who run them

A trial's epochs are written before its row, so a row that exists is complete, and its claim goes last, so whoever gets
it finds the row. Whether a trial is finished is asked by its own name; listings serve to read many, and one that lags
behind at worst has a trial asked for by its name in vain.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from study.store.arrow import Row
from study.store.claims import Claims
from study.store.compaction import compact
from study.store.files import Files, one_line, whole
from study.store.rows import Cache, RowFiles
from study.store.schema import EPOCHS, SCHEMA_VERSION, TRIALS
from trainables.errors import StoreError
from trainables.reading import Unreadable, decoded, from_json, from_yaml
from trainables.secrets import refuse_credentials

MOST_TRIALS = 50_000
"""A merged file of so many trials is full; it has less than twice as many."""
MOST_EPOCHS = 250_000


class Store:
    """The results of one study under ``uri``: a local path, or a URI such as ``s3://bucket/prefix``."""

    def __init__(self, uri: str | Path, study: str) -> None:
        self.uri, self.study = str(uri), study
        self._rearranging = threading.Lock()
        refuse_credentials(self.uri)

    def __reduce__(self) -> tuple[type[Store], tuple[str, str]]:
        # The whole path: workers of a cluster have another working folder. Never the file system object: it may hold
        # credentials.
        return Store, (whole(self.uri), self.study)

    @cached_property
    def files(self) -> Files:
        return Files(self.uri, self.study)

    @cached_property
    def trials(self) -> RowFiles:
        return RowFiles(self.files, "trials", TRIALS, ["trial_id"], newest="finished_at")

    @cached_property
    def epochs(self) -> RowFiles:
        return RowFiles(self.files, "epochs", EPOCHS, ["trial_id", "epoch"])

    @cached_property
    def claims(self) -> Claims:
        return Claims(self.files)

    @property
    def path(self) -> str:
        """Where the study lies, as the user would write it; a URI's options (``?region=...``) stay at its end."""
        place, question, options = self.uri.partition("?")
        return f"{place.rstrip('/')}/{self.study}{question}{options}"

    # the study ---------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folders and prove they can be written. Raises StoreError."""
        probe = f"checkpoints/.probe-{uuid.uuid4().hex}"
        try:
            self.files.create_folders(("trials", "epochs", "checkpoints"))
            self.files.write(probe, b"")
            self.files.delete(probe)
        except (OSError, StoreError) as error:
            raise StoreError(
                f"the result store must be writable, but {self.path} is not ({one_line(error)}); give another one with "
                "--store"
            ) from None

    def read_text(self, name: str) -> str | None:
        """A small file of the study (study.yaml, environment.json), or None if there is none yet. Raises StoreError."""
        content = self.files.read(name)
        try:
            return None if content is None else decoded(content)
        except Unreadable as error:
            raise self._damaged(name, error) from None

    def read_keys(self, name: str) -> dict[str, Any] | None:
        """What such a file says. Raises StoreError."""
        text = self.read_text(name)
        if text is None:
            return None
        try:
            keys = from_yaml(text) if name.endswith(".yaml") else from_json(text)
        except Unreadable as error:
            raise self._damaged(name, error) from None
        if not isinstance(keys, dict):
            raise self._damaged(name, "it is empty" if not text.strip("\0\n ") else "it holds no keys")
        return keys

    def _damaged(self, name: str, reason: object) -> StoreError:
        return StoreError(
            f"a study's {name} must be whole, but that in {self.path} is not: {reason}; delete it and run the study "
            "again, which writes it anew"
        )

    def write_text(self, name: str, text: str) -> None:
        self.files.write(name, text.encode())

    # finished trials ---------------------------------------------------------------------------------------------

    def finished(self, columns: Collection[str] = ("status",), cache: Cache | None = None) -> dict[str, Row]:
        """Trial id -> the named columns of its row, for every finished trial; times are seconds since the epoch.

        ``cache``, for the same columns, remembers between calls what was read of each file.
        """
        wanted = list(dict.fromkeys(["trial_id", *(name for name in columns if name != "finished_at")]))
        timed = "finished_at" in columns
        found: dict[str, Row] = {}
        newest: dict[str, int] = {}
        for table in self.trials.tables([*wanted, "finished_at"], cache):
            times = table["finished_at"].cast(TRIALS.field("finished_at").type).cast(pa.int64()).to_pylist()
            for row, finished_at in zip(table.select(wanted).to_pylist(), times, strict=True):
                if (finished_at or 0) > newest.get(row["trial_id"], -1):
                    found[row["trial_id"]], newest[row["trial_id"]] = row, finished_at or 0
                    if timed:
                        row["finished_at"] = None if finished_at is None else finished_at / 1e6
        return found

    def check_names(self, finished: Collection[str]) -> None:
        """Raises StoreError where a file is named after a trial that is not ``finished``, and holds another's row.

        Also where what has the name of a checkpoint or a claim is no file.
        """
        self.in_progress()
        for info in self.trials.listing():
            name = info.base_name.removesuffix(".parquet")
            if re.fullmatch("[0-9a-f]{16}", name) and name not in finished:
                self.find(name)

    def find(self, trial_id: str) -> Row | None:
        """The row of one trial; None while it is not finished."""
        return next(iter(self.trials.find(trial_id)), None)

    def find_epochs(self, trial_id: str) -> list[Row]:
        """The epochs of one finished trial, in order."""
        return sorted(self.epochs.find(trial_id), key=lambda row: int(row["epoch"]))

    def write(self, finished: Sequence[tuple[Row, list[Row]]]) -> None:
        """Store finished trials together: all their epochs, then their rows, then drop their checkpoints and claims."""
        found = {trial["trial_id"]: (trial, epochs) for trial, epochs in finished}
        self.epochs.write({i: [{"trial_id": i, **epoch} for epoch in epochs] for i, (_, epochs) in found.items()})
        self.trials.write({i: [{"schema_version": SCHEMA_VERSION, **trial}] for i, (trial, _) in found.items()})
        list(self.files.map(self.delete_checkpoint, found))
        self.release(*found)

    def rewrite(self, transform: Callable[[str, list[Row]], list[Row]]) -> None:
        """Replace every file of ``trials`` and ``epochs`` by ``transform(kind, rows)``, some thousand at a time."""
        with self._rearranging:
            self.epochs.rewrite(lambda rows: transform("epochs", rows))
            self.trials.rewrite(lambda rows: transform("trials", rows))

    def remove(self, trial_ids: Iterable[str]) -> None:
        """Forget trials (to run failed ones again): their row and epochs leave the store."""
        gone = set(trial_ids)
        with self._rearranging:
            self.trials.remove(gone)
            self.epochs.remove(gone)

    def compact(self) -> None:
        """Merge the files of finished trials where they are many and small; what is read stays the same.

        To be called now and then while a study runs, by any number of runs at once.
        """
        with self._rearranging:
            compact(self.epochs, MOST_EPOCHS)
            compact(self.trials, MOST_TRIALS)

    # trials in progress ------------------------------------------------------------------------------------------

    def in_progress(self) -> list[pafs.FileInfo]:
        """The checkpoints (``.pt``) and claims (``.claim``) of trials that have begun."""
        return self.files.listing("checkpoints")

    def checkpoints(self) -> list[str]:
        """Ids of trials that have a checkpoint."""
        return [i.base_name.removesuffix(".pt") for i in self.in_progress() if i.base_name.endswith(".pt")]

    def read_checkpoint(self, trial_id: str) -> bytes | None:
        return self.files.read(f"checkpoints/{trial_id}.pt")

    def write_checkpoint(self, trial_id: str, content: bytes) -> None:
        self.files.write(f"checkpoints/{trial_id}.pt", content)

    def delete_checkpoint(self, trial_id: str) -> None:
        self.files.delete(f"checkpoints/{trial_id}.pt")

    def claim(self, trial_id: str, run_id: str) -> int | None:
        """Take a trial on: how often workers of this run have begun it; None while another worker runs it."""
        return self.claims.take(trial_id, run_id)

    def holds(self, trial_id: str) -> bool:
        """Whether a claimed trial is still this worker's. Costs nothing."""
        return self.claims.holds(trial_id)

    def release(self, *trial_ids: str) -> None:
        """Hand claimed trials back; whoever comes next goes on from their checkpoints."""
        self.claims.release(*trial_ids)
