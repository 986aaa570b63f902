"""A space added to the product in one file: two kinds of cells that take turns, three candidates an edge.

Both kinds are chains of two edges with a third one past them, so nodes 1 and 2 are entered by one and two edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.errors import ConfigError
from trainables.spaces.partial import processed_channels, rejoin
from trainables.spaces.search_network import SearchNetwork
from trainables.spaces.single_path import SinglePath
from trainables.spaces.space import NONE, SKIP, Graph, Space

OPERATIONS = (NONE, SKIP, "conv_3x3")
SOURCES = (0, 0, 1)
"""of the three edges of a cell; they lead to nodes 1, 2 and 2"""


@dataclass(frozen=True, order=True)
class Twin:
    """One operation for each of the six edges."""

    operations: tuple[int, ...]

    def __str__(self) -> str:
        return "/".join(OPERATIONS[o] for o in self.operations)


class Cells(SearchNetwork):
    """Cell i reads the rows of kind i % 2; of a discrete network all but the chosen candidates are left out."""

    def __init__(self, channels: int, cells: int, colours: int, classes: int, partial: int = 1) -> None:
        super().__init__()
        self.processed, self.partial, self.cells = processed_channels(channels, partial), partial, cells
        self.stem = nn.Sequential(nn.Conv2d(colours, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        width = self.processed
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(3 * cells))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, affine=False) for _ in range(3 * cells))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: Tensor, mixing: Tensor | SinglePath, edges: Tensor | None = None) -> Tensor:
        x = self.stem(images)
        for cell in range(self.cells):
            nodes = [x, torch.zeros_like(x), torch.zeros_like(x)]
            for edge, source in enumerate(SOURCES):
                row, place, target = 3 * (cell % 2) + edge, 3 * cell + edge, min(edge + 1, 2)
                inside, around = nodes[source][:, : self.processed], nodes[source][:, self.processed :]
                value = self._mixed(inside, mixing, row, place)
                value = value if self.partial == 1 else rejoin(value, around)
                nodes[target] = nodes[target] + (value if edges is None else edges[row] * value)
            x = nodes[2]
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits

    def _mixed(self, x: Tensor, mixing: Tensor | SinglePath, row: int, place: int) -> Tensor:
        if isinstance(mixing, SinglePath):
            operation = mixing.operations[row]
            return mixing.weights[row] * self._candidate(x, operation, place) + mixing.constants[row]
        return torch.stack([mixing[row, o] * self._candidate(x, o, place) for o in range(3)]).sum(0)

    def _candidate(self, x: Tensor, operation: int, place: int) -> Tensor:
        if operation == 2:
            convolved: Tensor = self.norms[place](self.convolutions[place](F.relu(x)))
            return convolved
        return x if operation == 1 else torch.zeros_like(x)


class Discrete(Cells):
    """The network of one architecture, all candidates of it kept."""

    def __init__(self, weights: Tensor, *sizes: int) -> None:
        super().__init__(*sizes)
        self.register_buffer("weights", weights)

    def forward(self, images: Tensor, *context: object) -> Tensor:
        return super().forward(images, self.get_buffer("weights"))


class TwinSpace(Space[Twin]):
    """The 729 of them."""

    name, source = "twin", "this test"
    choices, cells, inputs = (OPERATIONS,) * 6, (3, 3), (1, 2, 1, 2)
    edges, collapsed_skips, trained = 6, 4, (4, 2)

    def supernet(self, channels: int, cells: int, colours: int, classes: int, *, partial: int = 1) -> Cells:
        return Cells(channels, cells, colours, classes, partial)

    def network(self, architecture: Twin, channels: int, cells: int, colours: int, classes: int) -> Discrete:
        return Discrete(self.one_hot(architecture), channels, cells, colours, classes)

    def derive(self, scores: Tensor, edges: Tensor | None = None) -> Twin:
        return Twin(tuple(scores.argmax(dim=1).tolist()))

    def one_hot(self, architecture: Twin) -> Tensor:
        return F.one_hot(torch.tensor(architecture.operations), 3).float()

    def random(self, generator: torch.Generator) -> Twin:
        return Twin(tuple(torch.randint(3, (6,), generator=generator).tolist()))

    def parse(self, text: str) -> Twin:
        names = text.split("/")
        if len(names) != 6 or not set(names) <= set(OPERATIONS):
            raise ConfigError(f"a twin is six of {OPERATIONS} with / between them, but got {text!r}")
        return Twin(tuple(OPERATIONS.index(name) for name in names))

    def dearest(self) -> Twin:
        return Twin((2,) * 6)

    def chosen(self, architecture: Twin) -> tuple[int, ...]:
        return architecture.operations

    def graphs(self, architecture: Twin) -> list[Graph]:
        edges = [(SOURCES[e % 3], min(e % 3 + 1, 2), OPERATIONS[o]) for e, o in enumerate(architecture.operations)]
        return [Graph(kind, ("0", "1", "2"), tuple(own)) for kind, own in (("even", edges[:3]), ("odd", edges[3:]))]

    def shares(self, architecture: Twin) -> dict[str, float]:
        counts = {"skip": architecture.operations.count(1), "none": architecture.operations.count(0), "pool": 0}
        return {name: 100.0 * count / 6 for name, count in counts.items()}
