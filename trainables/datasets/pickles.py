"""CIFAR-10, CIFAR-100 and ImageNet16 as their authors publish them: Python pickles of numpy arrays.

Unpickling runs whatever code a file names, so these files are read by an unpickler that knows plain containers,
rebuilds arrays of numbers itself and refuses everything else.

Sources: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009 (CIFAR); Chrabaszcz, Loshchilov and
Hutter, arXiv:1707.08819 (downsampled ImageNet); Dong and Yang, arXiv:2001.00326, section 2.2 (ImageNet16-120: the first
120 classes).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.datasets.sources import Labelled, Layout, Source, decoding, find_files, find_in_archive


class _Dtype:
    """Stands in for numpy.dtype: plain numbers only."""

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(code)
        if self.dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"a pickle of images must hold arrays of numbers, not of {code}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        byte_order = state[1]
        if byte_order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(byte_order)


class _Array:
    """Stands in for an array: made empty, filled by the state that follows it in the pickle (protocols 0 to 4)."""

    def __init__(self, *_: Any) -> None:
        self.array = np.empty(0)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Dtype, bool, bytes | str]) -> None:
        _, shape, dtype, fortran, raw = state
        self.array = _array(raw, dtype, shape, "F" if fortran else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.array.astype(dtype or self.array.dtype, copy=bool(copy))


def _array(raw: bytes | str, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> NDArray[Any]:
    content = raw.encode("latin1") if isinstance(raw, str) else raw  # Python 2 wrote bytes as str
    return np.frombuffer(content, dtype.dtype).reshape(shape, order=order)


def _scalar(dtype: _Dtype, raw: bytes | str) -> Any:
    return _array(raw, dtype, (1,), "C")[0].item()


_STAND_INS: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): str.encode,  # how protocols 0 to 2 spell bytes
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): None,  # named as the type to rebuild, never called
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _array for core in ("core", "_core")},  # protocol 5
}


class _ImageUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(
                f"a pickle of images must hold arrays and containers only, not {module}.{name}"
            )
        return _STAND_INS[module, name]


def unpickle(content: bytes) -> Any:
    """Numbers, strings, bytes, lists, tuples, dicts, and what ``np.asarray`` takes for each array.

    Raises UnpicklingError for anything else, without running it; damaged pickles raise many other errors.
    """
    return _ImageUnpickler(io.BytesIO(content), encoding="latin1").load()


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
    """The first ``classes`` classes of ImageNet16, whose labels 1.. become 0..: rows of 3 x 16 x 16 pixels."""
    names = (*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data")

    def first_classes(batch: Labelled) -> Labelled:
        kept = (batch.labels >= 1) & (batch.labels <= classes)
        return Labelled(np.asarray(batch.images)[kept], batch.labels[kept] - 1)

    def decode(source: Source) -> tuple[Labelled, Labelled]:
        batches = [first_classes(_batch(source, name, "labels", 16)) for name in names]
        return _joined(batches[:-1]), batches[-1]

    return Layout(
        "ImageNet16/ with train_data_batch_1 ... train_data_batch_10 and val_data",
        lambda path: find_files(path, ["ImageNet16"], names),
        decode,
    )


def _batch(source: Source, name: str, label_key: str, side: int) -> Labelled:
    content = source.read(name)
    with decoding(f"{source.place}/{name}"):
        entries = {key.decode() if isinstance(key, bytes) else key: value for key, value in unpickle(content).items()}
        pixels = np.asarray(entries["data"])
        if pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be uint8, not {pixels.dtype}")
        return Labelled(pixels.reshape(-1, 3, side, side), np.asarray(entries[label_key], dtype=np.int64))


def _joined(parts: Sequence[Labelled]) -> Labelled:
    return Labelled(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))
