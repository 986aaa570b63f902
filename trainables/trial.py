"""One trial: a search, then (if asked for) training the derived cell from scratch. No Ray, no files.

``advance()`` runs one epoch. Everything a resume needs is in ``state_dict()``, which loads without executing code.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trainables import datasets
from trainables.benchmarks.signal import NO_SIGNAL, read_signal
from trainables.benchmarks.table import BenchmarkTable, open_table
from trainables.datasets import ImageData
from trainables.hyperparameters import MethodConfig
from trainables.later import torch
from trainables.methods import SearchMethod, config_of, method_named
from trainables.methods.recording import CudaGraphs
from trainables.methods.search_method import ImageContext, SearchContext, TableContext
from trainables.peak_memory import PeakMemory
from trainables.records import Row
from trainables.retraining import Retraining
from trainables.spaces import space_named
from trainables.spaces.space import Architecture
from trainables.spec import DatasetSpec, TrialSpec
from trainables.streams import Streams
from trainables.training_free import TrainingFree

_BEGINNING = threading.Lock()
"""Trials begin one after another, wherever they run: the first reads the images, the others find them."""


@dataclass(frozen=True)
class Surroundings:
    """Where a trial finds what it needs. Nothing here may change its result."""

    data: Path | None = None
    benchmark: Path | None = None
    device: str = "cpu"

    def images(self, dataset: DatasetSpec) -> ImageData:
        """The study's images on the device, read once per worker. Raises DataError."""
        return _images(dataset, self.data, self.device)

    def table(self) -> BenchmarkTable:
        """The benchmark table, opened once per worker. Raises BenchmarkError."""
        return _table(self.benchmark)


@lru_cache(maxsize=2)
def _images(dataset: DatasetSpec, data: Path | None, device: str) -> ImageData:
    if device == "cpu":
        return datasets.load(dataset, data)
    return _images(dataset, data, "cpu").to(torch.device(device))  # planning has read them already


@lru_cache(maxsize=1)
def _table(benchmark: Path | None) -> BenchmarkTable:
    return open_table(benchmark)


