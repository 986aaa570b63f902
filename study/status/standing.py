"""How far a study is, from its store alone: no process needs to be asked, and any host that reaches the store can."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from study.environment import recorded
from study.loading import parse
from study.plan import Fingerprints, plan
from study.status.pace import Pace
from study.store.arrow import Row
from study.store.claims import SILENT_S, SUFFIX
from study.store.rows import Cache
from study.store.store import Store
from trainables.benchmarks.signal import signal_fingerprints
from trainables.benchmarks.table import open_table
from trainables.errors import ConfigError, StoreError


@dataclass(frozen=True)
class Standing:
    """The trials of a method, or of all; ``running`` have a claim of the last half minute, ``begun`` only a checkpoint.

    ``per_hour`` and ``rest_s`` (seconds; those of the methods add up) are None where nothing runs to go by.
    """

    method: str
    planned: int
    ok: int
    diverged: int
    failed: int
    stopped: int
    running: int
    begun: int
    left: int
    per_hour: float | None
    rest_s: float | None


class Observer:
    """Looks at a study again and again, reading only what is new in its store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._cache: Cache = {}
        self._texts: tuple[str | None, str | None] = (None, None)
        self._method_of: dict[str, str] = {}
        self._adaptive: Counter[str] = Counter()

    def look(self) -> list[Standing]:
        """One standing a method, and at the end that of all."""
        self._read_plan()
        rows = self.store.finished(("method", "status", "finished_at", "search_wall_s", "retrain_wall_s"), self._cache)
        running, begun = self._in_progress(rows)
        now = time.time()
        pace = Pace(rows.values(), self.store.files.modified_at("environment.json"), now)
        planned = Counter(self._method_of.values()) + self._adaptive
        done = Counter((row["method"], row["status"]) for row in rows.values())
        unplanned = Counter(row["method"] for trial_id, row in rows.items() if trial_id not in self._method_of)
        left = Counter(method for trial_id, method in self._method_of.items() if trial_id not in rows)
        left += self._adaptive - unplanned
        goes_on = bool(running) or pace.finished_at > now - SILENT_S
        found = [
            Standing(
                method=method,
                planned=planned[method],
                ok=done[method, "ok"],
                diverged=done[method, "diverged"],
                failed=done[method, "failed"],
                stopped=done[method, "stopped"],
                running=sum(self._method_of.get(trial_id) == method for trial_id in running),
                begun=sum(self._method_of.get(trial_id) == method for trial_id in begun),
                left=left[method],
                per_hour=pace.per_hour(method) if goes_on else None,
                rest_s=pace.rest_s(method, left[method]) if goes_on else None,
            )
            for method in dict.fromkeys([*planned, *(method for method, _ in done)])
        ]
        return [*found, _total(found, len(running), len(begun))]

    def _read_plan(self) -> None:
        """The study's trials; made anew where another run has changed the study."""
        texts = self.store.read_text("study.yaml"), self.store.read_text("environment.json")
        if texts == self._texts:
            return
        if texts[0] is None:
            raise StoreError(f"a study is described by its study.yaml, but {self.store.path} has none; run the study")
        environment = recorded(self.store)
        try:
            study = parse(self.store.read_keys("study.yaml") or {})
        except ConfigError as error:
            raise StoreError(
                f"a study's study.yaml must be as a run wrote it, but {self.store.path}: {error}"
            ) from None
        signals = environment.signal_fingerprints  # stores of schema 1 may lack them
        signals = signals or signal_fingerprints(open_table(), study.dataset.name)
        found = plan(study, Fingerprints(environment.dataset_fingerprint, signals))
        self._method_of = {spec.id: spec.method for spec in found.trials}
        self._adaptive = Counter()
        for part in found.adaptive:
            self._adaptive[part.method] += len(part.trials) * (study.search.samples if study.search else 1)
        self._texts = texts

    def _in_progress(self, finished: dict[str, Row]) -> tuple[set[str], set[str]]:
        """Ids of trials that run, and of those that only have a checkpoint."""
        latest = {SUFFIX: set[str](), ".pt": set[str]()}
        oldest = time.time() - SILENT_S
        for info in self.store.in_progress():
            trial_id, dot, kind = info.base_name.rpartition(".")
            kind = dot + kind
            if kind in latest and trial_id not in finished and (kind == ".pt" or info.mtime_ns / 1e9 >= oldest):
                latest[kind].add(trial_id)
        return latest[SUFFIX], latest[".pt"] - latest[SUFFIX]


def _total(found: list[Standing], running: int, begun: int) -> Standing:
    """Of all methods; among the running are trials whose hyperparameters Optuna chose, which the plan does not know."""
    pace = [standing.per_hour for standing in found if standing.per_hour is not None]
    rest = [standing.rest_s for standing in found if standing.rest_s is not None]
    return Standing(
        method="all",
        planned=sum(standing.planned for standing in found),
        ok=sum(standing.ok for standing in found),
        diverged=sum(standing.diverged for standing in found),
        failed=sum(standing.failed for standing in found),
        stopped=sum(standing.stopped for standing in found),
        running=running,
        begun=begun,
        left=sum(standing.left for standing in found),
        per_hour=sum(pace) if pace else None,
        rest_s=sum(rest) if rest and len(rest) == len(found) else None,
    )
