"""Finding a data set's files without decoding them: what every layout shares.

A layout looks below a path for its files (``find``) and turns them into images (``decode``). Between the two stands a
Source: named byte strings. Its fingerprint is the same wherever the files lie and whether or not they are packed.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError, reason


@dataclass(frozen=True)
class Source:
    """The files of one data set in one layout, found but not decoded."""

    place: Path
    """the folder or archive, for messages"""
    files: Mapping[str, Callable[[], bytes]]
    """what reads each file, by its name relative to the layout's folder, in a fixed order"""
    unread: tuple[str, ...] = ()
    """what lies beside them and is not read, and what stands in for what is missing, a phrase each"""

    def read(self, name: str) -> bytes:
        """The contents of one file, unpacked. Raises DataError."""
        with decoding(f"{self.place}/{name}"):
            return self.files[name]()

    def fingerprint(self, options: str) -> str:
        """16 hex digits of the SHA-256 of ``options`` and of all names and contents. Raises DataError."""
        digest = hashlib.sha256(options.encode())
        for name in self.files:
            content = self.read(name)
            digest.update(f"\0{name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
            digest.update(content)
        return digest.hexdigest()[:16]


class Picture(NamedTuple):
    """One encoded image (PNG, JPEG, ...)."""

    name: str
    content: Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images in their fixed order, and their labels int64 [n]. Raises ValueError where their numbers differ."""

    images: NDArray[np.uint8] | Sequence[Picture]
    """pixels uint8 [n, c, h, w], or encoded pictures"""
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images, but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice) -> Labelled:
        return Labelled(self.images[part], self.labels[part])


@dataclass(frozen=True)
class Layout:
    """One way a data set comes in files."""

    wanted: str
    """the files it looks for, for messages"""
    find: Callable[[Path | None], Source | None]
    """None where nothing of this layout is there. Raises DataError where some of its files are missing"""
    decode: Callable[[Source], tuple[Labelled, Labelled | None]]
    """training and test images; None where the source has no test images. Raises DataError"""


TRAIN, EVALUATION = "train", ("test", "val", "valid", "validation", "dev")
"""The parts of a data set; the first of EVALUATION that there is holds its test images."""
MOST_UNPACKED = 2**29
"""Bytes that a packed file may unpack to; the largest that any layout knows has 160 million."""


def choose_evaluation(parts: Mapping[str, Sequence[str]]) -> tuple[str | None, list[str]]:
    """The part with the test images (None if there is none), and in phrases what that leaves unread."""
    found = [part for part in EVALUATION if parts.get(part)]
    if not found:
        return None, []
    phrases = [f"{part}: not read ({len(parts[part]):,} files)" for part in found[1:]]
    if found[0] != EVALUATION[0]:
        phrases.insert(0, f"{found[0]}: its images are the test images, since there is no {EVALUATION[0]}")
    return found[0], phrases


def folders(path: Path | None, below: Sequence[str]) -> list[Path]:
    """``path`` and those of its subfolders named in ``below``, as far as they exist."""
    return [folder for folder in (path, *(path / name for name in below)) if folder.is_dir()] if path else []


def find_files(path: Path | None, below: Sequence[str], names: Sequence[str]) -> Source | None:
    """The files ``names``, plain or gzipped, in ``path`` or one of its subfolders ``below``."""
    for folder in folders(path, below):
        found = {name: file for name in names if (file := _plain_or_gzipped(folder / name))}
        if missing := [name for name in names if name not in found]:
            if not found:
                continue
            raise DataError(
                f"all of {', '.join(names)} must lie in one folder, but {folder} lacks {', '.join(missing)}; "
                "unpack the official archive again"
            )
        return Source(folder, {name: partial(read_file, file) for name, file in found.items()})
    return None


def find_in_archive(path: Path | None, archive: str, names: Sequence[str]) -> Source | None:
    """The files ``names`` inside the tar.gz ``archive``, which is ``path`` itself or lies in it. Reads it whole."""
    if path is None:
        return None
    file = path if path.name == archive else path / archive
    if not file.is_file():
        return None
    contents: dict[str, bytes] = {}
    with decoding(str(file)), tarfile.open(file) as members:
        for member in members:
            if member.size > MOST_UNPACKED:
                raise ValueError(f"{member.name} would unpack to {member.size:,} bytes")
            opened = members.extractfile(member) if Path(member.name).name in names else None
            if opened is not None:
                contents[Path(member.name).name] = opened.read()
    if missing := [name for name in names if name not in contents]:
        raise DataError(
            f"the archive {file} must hold {', '.join(names)}, but lacks {', '.join(missing)}; fetch it again"
        )
    return Source(file, {name: partial(bytes, contents[name]) for name in names})


def read_file(file: Path) -> bytes:
    """The contents of a file, unpacked if it is gzipped. Raises DataError for what is no file, or too large a one."""
    if not file.is_file():
        raise DataError(f"the files of a data set must be ordinary files, but {file} is none; replace or remove it")
    if file.suffix != ".gz":
        return file.read_bytes()
    with gzip.open(file) as stream:
        content = stream.read(MOST_UNPACKED + 1)
    if len(content) > MOST_UNPACKED:
        raise DataError(
            f"a file of a data set must unpack to at most {MOST_UNPACKED:,} bytes, but {file} has more; it is damaged "
            f"or not what its name says, so fetch it again"
        )
    return content


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Turn whatever the reading of a damaged file raises into a DataError that names the file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # pickles, archives and pictures fail in every way there is
        raise DataError(
            f"{what} cannot be read ({type(error).__name__}: {reason(error)}); "
            "it is damaged or not what its name says, so fetch or unpack it again"
        ) from error


def _plain_or_gzipped(file: Path) -> Path | None:
    return next((f for f in (file, file.with_name(file.name + ".gz")) if f.is_file()), None)