@dataclass
class Trial:
    """One trial in progress. ``epochs`` are its rows so far, without the looked-up columns."""

    spec: TrialSpec
    surroundings: Surroundings
    epochs: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        device = torch.device(self.surroundings.device)
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        with _BEGINNING, self._on_stream():
            self._begin(device)

    def _begin(self, device: torch.device) -> None:
        from trainables.compiler import leave_out_compiler  # imports torch

        leave_out_compiler()
        spec = self.spec
        if device.type == "cpu":
            torch.set_num_threads(1)  # results must not depend on how many cores a trial got; trials run in parallel
        else:
            torch.backends.cudnn.deterministic = True
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = spec.precision == "tf32"
        method, config = method_named(spec.method), config_of(spec)
        self.streams, self.space = Streams(spec.seed), space_named(spec.space)
        self.search = method(config, self._context(method, config, device))
        self.retraining: Retraining | None = None
        self.genotype: Architecture | None = None
        self.search_wall_s = self.retrain_wall_s = 0.0
        self.retrain_test_accuracy: float | None = None
        self.proxies: dict[str, float] = {}
        self.finished = False
        self._memory = PeakMemory(device)
        self._peak_memory_mib = 0.0

    def _context(self, method: type[SearchMethod[Any]], config: MethodConfig, device: torch.device) -> SearchContext:
        """What the method needs to search."""
        spec, needs = self.spec, method.needs(config)
        if needs == "images":
            assert spec.scale is not None, "a search on images has a scale"
            images = self.surroundings.images(spec.dataset)
            recorder = CudaGraphs(device) if device.type == "cuda" else None
            return ImageContext(self.streams, device, self.space, spec.scale, images, spec.hessian_every, recorder)
        signal = NO_SIGNAL
        if needs == "table":
            signal = read_signal(self.surroundings.table(), spec.dataset.name, method.signal_epochs(config))
        return TableContext(self.streams, device, self.space, signal)

    @property
    def epochs_in_all(self) -> int | None:
        """Of search and retraining; None for as long as the search cannot tell."""
        searched = len(self.epochs) if self.genotype else self.search.total_epochs
        return None if searched is None else searched + (self.spec.retrain.epochs if self.spec.retrain else 0)

    @property
    def epochs_done(self) -> int:
        return len(self.epochs) + (self.retraining.epochs_done if self.retraining else 0)

    @contextmanager
    def _on_stream(self) -> Iterator[None]:
        """What the block does on a GPU it does on a stream of the trial's own, beside other trials; then it is done."""
        if self.stream is None:
            yield
            return
        with torch.cuda.stream(self.stream):
            yield
        self.stream.synchronize()

    def advance(self) -> None:
        """Run one epoch of the search or of the retraining. Raises Diverged, and whatever else goes wrong."""
        with self._on_stream():
            self._advance()

    def _advance(self) -> None:
        started = time.perf_counter()
        if self.retraining is not None:
            self.retraining.epoch()
            self._end_of_retraining_epoch()
            self.retrain_wall_s += time.perf_counter() - started
            return
        metrics = self.search.epoch()
        cell = self.search.current()
        wall_s = time.perf_counter() - started
        self.search_wall_s += wall_s
        self.epochs.append(
            {
                "epoch": len(self.epochs) + 1,
                **metrics,
                **{f"{name}_share": share for name, share in self.space.shares(cell).items()},
                "genotype": str(cell),
                "wall_s": wall_s,
            }
        )
        if len(self.epochs) == self.search.total_epochs:
            self.genotype = self.search.derive()
            self.proxies = self._scores(self.genotype)
            self._begin_retraining()

    def _scores(self, cell: Architecture) -> dict[str, float]:
        """The training-free scores the study asks for, of methods that search on images."""
        if not self.spec.proxies or self.spec.scale is None:
            return {}
        images = self.surroundings.images(self.spec.dataset)
        scorer = TrainingFree(
            self.space, images, images.train_images, images.train_labels, self.spec.scale, self.streams, "proxies"
        )
        return scorer.scores(cell, self.spec.proxies)

    def _begin_retraining(self) -> None:
        assert self.genotype is not None
        if self.spec.retrain is None:
            self.finished = True
        else:
            images = self.surroundings.images(self.spec.dataset)
            self.retraining = Retraining(self.space, self.genotype, self.spec.retrain, images, self.streams)

    def _end_of_retraining_epoch(self) -> None:
        assert self.retraining is not None and self.spec.retrain is not None
        if self.retraining.epochs_done == self.spec.retrain.epochs:
            self.retrain_test_accuracy = self.retraining.test_accuracy()
            self.finished = True

    def record(self) -> Row:
        """What came out: the columns of a trial row that the search itself determines, and how it ran."""
        return {
            "genotype": None if self.genotype is None else str(self.genotype),
            "supernet_valid_accuracy": self.epochs[-1].get("valid_accuracy") if self.epochs else None,
            "simulated_s": self.epochs[-1].get("simulated_s") if self.epochs else None,
            "retrain_test_accuracy": self.retrain_test_accuracy,
            **{f"proxy_{name}": score for name, score in self.proxies.items()},
            "search_wall_s": self.search_wall_s,
            "retrain_wall_s": self.retrain_wall_s if self.spec.retrain else None,
            "peak_memory_mib": max(self._peak_memory_mib, self._memory.mib()),
            "device": device_name(self.surroundings.device),
            "host": platform.node(),
            "code_version": code_version(),
        }

    def state_dict(self) -> Row:
        with self._on_stream():
            return self._state()

    def _state(self) -> Row:
        return {
            "trial_id": self.spec.id,
            "epochs": self.epochs,
            "streams": self.streams.state_dict(),
            "search": self.search.state_dict() if self.genotype is None else None,
            "genotype": None if self.genotype is None else str(self.genotype),
            "retraining": None if self.retraining is None else self.retraining.state_dict(),
            "retrain_test_accuracy": self.retrain_test_accuracy,
            "proxies": self.proxies,
            "wall_s": (self.search_wall_s, self.retrain_wall_s),
            "peak_memory_mib": max(self._peak_memory_mib, self._memory.mib()),
        }

    def load_state_dict(self, state: Row) -> None:
        """Go on where ``state`` was taken. Raises ValueError if it belongs to another trial."""
        if state["trial_id"] != self.spec.id:
            raise ValueError(f"the checkpoint of trial {state['trial_id']} does not fit trial {self.spec.id}")
        with self._on_stream():
            self._load(state)

    def _load(self, state: Row) -> None:
        self.epochs = state["epochs"]
        self.search_wall_s, self.retrain_wall_s = state["wall_s"]
        self._peak_memory_mib = state["peak_memory_mib"]
        if state["search"] is not None:
            self.streams.load_state_dict(state["streams"])
            self.search.load_state_dict(state["search"])
            return
        self.genotype = self.space.parse(state["genotype"])
        self.retrain_test_accuracy, self.proxies = state["retrain_test_accuracy"], state["proxies"]
        self._begin_retraining()
        self.streams.load_state_dict(state["streams"])
        if self.retraining is not None and self.spec.retrain is not None:
            self.retraining.load_state_dict(state["retraining"])
            self.finished = self.retraining.epochs_done == self.spec.retrain.epochs


@lru_cache
def code_version() -> str:
    """The version of this package."""
    return version("nas-robustness-study")


def device_name(device: str) -> str:
    """A name a reader understands."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine() + " cpu"
