"""CIFAR-10, CIFAR-100 and ImageNet16 as their authors publish them: Python pickles of numpy arrays.

Sources: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009 (CIFAR); Chrabaszcz, Loshchilov and
Hutter, arXiv:1707.08819 (downsampled ImageNet); Dong and Yang, arXiv:2001.00326, section 2.2 (ImageNet16-120: the first
120 classes).
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from trainables.datasets.sources import Labelled, Layout, Source, decoding, find_files, find_in_archive
from trainables.errors import DataError
from trainables.pickles import unpickle


def cifar_pickles(folder: str, archive: str, train: Sequence[str], test: str, label_key: str) -> Layout:
    """A CIFAR data set in ``folder`` or its packed ``archive``: rows of 3 x 32 x 32 pixels."""
    names = (*train, test)

    def decode(source: Source) -> tuple[Labelled, Labelled]:
        batches = [_batch(source, name, label_key, 32) for name in names]
        return _joined(batches[:-1]), batches[-1]

    return Layout(
        f"{folder}/ with {', '.join(names)}, or {archive}",
        lambda path: find_files(path, [folder], names) or find_in_archive(path, archive, names),
        decode,
    )


def imagenet16_pickles(classes: int) -> Layout:
    """The first ``classes`` classes of ImageNet16: rows of 3 x 16 x 16 pixels.

    Labels become 0.., whether the files count them from 1, as the official ones do, or from 0.
    """
    names = (*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data")

    def decode(source: Source) -> tuple[Labelled, Labelled]:
        batches = [_batch(source, name, "labels", 16) for name in names]
        train, test = _joined(batches[:-1]), batches[-1]
        first, last = int(train.labels.min(initial=1)), int(train.labels.max(initial=1))
        if first not in (0, 1) or (first == 0 and last in (classes, 1000)) or test.labels.min(initial=first) < first:
            raise DataError(
                f"labels of ImageNet16 must count from 1, or all from 0, but in {source.place} those of the training "
                f"images go from {first} to {last} and those of val_data begin at {test.labels.min()}; number them "
                f"as the official files do"
            )
        return first_classes(train, first), first_classes(test, first)

    def first_classes(batch: Labelled, first: int) -> Labelled:
        kept = batch.labels < first + classes
        return Labelled(np.asarray(batch.images)[kept], batch.labels[kept] - first)

    return Layout(
        "ImageNet16/ with train_data_batch_1 ... train_data_batch_10 and val_data",
        lambda path: find_files(path, ["ImageNet16"], names),
        decode,
    )


def _batch(source: Source, name: str, label_key: str, side: int) -> Labelled:
    content = source.read(name)
    with decoding(f"{source.place}/{name}"):
        entries = {
            key.decode() if isinstance(key, bytes) else key: value
            for key, value in unpickle(io.BytesIO(content)).items()
        }
        pixels = np.asarray(entries["data"])
        if pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be uint8, not {pixels.dtype}")
        return Labelled(pixels.reshape(-1, 3, side, side), np.asarray(entries[label_key], dtype=np.int64))


def _joined(parts: Sequence[Labelled]) -> Labelled:
    return Labelled(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))
