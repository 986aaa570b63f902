"""Official benchmark files in miniature: the real structure, written through the nas-bench-201 package, a few cells.

The numbers are made up; what is real is everything a reader can stumble over: training seeds that are missing in any
pattern, a second, shorter training with other seeds, test accuracies of the training that must not report any, and
evaluations that are known at the last epoch only.
"""

from __future__ import annotations

import bz2
import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from nas_201_api import ArchResults, ResultsCount

SEEDS = (777, 888, 999)
TRAININGS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test"),
    "ImageNet16-120": ("x-valid", "x-test"),
}
"""Official training -> its evaluation sets."""
SHORT_SEEDS = {"cifar10-valid": (111, 777), "cifar10": (777,), "cifar100": (777,), "ImageNet16-120": (777,)}
"""Official training -> the seeds of its 12-epoch trainings."""
SECONDS_PER_EPOCH = 7.5


@dataclass(frozen=True)
class Miniature:
    """A benchmark of a few cells, and what a reader must find in it."""

    content: dict[str, Any]
    """What an official single file holds."""
    accuracies: dict[tuple[str, str], npt.NDArray[np.float64]]
    """(training, evaluation set) -> percent after 200 epochs, float64 [cells, 3 seeds]; NaN where not trained."""
    short_accuracies: dict[tuple[str, str], npt.NDArray[np.float64]]
    """(training, validation set) -> percent after 12 epochs, float64 [cells, 1 or 2 seeds]."""

    def write_pth(self, folder: Path) -> Path:
        """As ``NAS-Bench-201-v1_1-<digits>.pth``, in the format of the PyTorch of its time."""
        file = folder / "miniature.pth"
        torch.save(self.content, file, _use_new_zipfile_serialization=False)
        return _name_by_digest(file, "NAS-Bench-201-v1_1", ".pth", digits=6)

    def write_pickle(self, folder: Path) -> Path:
        """As ``NATS-tss-v1_0-<digits>.pickle.pbz2``."""
        file = folder / "miniature.pickle.pbz2"
        infos = {index: _nats(cell) for index, cell in self.content["arch2infos"].items()}
        _dump({**self.content, "arch2infos": infos}, file)
        return _name_by_digest(file, "NATS-tss-v1_0", ".pickle.pbz2", digits=5)

    def write_folder(self, parent: Path) -> Path:
        """As ``NATS-tss-v1_0-3ffb9-simple/``."""
        folder = parent / "NATS-tss-v1_0-3ffb9-simple"
        folder.mkdir()
        _dump({**self.content, "arch2infos": None, "evaluated_indexes": set()}, folder / "meta.pickle.pbz2")
        for index, cell in self.content["arch2infos"].items():
            _dump(_nats(cell), folder / f"{index:06d}.pickle.pbz2")
        return folder


def build_miniature(architectures: Sequence[str], generator: np.random.Generator) -> Miniature:
    """A benchmark of these architecture strings, official index = position; the first cell has all three seeds."""
    accuracies = {
        (training, evaluation): np.full((len(architectures), len(SEEDS)), np.nan)
        for training, evaluations in TRAININGS.items()
        for evaluation in evaluations
    }
    short_accuracies = {
        (training, "x-valid"): generator.uniform(5.0, 60.0, (len(architectures), len(seeds)))
        for training, seeds in SHORT_SEEDS.items()
        if "x-valid" in TRAININGS[training]
    }
    infos = {}
    for index, architecture in enumerate(architectures):
        trained = generator.random(len(SEEDS)) < 0.6
        trained[generator.integers(len(SEEDS))] = True
        trained |= index == 0
        full, less = ArchResults(index, architecture), ArchResults(index, architecture)
        for training, evaluations in TRAININGS.items():
            for place in np.flatnonzero(trained):
                final = dict(zip(evaluations, generator.uniform(5.0, 95.0, len(evaluations)).tolist(), strict=True))
                full.update(training, SEEDS[place], _trial(architecture, training, SEEDS[place], 200, final))
                for evaluation, accuracy in final.items():
                    accuracies[training, evaluation][index, place] = accuracy
            for place, seed in enumerate(SHORT_SEEDS[training]):
                final = dict.fromkeys(evaluations, 1.0)
                if "x-valid" in evaluations:
                    final["x-valid"] = float(short_accuracies[training, "x-valid"][index, place])
                less.update(training, seed, _trial(architecture, training, seed, 12, final))
        infos[index] = {"full": full.state_dict(), "less": less.state_dict()}
    content = {
        "meta_archs": list(architectures),
        "total_archs": len(architectures),
        "arch2infos": infos,
        "evaluated_indexes": list(range(len(architectures))),
    }
    return Miniature(content, accuracies, short_accuracies)


def _trial(architecture: str, training: str, seed: int, epochs: int, final: dict[str, float]) -> ResultsCount:
    """One training. Its first evaluation set has every epoch, rising to the final accuracy; a second, the last only."""
    curve = np.linspace(0.5, 1.0, epochs).tolist()
    accuracies = {epoch: 90.0 * share for epoch, share in enumerate(curve)}
    losses = {epoch: 2.0 - share for epoch, share in enumerate(curve)}
    config = {"channel": 16, "num_cells": 5, "arch_str": architecture, "class_num": 10}
    trial = ResultsCount(training, None, accuracies, losses, 0.3, 40.0, config, seed, epochs, [0.02])
    trial.update_train_info(accuracies, None, losses, dict.fromkeys(range(epochs), SECONDS_PER_EPOCH))
    for place, (evaluation, accuracy) in enumerate(final.items()):
        shown = range(epochs) if place == 0 else [epochs - 1]
        trial.update_OLD_eval(evaluation, {e: accuracy * curve[e] for e in shown}, {e: losses[e] for e in shown})
        trial.reset_pseudo_eval_times(evaluation, 0.5)
    return trial


def _nats(cell: dict[str, Any]) -> dict[str, Any]:
    return {"12": cell["less"], "200": cell["full"]}


def _dump(content: Any, file: Path) -> None:
    with bz2.open(file, "wb") as stream:
        pickle.dump(content, stream, protocol=4)


def _name_by_digest(file: Path, base: str, suffix: str, digits: int) -> Path:
    """Renamed as the authors do: the last digits of the MD5 end the name."""
    digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    return file.rename(file.with_name(f"{base}-{digest[-digits:]}{suffix}"))
