"""Pickles that others made, read as data: unpickling runs whatever code a file names, so nothing of it is run here.

The unpickler knows plain containers, rebuilds numpy's arrays and numbers itself and refuses everything else.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from io import BufferedIOBase
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


class ForeignName(pickle.UnpicklingError):
    """A pickle names what is neither a container nor a number."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a pickle of data must hold arrays and containers only, not {name}")
        self.name = name


class _Dtype:
    """Stands in for numpy.dtype: plain numbers only."""

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(code)
        if self.dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"a pickle of data must hold arrays of numbers, not of {code}")

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
    ("collections", "OrderedDict"): OrderedDict,
    **{(builtins, "set"): set for builtins in ("builtins", "__builtin__")},
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): None,  # named as the type to rebuild, never called
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _array for core in ("core", "_core")},  # protocol 5
}


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise ForeignName(f"{module}.{name}")
        return _STAND_INS[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise ForeignName("a reference to something outside of it")


def unpickle(stream: IO[bytes] | BufferedIOBase) -> Any:
    """The next pickle: numbers, strings, bytes, containers, and what ``np.asarray`` takes for each array.

    Raises ForeignName for anything else, without running it; damaged pickles raise many other errors.
    """
    return _DataUnpickler(stream, encoding="latin1").load()
