"""The data sets a search can run on: one table, and ``load`` and ``fingerprint`` over it.

No data set is downloaded: digits comes with scikit-learn, all others are read from a path the user gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from trainables.datasets.augmentation import augment, normalise
from trainables.datasets.batches import BatchStream
from trainables.datasets.digits import digits
from trainables.datasets.idx import idx_files
from trainables.datasets.image_folder import image_folder
from trainables.datasets.images import Augmentation, ImageData, area_resample, pixel_statistics
from trainables.datasets.parquet import own_parquet, parquet
from trainables.datasets.pickles import cifar_pickles, imagenet16_pickles
from trainables.datasets.pictures import decode_pictures
from trainables.datasets.sources import Labelled, Layout, Source
from trainables.datasets.splits import PROTOCOLS, SearchSplit, split
from trainables.errors import ConfigError, DataError, choose
from trainables.later import Tensor, torch
from trainables.spec import DatasetSpec

__all__ = [
    "DATASETS",
    "PROTOCOLS",
    "Augmentation",
    "BatchStream",
    "Dataset",
    "Examined",
    "ImageData",
    "SearchSplit",
    "augment",
    "examine",
    "fingerprint",
    "load",
    "normalise",
    "split",
]


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before its files are read."""

    layouts: tuple[Layout, ...]
    """the layouts its files may come in, tried in this order"""
    channels: int
    classes: int | None
    """None: as many as the files have"""
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None
    """mean and std of each channel in units of 0..255, over all training images; None: computed from those loaded"""
    augmented: bool
    """train on random crops, padded with an eighth of the side (4 pixels at 32, 2 at 16), and on mirror images"""
    obtain: str
    """how to get it, as the end of an error message"""


