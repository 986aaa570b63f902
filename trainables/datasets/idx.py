"""Fashion-MNIST as its authors publish it: four idx files (two zero bytes, type 8, number of dimensions, sizes, data).

Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST", arXiv:1708.07747; the format is LeCun's of MNIST.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainables.datasets.sources import Labelled, Layout, Source, decoding, find_files

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx_files() -> Layout:
    """The four files, plain or gzipped, in the folder or where torchvision keeps them."""
    return Layout(
        f"{', '.join(NAMES)} (plain or .gz)", lambda path: find_files(path, ["FashionMNIST/raw"], NAMES), _decode
    )


def read_idx(content: bytes, dimensions: int) -> NDArray[np.uint8]:
    """The array in an idx file of bytes. Raises ValueError where the header is another or data are missing."""
    header = 4 + 4 * dimensions
    if content[:4] != bytes((0, 0, 8, dimensions)) or len(content) < header:
        raise ValueError(f"an idx file of bytes in {dimensions} dimensions begins otherwise")
    return np.frombuffer(content, np.uint8, offset=header).reshape(np.frombuffer(content, ">u4", dimensions, offset=4))


def _decode(source: Source) -> tuple[Labelled, Labelled]:
    return _part(source, *NAMES[:2]), _part(source, *NAMES[2:])


def _part(source: Source, images: str, labels: str) -> Labelled:
    with decoding(f"{source.place}/{images}"):
        pixels = read_idx(source.read(images), 3)[:, None]
    with decoding(f"{source.place}/{labels}"):
        return Labelled(pixels, read_idx(source.read(labels), 1).astype(np.int64))
