"""How far the studies of a store are, from the store alone: no process needs to be asked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.fs as pafs
import yaml

from study.config import parse
from study.plan import Fingerprints, plan
from study.schema import STATUSES
from study.store import Store
from trainables.benchmarks.signal import signal_fingerprints
from trainables.benchmarks.table import open_table
from trainables.errors import StoreError

HEADINGS = ("method", "planned", *STATUSES, "begun", "left")
"""``begun``: trials of those left that have a checkpoint."""


def studies(store: str, name: str | None = None) -> list[Store]:
    """The studies in a store (or the one whose folder ``store`` is). Raises StoreError if there is none."""
    if "://" in store:
        filesystem, root = pafs.FileSystem.from_uri(store)
    else:
        filesystem, root = pafs.LocalFileSystem(), str(Path(store).expanduser().resolve())
    if filesystem.get_file_info(f"{root}/study.yaml").is_file:
        place, question, options = store.partition("?")
        parent, _, own = place.rstrip("/").rpartition("/")
        return [Store((parent or ".") + question + options, own)]
    folders = filesystem.get_file_info(pafs.FileSelector(root, allow_not_found=True))
    names = [f.base_name for f in folders if filesystem.get_file_info(f"{f.path}/study.yaml").is_file]
    chosen = sorted(n for n in names if name in (None, n))
    if not chosen:
        wanted = f"a study {name!r}" if name else "a study"
        raise StoreError(f"a result store must hold {wanted}, but {store} holds {', '.join(sorted(names)) or 'none'}")
    return [Store(store, n) for n in chosen]


def standing(results: Store) -> list[tuple[str | int, ...]]:
    """One row a method of a study, under HEADINGS."""
    study = parse(yaml.safe_load(results.read_text("study.yaml") or ""))
    environment = json.loads(results.read_text("environment.json") or "{}")
    signals = {int(epochs): known for epochs, known in environment.get("signal_fingerprints", {}).items()}
    signals = signals or signal_fingerprints(open_table(), study.dataset.name)  # stores of schema 1 may lack them
    found = plan(study, Fingerprints(environment.get("dataset_fingerprint"), signals))
    planned = Counter(spec.method for spec in found.trials)
    for part in found.adaptive:
        planned[part.method] += len(part.trials) * (study.search.samples if study.search else 1)
    done = Counter((row["method"], row["status"]) for row in results.finished(("method", "status")).values())
    method_of = {spec.id: spec.method for spec in found.trials}
    begun = Counter(method_of.get(trial_id, "?") for trial_id in results.checkpoints())
    rows: list[tuple[str | int, ...]] = []
    for method in dict.fromkeys([*planned, *(m for m, _ in done)]):
        counts = [done[method, status] for status in STATUSES]
        rows.append((method, planned[method], *counts, begun[method], max(0, planned[method] - sum(counts))))
    return rows
