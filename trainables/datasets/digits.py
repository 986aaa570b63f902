"""The 1,797 handwritten digits that scikit-learn carries: 8 x 8 grey, ten classes, no download, seconds a search.

Split: 395 test images, a fixed draw of 22 % of each class; the other 1,402 train. The original order goes by writer, so
it is shuffled (once, the same for every seed): any first n images come from many writers.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import numpy as np

from trainables.datasets.sources import Labelled, Layout, Source
from trainables.errors import DataError

_FILE = "sklearn/datasets/data/digits.csv.gz"
"""64 pixels 0..16 and the label in each line."""
_TEST_SHARE = 0.22
_IMAGES, _LABELS = "images uint8 [1797, 1, 8, 8]", "labels uint8 [1797]"


def digits() -> Layout:
    """Takes no path. Pixels 0..16 are scaled to 0..255."""
    return Layout("scikit-learn", _find, _decode)


def _find(path: Path | None) -> Source | None:
    if path is not None:
        raise DataError(f"digits comes with scikit-learn and reads no files, but got path {path}; remove the path")
    file = distribution("scikit-learn").locate_file(_FILE)  # found, since importing scikit-learn takes a second
    rows = np.loadtxt(str(file), delimiter=",")
    images, labels = np.rint(rows[:, :-1] * (255 / 16)).astype(np.uint8), rows[:, -1].astype(np.uint8)
    return Source(Path("scikit-learn"), {_IMAGES: images.tobytes, _LABELS: labels.tobytes})


def _decode(source: Source) -> tuple[Labelled, Labelled]:
    images = np.frombuffer(source.read(_IMAGES), np.uint8).reshape(-1, 1, 8, 8)
    labels = np.frombuffer(source.read(_LABELS), np.uint8).astype(np.int64)
    # RandomState: numpy promises never to change its stream.
    order = np.random.RandomState(0).permutation(len(labels))
    test = np.zeros(len(labels), dtype=bool)
    for label in range(10):
        members = order[labels[order] == label]
        test[members[: round(_TEST_SHARE * len(members))]] = True
    train_order, test_order = order[~test[order]], order[test[order]]
    return Labelled(images[train_order], labels[train_order]), Labelled(images[test_order], labels[test_order])
