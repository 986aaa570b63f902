"""Pickles of images: only arrays of numbers and containers pass, and nothing a file names is ever run."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.datasets import load
from trainables.errors import DataError
from trainables.pickles import unpickle
from trainables.spec import DatasetSpec


class Malice:
    """Makes a folder when a plain unpickler reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(6))
def test_malicious_pickle_is_refused_and_not_run(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps({"data": Malice(tmp_path / "ran"), "fine_labels": []}, protocol)
    for name in ("train", "test"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"train cannot be read \(ForeignName: .* not \w+\.mkdir\)"):
        load(DatasetSpec(name="cifar100"), tmp_path)
    assert not (tmp_path / "ran").exists()
    pickle.loads(content)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("named", ["builtins eval", "builtins getattr", "numpy load", "numpy core.test", "os system"])
def test_other_names_are_refused(named: str) -> None:
    module, name = named.split()
    with pytest.raises(pickle.UnpicklingError, match="arrays and containers only"):
        unpickle(io.BytesIO(f"c{module}\n{name}\n.".encode()))


def test_arrays_of_objects_are_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="arrays of numbers"):
        unpickle(io.BytesIO(pickle.dumps(np.array([None]))))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["u1", "<i8", ">i4", "f4", "?"])
def test_arrays_survive(protocol: int, dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for given in (array, np.asfortranarray(array), array[:, ::2]):
        got = np.asarray(unpickle(io.BytesIO(pickle.dumps(given, protocol))))
        np.testing.assert_array_equal(got, given)
        assert got.dtype == given.dtype
    content = {b"n": array[1, 2], "l": [1, (2.5, "x")], "o": OrderedDict(a=1), "s": {7}}
    assert unpickle(io.BytesIO(pickle.dumps(content, protocol))) == content


def test_python_2_pickle() -> None:
    """The official CIFAR files were written so: str data, the old module path."""
    content = (
        b"(dp0\nS'data'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I1\nI3\ntcnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\n"
        b"S'\\x01\\x80\\xff'\ntbsS'labels'\n(lI7\nas."
    )
    entries = unpickle(io.BytesIO(content))
    assert entries["labels"] == [7]
    np.testing.assert_array_equal(np.asarray(entries["data"]), [[1, 128, 255]])
