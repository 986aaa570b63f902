"""A search space as a value: what may be chosen, the networks that come of it, and how an architecture is written.

An architecture is a choice among the candidates of every row: an edge of a cell, a block of a chain. A space may have
several kinds of cells, whose rows lie one below the other, so that its architecture parameters are one matrix alpha
[R, O]. Methods read rows, and never learn how many cells there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from trainables.later import Tensor, torch

if TYPE_CHECKING:
    from torch import nn

    from trainables.spaces.search_network import SearchNetwork

NONE, SKIP = "none", "skip_connect"
"""Candidates that methods and reports know by name: a row left out, a row that passes its input on."""


class Architecture(Hashable, Protocol):
    """One choice in every row: a value. ``str`` of it is what ``Space.parse`` reads."""


A = TypeVar("A", bound=Architecture)


class Graph(NamedTuple):
    """A cell as a graph. Nodes are in the order in which they are computed."""

    title: str
    """of the kind of cell; empty where there is one kind"""
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]
    """source, target, operation"""


class Space(ABC, Generic[A]):
    """One search space. Torch is imported where networks are built."""

    name: ClassVar[str]
    """What a study calls it; part of every trial's id."""
    source: ClassVar[str]
    """Authors, title, venue, arXiv number."""
    choices: ClassVar[tuple[tuple[str, ...], ...]]
    """[R] the candidates of each row, all of one number O; where a row may be left out, ``none`` comes first."""
    cells: ClassVar[tuple[int, ...]]
    """How many rows each kind of cell has; R in all."""
    inputs: ClassVar[tuple[int, ...]]
    """How many rows enter each node, kind of cell by kind of cell; R in all."""

    edges: ClassVar[int]
    """How many edges of an architecture are judged by what they are: those of its (first kind of) cell."""
    collapsed_skips: ClassVar[int]
    """From how many skip connections among these a search counts as collapsed, unless a report is told otherwise."""
    trained: ClassVar[tuple[int, int]]
    """Channels and cells of the networks in which its papers train an architecture."""
    fewest_cells: ClassVar[int] = 1
    """What a network's number of ``cells`` is at least."""

    @property
    def shape(self) -> tuple[int, int]:
        """(R, O)."""
        return len(self.choices), len(self.choices[0])

    @property
    def may_leave_out(self) -> bool:
        """Whether every row has the candidate ``none``, as its first."""
        return all(candidates[0] == NONE for candidates in self.choices)

    def where(self, operation: str) -> Tensor:
        """[R, O]: 1 where the candidate is this operation, else 0."""
        return torch.tensor([[float(candidate == operation) for candidate in row] for row in self.choices])

    # networks ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def supernet(self, channels: int, cells: int, colours: int, classes: int, *, partial: int = 1) -> SearchNetwork:
        """The network of all candidates, on images of ``colours`` channels; 1/``partial`` of its channels pass them.

        Raises ConfigError where ``partial`` does not divide the channels.
        """

    @abstractmethod
    def network(self, architecture: A, channels: int, cells: int, colours: int, classes: int) -> nn.Module:
        """The network of one architecture: images [B, colours, H, W] -> logits [B, classes]."""

    # architectures -------------------------------------------------------------------------------------------------

    @abstractmethod
    def derive(self, scores: Tensor, edges: Tensor | None = None) -> A:
        """scores [R, O], and weights [R] of whole rows where a method learns them -> the architecture of the best."""

    @abstractmethod
    def one_hot(self, architecture: A) -> Tensor:
        """The mixing weights [R, O] that stand for an architecture: one 1 a row; none where the row is left out."""

    @abstractmethod
    def random(self, generator: torch.Generator) -> A:
        """An architecture drawn uniformly."""

    @abstractmethod
    def parse(self, text: str) -> A:
        """The architecture that is written so. Raises ConfigError."""

    @abstractmethod
    def dearest(self) -> A:
        """One whose network takes longest: what estimates of cost measure."""

    @abstractmethod
    def chosen(self, architecture: A) -> tuple[int, ...]:
        """[R] the column of each row's candidate; that of ``none`` where the row is left out."""

    @abstractmethod
    def shares(self, architecture: A) -> dict[str, float]:
        """Percent of the ``edges`` that are skip connections (``skip``), left out (``none``), pooling (``pool``)."""

    def skips(self, architecture: A) -> int:
        """How many of the ``edges`` are skip connections."""
        return round(self.shares(architecture)["skip"] * self.edges / 100)

    def key(self, architecture: A) -> str:
        """The same for architectures that count as one: themselves, unless the space knows better."""
        return str(architecture)

    def is_connected(self, architecture: A) -> bool:
        """Whether any path leads from the input to the output."""
        return True

    @abstractmethod
    def graphs(self, architecture: A) -> list[Graph]:
        """What a figure draws: a graph for each kind of cell."""
