"""Which images train the supernet's weights and which the architecture parameters: the three protocols of the field.

Results of different protocols are not comparable, so a trial records its protocol by name.

    P1   weights: first half of the training images; architecture: second half. No shuffling before the cut.
         DrNAS, beta-DARTS, DARTS-PT, CDARTS, ZARTS.
    P2   CIFAR-100 and ImageNet16-120: weights on all training images, architecture on x-valid, a fixed half of the TEST
         images, so that only the other half (x-test) stays clean. Every other data set: a fixed random half each of the
         training images. NAS-Bench-201's own searches (arXiv:2001.00326, section 2.2): DARTS, GDAS, SETN, ENAS, RSPS.
    P3   both on all training images (single-level search): GAEA, arXiv:2004.07802.

Deviations
1. P2's halves come from a constant-seeded permutation, not from NAS-Bench-201's split files: same sizes, other images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trainables.datasets.images import ImageData
from trainables.errors import ConfigError, choose
from trainables.later import Tensor, torch

ARCH_ON_TEST = ("cifar100", "imagenet16_120")
"""The data sets whose architecture images P2 takes from the test set."""


@dataclass(frozen=True, eq=False)
class SearchSplit:
    """The images of one search. All tensors lie where the data lies."""

    protocol: str
    weight_images: Tensor
    """uint8 [n, c, h, w]: the supernet's weights train on these"""
    weight_labels: Tensor
    """int64 [n]"""
    arch_images: Tensor
    """uint8 [m, c, h, w]: the architecture parameters train on these"""
    arch_labels: Tensor
    """int64 [m]"""
    clean_test: Tensor
    """int64: indices of the test images that the search never sees"""
    description: str
    """what was done, in one phrase, for the record"""


def split(protocol: str, data: ImageData) -> SearchSplit:
    """The images of a search on ``data`` under P1, P2 or P3. Raises ConfigError for another name."""
    if protocol not in PROTOCOLS:
        raise ConfigError(choose("data protocol", protocol, PROTOCOLS))
    return PROTOCOLS[protocol](data)


def _p1(data: ImageData) -> SearchSplit:
    half = len(data.train_images) // 2
    return SearchSplit(
        protocol="P1",
        weight_images=data.train_images[:half],
        weight_labels=data.train_labels[:half],
        arch_images=data.train_images[half:],
        arch_labels=data.train_labels[half:],
        clean_test=_all(data.test_labels),
        description="weights on the first half of the training images, architecture on the second half",
    )


def _p2(data: ImageData) -> SearchSplit:
    if data.name in ARCH_ON_TEST:
        x_valid, x_test = _fixed_halves(data.test_labels)
        return SearchSplit(
            protocol="P2",
            weight_images=data.train_images,
            weight_labels=data.train_labels,
            arch_images=data.test_images[x_valid],
            arch_labels=data.test_labels[x_valid],
            clean_test=x_test,
            description="weights on all training images, architecture on a fixed half of the test images (x-valid)",
        )
    first, second = _fixed_halves(data.train_labels)
    return SearchSplit(
        protocol="P2",
        weight_images=data.train_images[first],
        weight_labels=data.train_labels[first],
        arch_images=data.train_images[second],
        arch_labels=data.train_labels[second],
        clean_test=_all(data.test_labels),
        description="weights on a fixed random half of the training images, architecture on the other half",
    )


def _p3(data: ImageData) -> SearchSplit:
    return SearchSplit(
        protocol="P3",
        weight_images=data.train_images,
        weight_labels=data.train_labels,
        arch_images=data.train_images,
        arch_labels=data.train_labels,
        clean_test=_all(data.test_labels),
        description="weights and architecture on all training images",
    )


PROTOCOLS: dict[str, Callable[[ImageData], SearchSplit]] = {"P1": _p1, "P2": _p2, "P3": _p3}


def _all(labels: Tensor) -> Tensor:
    return torch.arange(len(labels), device=labels.device)


def _fixed_halves(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Two disjoint sorted index tensors that together cover ``labels``; the same for every seed and every machine."""
    # RandomState: numpy promises never to change its stream.
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(labels))).to(labels.device)
    half = len(labels) // 2
    return order[:half].sort().values, order[half:].sort().values