# Means and standard deviations of CIFAR and ImageNet16-120: Dong and Yang, arXiv:2001.00326 (official code).
DATASETS: dict[str, Dataset] = {
    "cifar10": Dataset(
        layouts=(
            cifar_pickles(
                "cifar-10-batches-py",
                "cifar-10-python.tar.gz",
                [f"data_batch_{i}" for i in range(1, 6)],
                "test_batch",
                "labels",
            ),
            parquet(["plain_text"], "label"),
        ),
        channels=3,
        classes=10,
        statistics=((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
        augmented=True,
        obtain="get cifar-10-python.tar.gz (163 MB) from the CIFAR page of the University of Toronto",
    ),
    "cifar100": Dataset(
        layouts=(
            cifar_pickles("cifar-100-python", "cifar-100-python.tar.gz", ["train"], "test", "fine_labels"),
            parquet(["cifar100"], "fine_label"),
        ),
        channels=3,
        classes=100,
        statistics=((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
        augmented=True,
        obtain="get cifar-100-python.tar.gz (161 MB) from the CIFAR page of the University of Toronto",
    ),
    "digits": Dataset(
        layouts=(digits(),),
        channels=1,
        classes=10,
        statistics=((77.97,), (95.94,)),
        augmented=False,
        obtain="install scikit-learn",
    ),
    "fashion_mnist": Dataset(
        layouts=(idx_files(), parquet(["fashion_mnist"], "label")),
        channels=1,
        classes=10,
        statistics=((72.94,), (90.02,)),
        augmented=True,
        obtain="get the four .gz files from the Fashion-MNIST repository of Zalando Research",
    ),
    "image_folder": Dataset(
        layouts=(image_folder(), own_parquet()),
        channels=3,
        classes=None,
        statistics=None,
        augmented=True,
        obtain="sort your pictures into one folder a class, below train/ and test/, or save them as Hugging Face does",
    ),
    "imagenet16_120": Dataset(
        layouts=(imagenet16_pickles(120),),
        channels=3,
        classes=120,
        statistics=((122.68, 116.66, 104.01), (63.22, 61.26, 65.09)),
        augmented=True,
        obtain="get the folder ImageNet16 that the authors of NAS-Bench-201 share from their project page",
    ),
}


def load(spec: DatasetSpec, path: Path | None) -> ImageData:
    """Read, resample and cut the data set to ``spec``.

    Where the files hold no test images, the last fifth of the training images is held out in their place, before
    ``train_images`` is applied. Raises ConfigError for an unknown name and DataError for files that are missing,
    damaged, or hold fewer images than ``spec`` asks for.
    """
    dataset = _dataset(spec.name)
    layout, source = _find(spec.name, dataset, path)
    train, test = layout.decode(source)
    if len(np.unique(train.labels)) < 2:
        raise DataError(
            f"a search needs training images of at least two classes, but all {len(train):,} in {source.place} are of "
            f"one; add the others"
        )
    test_source: Literal["official", "held_out"] = "official"
    if test is None:
        kept = len(train) - len(train) // 5
        train, test, test_source = train[:kept], train[kept:], "held_out"
    classes = dataset.classes or 1 + int(train.labels.max())
    train_images, train_labels = _tensors(spec, dataset, source, train, classes, "train_images")
    test_images, test_labels = _tensors(spec, dataset, source, test, classes, "test_images")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"training and test images must be of one size, but {source.place} has {train_images.shape[3]} and "
            f"{test_images.shape[3]} pixels wide ones; set `image_size` to resample them all"
        )
    mean, std = dataset.statistics or pixel_statistics(train_images)
    return ImageData(
        name=spec.name,
        classes=classes,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        test_source=test_source,
        mean=torch.tensor(mean, dtype=torch.float32),
        std=torch.tensor(std, dtype=torch.float32),
        augmentation=Augmentation(train_images.shape[3] // 8, flip=True) if dataset.augmented else Augmentation(),
    )


@dataclass(frozen=True)
class Examined:
    """What is known of a data set's files before they are decoded."""

    fingerprint: str
    """16 hex digits that change with the contents and names of the files ``load`` would read, and with the spec.

    They do not change with the path, nor with packing (.gz, .tar.gz).
    """
    unread: tuple[str, ...]
    """what lies beside them and is not read, and what stands in for what is missing, a phrase each"""


def examine(spec: DatasetSpec, path: Path | None) -> Examined:
    """Find the files and read them once, decoding nothing.

    Raises as ``load`` does for an unknown name and for missing files.
    """
    _, source = _find(spec.name, _dataset(spec.name), path)
    return Examined(source.fingerprint(spec.model_dump_json()), source.unread)


def fingerprint(spec: DatasetSpec, path: Path | None) -> str:
    """That of ``examine``."""
    return examine(spec, path).fingerprint


def _dataset(name: str) -> Dataset:
    if name not in DATASETS:
        raise ConfigError(choose("data set", name, DATASETS))
    return DATASETS[name]


def _find(name: str, dataset: Dataset, path: Path | None) -> tuple[Layout, Source]:
    for layout in dataset.layouts:
        if source := layout.find(path):
            return layout, source
    wanted = " or ".join(layout.wanted for layout in dataset.layouts)
    given = "no path was given" if path is None else f"{path} {'does not' if path.exists() else 'does not exist'}"
    raise DataError(f"the path of {name} must hold {wanted}, but {given}; {dataset.obtain}")


def _tensors(
    spec: DatasetSpec, dataset: Dataset, source: Source, part: Labelled, classes: int, option: str
) -> tuple[Tensor, Tensor]:
    wanted: int | None = getattr(spec, option)
    if len(part) < (wanted or 1):
        raise DataError(
            f"{source.place} must hold at least {wanted or 1} images for `{option}`, but has {len(part)}; "
            f"lower `{option}` or get all files of {spec.name}"
        )
    part = part[:wanted]
    if not 0 <= part.labels.min() <= part.labels.max() < classes:
        raise DataError(
            f"labels of {spec.name} must lie in 0..{classes - 1}, but {source.place} has "
            f"{part.labels.min()}..{part.labels.max()}; these are not the files of {spec.name}"
        )
    if isinstance(part.images, np.ndarray):
        images = torch.from_numpy(part.images.copy())  # arrays read from files are not writable
        images = area_resample(images, spec.image_size) if spec.image_size else images
    else:
        images = decode_pictures(part.images, dataset.channels, spec.image_size)
    return images, torch.from_numpy(part.labels.copy())
