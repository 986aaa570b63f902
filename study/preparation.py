"""Everything that can be found wrong before the first trial starts, found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from study.config import Study
from study.environment import check_unchanged
from study.plan import Fingerprints, Plan, plan
from study.store.store import Store
from trainables import datasets
from trainables.benchmarks.signal import signal_fingerprints
from trainables.datasets import BatchStream, split
from trainables.errors import ConfigError, shown
from trainables.later import torch
from trainables.methods import method_named
from trainables.reading import Unreadable, whole_path
from trainables.spec import Retrain, Scale, TrialSpec
from trainables.trial import Surroundings


@dataclass(frozen=True)
class Prepared:
    """A study that can run."""

    study: Study
    plan: Plan
    store: Store
    surroundings: Surroundings
    fingerprints: Fingerprints
    unread: tuple[str, ...] | None
    """what lies beside the study's images and is not read, in phrases; None if it needs no images"""


def prepare(
    study: Study, store: str, *, data: Path | None = None, benchmark: Path | None = None, address: str | None = None
) -> Prepared:
    """Plan the study and check that its data, table, device and store are usable. Raises NasStudyError."""
    if study.resources.gpu and address is None and not torch.cuda.is_available():
        raise ConfigError(
            f"a trial asks for gpu: {study.resources.gpu}, but torch sees no GPU on this machine; set resources.gpu "
            "to 0 (--set resources.gpu=0), or name a cluster that has GPUs with --address"
        )
    if study.precision != "float32" and not study.resources.gpu:
        raise ConfigError(
            f"`precision: {study.precision}` is of GPUs, but the study runs on the CPU; set resources.gpu, or leave "
            "precision out"
        )
    surroundings = Surroundings(
        _anywhere("--data", data), _anywhere("--benchmark", benchmark), "cuda" if study.resources.gpu else "cpu"
    )
    signals = signal_fingerprints(surroundings.table(), study.dataset.name)
    found = plan(study, Fingerprints("unread", signals))  # wrong names before slow reading
    images = datasets.examine(study.dataset, surroundings.data) if found.needs_images() else None
    fingerprints = Fingerprints(images.fingerprint if images else None, signals)
    found = plan(study, fingerprints)
    if study.resources.gpu and address is None and found.needs_images():
        from trainables.spaces.nas_bench_201.fused import kernels

        kernels()
    if found.needs_images():
        _check_batches(found, surroundings)
    results = Store(store, study.name)
    check_unchanged(results, study, fingerprints)
    return Prepared(study, found, results, surroundings, fingerprints, images.unread if images else None)


def _anywhere(option: str, path: Path | None) -> Path | None:
    """The path as workers in other folders understand it."""
    try:
        return path and whole_path(path)
    except Unreadable as error:
        raise ConfigError(f"{option} must name a file or a folder, but {shown(str(path))} does not: {error}") from None


def _check_batches(found: Plan, surroundings: Surroundings) -> None:
    """Read the images once and draw from them what every kind of trial will draw: a batch of each size."""
    specs = found.trials + [spec for part in found.adaptive for spec in part.trials]
    kinds: dict[tuple[str | None, Scale | None, Retrain | None], TrialSpec] = {}
    for spec in specs:
        protocol = method_named(spec.method).protocol(method_named(spec.method).Config(**spec.hyperparameters))
        kinds.setdefault((protocol, spec.scale, spec.retrain), spec)
    cpu = Surroundings(surroundings.data, surroundings.benchmark)
    for (protocol, *_), spec in kinds.items():
        if spec.dataset_fingerprint is None:
            continue
        images, generator = cpu.images(spec.dataset), torch.Generator()
        if spec.scale is not None:
            halves = split(str(protocol), images)
            BatchStream(halves.weight_images, halves.weight_labels, spec.scale.batch_size, generator)
            BatchStream(halves.arch_images, halves.arch_labels, spec.scale.batch_size, generator)
        if spec.retrain is not None:
            BatchStream(images.train_images, images.train_labels, spec.retrain.batch_size, generator)
