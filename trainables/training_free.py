"""Training-free scores of a cell: each proxy on the network, the images and the initial weights its source used.

One ``TrainingFree`` draws images and weights once, so that all cells it scores meet the same ones (paired scores).
A derivation asks it for the scores it ranks by, a trial for those it records of the derived cell.

Settings: synflow, jacob_cov, snip, grasp, fisher and grad_norm on 64 images, NASWOT on 128, weights as PyTorch draws
them (arXiv:2101.08134, arXiv:2006.04647). After TE-NAS (arXiv:2102.11535): the NTK on 16 images, mean over 3
initialisations (Kaiming, fan-out); linear regions of 3,000 crops of 3 x 3 pixels in one channel, network of 1 channel
and as few cells as the space has, mean over 3 initialisations (fan-in), here counted over one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from trainables.datasets import ImageData, normalise
from trainables.later import Tensor, torch
from trainables.spaces.space import Architecture, Space
from trainables.spec import Scale
from trainables.streams import Streams

if TYPE_CHECKING:
    from torch import nn

PROXIES = (
    "synflow", "jacob_cov", "naswot", "ntk_condition", "linear_regions", "snip", "grasp", "fisher", "grad_norm",
)  # fmt: skip
LOWER_IS_BETTER = frozenset({"ntk_condition"})
IMAGES = {"naswot": 128, "ntk_condition": 16}
USUAL_IMAGES, CROPS, CROP_SIZE, INITIALISATIONS = 64, 3000, 3, 3


class TrainingFree:
    """Scores cells at one scale. ``images`` [n, c, H, W] and ``labels`` [n] are what it draws from, not normalised."""

    def __init__(
        self,
        space: Space[Any],
        data: ImageData,
        images: Tensor,
        labels: Tensor,
        scale: Scale,
        streams: Streams,
        purpose: str,
    ) -> None:
        self.space, self.data, self.images, self.labels, self.scale = space, data, images, labels, scale
        self.streams, self.purpose = streams, purpose
        self.generator = streams(f"{purpose}.images")
        self._drawn: dict[str, tuple[Tensor, ...]] = {}

    def scores(self, cell: Architecture, names: Iterable[str]) -> dict[str, float]:
        """The named proxies of one cell; infinite or NaN where a proxy is (a cell with no path may have none)."""
        return {name: self.score(cell, name) for name in names}

    def score(self, cell: Architecture, name: str) -> float:
        """One proxy of PROXIES."""
        from trainables import proxies

        if name == "linear_regions":
            return self._mean(proxies.linear_regions, self._networks(cell, "fan_in"), self._batch(name)[0])
        if name == "ntk_condition":
            return self._mean(proxies.ntk_condition, self._networks(cell, "fan_out"), self._batch(name)[0])
        network, (images, labels) = self._networks(cell, None)[0], self._batch(name)
        if name in ("synflow", "jacob_cov", "naswot"):
            return float(getattr(proxies, name)(network, images))
        return float(getattr(proxies, name)(network, images, labels))

    @staticmethod
    def _mean(proxy: Callable[..., float], networks: list[nn.Module], images: Tensor) -> float:
        return sum(proxy(network, images) for network in networks) / len(networks)

    def _batch(self, name: str) -> tuple[Tensor, ...]:
        """The images a proxy sees and their labels, drawn at its first use."""
        if name not in self._drawn:
            if name == "linear_regions":
                self._drawn[name] = (self._crops(),)
            else:
                chosen = self._pick(len(self.images), IMAGES.get(name, USUAL_IMAGES))
                self._drawn[name] = normalise(self.images[chosen], self.data), self.labels[chosen]
        return self._drawn[name]

    def _crops(self) -> Tensor:
        """[3000, 1, 3, 3]."""
        chosen, top = self._pick(len(self.images), CROPS), self._pick(self.images.shape[2] - CROP_SIZE + 1, CROPS)
        left = self._pick(self.images.shape[3] - CROP_SIZE + 1, CROPS)
        windows = self.images.unfold(2, CROP_SIZE, 1).unfold(3, CROP_SIZE, 1)
        return normalise(windows[chosen, :, top, left], self.data)[:, :1]

    def _pick(self, upper: int, count: int) -> Tensor:
        return torch.randint(upper, (count,), generator=self.generator).to(self.images.device)

    def _networks(self, cell: Architecture, fan: Literal["fan_in", "fan_out"] | None) -> list[nn.Module]:
        """Untrained networks of a cell; cells share draws up to where they differ. ``fan_in``: the smallest."""
        from trainables import proxies

        sizes = (
            (1, self.space.fewest_cells, 1)
            if fan == "fan_in"
            else (self.scale.channels, self.scale.cells, self.images.shape[1])
        )
        networks = []
        for repeat in range(1 if fan is None else INITIALISATIONS):
            stream = f"{self.purpose}.weights.{repeat}"
            with self.streams.initialising(stream):
                network = self.space.network(cell, *sizes, self.data.classes)
            if fan is not None:
                proxies.initialise(network, fan, torch.Generator().manual_seed(self.streams.seed_of(stream)))
            networks.append(network.to(self.images.device))
        return networks
