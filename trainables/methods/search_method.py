"""The protocol every search method implements, differentiable or not.

A method is constructed from its config and a context, then ``epoch()`` is called ``total_epochs`` times and
``derive()`` returns the architecture. It knows neither Ray nor files; ``state_dict()`` is everything a resume needs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, TypeVar

from trainables.benchmarks.signal import Signal
from trainables.datasets import ImageData
from trainables.hyperparameters import MethodConfig
from trainables.later import torch
from trainables.methods.checked import Checked
from trainables.methods.recording import Recorder
from trainables.spaces.space import Architecture, Space
from trainables.spec import Scale
from trainables.streams import Streams

Metrics = dict[str, float]
Needs = Literal["images", "table", "nothing"]
ConfigT = TypeVar("ConfigT", bound=MethodConfig)


class Diverged(ArithmeticError):
    """A loss or an architecture parameter stopped being finite. The trial's status becomes ``diverged``."""


def require_finite(**values: float) -> None:
    """Raise Diverged naming the first value that is not finite."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise Diverged(f"{name.replace('_', ' ')} became {value}")


@dataclass(frozen=True)
class SearchContext:
    """What a trial gives its method, whatever that is."""

    streams: Streams
    device: torch.device
    space: Space[Any]


@dataclass(frozen=True)
class ImageContext(SearchContext):
    """What a trial gives a method that trains on images.

    Every ``hessian_every`` epochs it records the largest eigenvalue of the architecture's Hessian; never where that is
    None. ``recorder`` replays steps, where the device can.
    """

    scale: Scale
    images: ImageData
    hessian_every: int | None = None
    recorder: Recorder | None = None


@dataclass(frozen=True)
class TableContext(SearchContext):
    """What a trial gives a searcher of the table: what it sees of the cells, on the study's data set."""

    signal: Signal


def scales(**by_space: Scale) -> Mapping[str, Scale]:
    """The scale of the search that is published on each of these spaces."""
    return MappingProxyType(by_space)


class SearchMethod(ABC, Generic[ConfigT]):
    """One run of one search method."""

    Config: ClassVar[type[MethodConfig]]
    version: ClassVar[int] = 1
    """Raised when the meaning of the method changes: results of another version are never reused."""
    checked: ClassVar[Checked | None]
    """How the method was held against released code; None where nothing was released. Every method says its own."""
    paper: ClassVar[str]
    """Authors, title, venue, arXiv number."""
    published: ClassVar[Mapping[str, Scale]] = scales()
    """By space; fields of its scale that a study leaves out are filled from here."""

    def __init__(self, config: ConfigT, context: SearchContext) -> None:
        self.config, self.context, self.space = config, context, context.space

    @classmethod
    @abstractmethod
    def needs(cls, config: Any) -> Needs:
        """What the search reads: images to train on, the benchmark's validation signal, or neither."""

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        """The names of the spaces it can search at this config; None where it reads rows alone, so any."""
        return None

    @classmethod
    def signal_epochs(cls, config: Any) -> int:
        """Of methods that need the table: after how many epochs of training they read a cell's accuracy, 200 or 12."""
        return 200

    @classmethod
    def protocol(cls, config: Any) -> str | None:
        """The data protocol (P1, P2, P3) at this config; None for methods that train nothing."""
        return None

    @classmethod
    def check_scale(cls, config: Any, scale: Scale) -> None:
        """Refuse a scale at which this config cannot run. Raises ConfigError."""

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        """Time of an epoch relative to first-order DARTS at the same scale; for cost estimates only.

        Of a searcher of the table: relative to a query of random search (speed/method_cost.py measures both).
        """
        return 1.0

    @classmethod
    @abstractmethod
    def planned_epochs(cls, config: Any, scale: Scale | None, space: Space[Any]) -> int | None:
        """How many epochs a search has, at the scale of those that have one; None where only its course can tell."""

    @property
    @abstractmethod
    def total_epochs(self) -> int | None:
        """How many times ``epoch`` is to be called in all; None for as long as that is open."""

    @abstractmethod
    def epoch(self) -> Metrics:
        """Run one epoch (a table searcher: one query) and return its metrics. Raises Diverged."""

    @abstractmethod
    def current(self) -> Architecture:
        """The architecture that the search stands for now; ``derive`` may return an earlier one."""

    def derive(self) -> Architecture:
        """The architecture the search returns."""
        return self.current()

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs, as tensors and plain Python values (loadable without executing code)."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned, on an object constructed from the same config and seed."""
