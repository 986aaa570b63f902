"""Pictures sorted into one folder a class: ``train/<class>/*.png`` and, if there is one, ``test/<class>/...``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from trainables.datasets.pictures import in_proportion
from trainables.datasets.sources import (
    EVALUATION,
    TRAIN,
    Labelled,
    Layout,
    Picture,
    Source,
    choose_evaluation,
    decoding,
    read_file,
)
from trainables.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def image_folder() -> Layout:
    """Classes in sorted order, images in proportion. Without ``test/``, ``val/`` holds the test images if it is there.

    What is hidden (its name begins with a dot) is no part of the data set.
    """
    return Layout("train/<class>/*.png (or jpg, jpeg, bmp, webp)", _find, _decode)


@dataclass
class _Part:
    """What lies in ``train/`` or another part: names from the data set's folder on, sorted."""

    pictures: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    """pictures that lie in no class, or deeper"""
    others: list[str] = field(default_factory=list)
    """files that are no pictures"""
    empty: list[str] = field(default_factory=list)
    """classes without pictures"""


def _find(path: Path | None) -> Source | None:
    if path is None or not path.is_dir():
        return None
    parts = {part: _look(path, part) for part in (TRAIN, *EVALUATION) if (path / part).is_dir()}
    if TRAIN not in parts or parts[TRAIN] == _Part(others=parts[TRAIN].others):
        return None  # no class, and no picture
    test, unread = choose_evaluation({part: found.pictures for part, found in parts.items()})
    files: list[str] = []
    for part in (TRAIN, test):
        if part is not None:
            _check(parts[part], path / part)
            files += parts[part].pictures
            if others := parts[part].others:
                unread.append(f"{part}: {len(others):,} files that are no pictures, such as {others[0]}")
    beside = [entry.name for entry in _visible(path) if entry.is_dir() and entry.name not in parts]
    unread += [f"{name}: not read" for name in beside]
    return Source(path, {name: partial(read_file, path / name) for name in files}, tuple(unread))


def _look(path: Path, part: str) -> _Part:
    found = _Part()
    for entry in _visible(path / part):
        name = f"{part}/{entry.name}"
        if not entry.is_dir():
            (found.misplaced if _is_picture(name) else found.others).append(name)
            continue
        inside = _visible(path / name)
        files = [f"{name}/{file.name}" for file in inside if not file.is_dir()]
        pictures = [file for file in files if _is_picture(file)]
        found.pictures += pictures
        found.others += [file for file in files if not _is_picture(file)]
        deeper = [
            file.relative_to(path).as_posix()
            for folder in inside if folder.is_dir()
            for file in sorted(Path(folder).rglob("*")) if _is_picture(file.name)
        ]  # fmt: skip
        found.misplaced += deeper
        if not pictures and not deeper:
            found.empty.append(entry.name)
    found.pictures.sort()
    return found


def _check(part: _Part, folder: Path) -> None:
    if part.misplaced:
        raise DataError(
            f"pictures must lie directly in the folder of their class, but {len(part.misplaced):,} below {folder} do "
            f"not, such as {part.misplaced[0]}; move them there, or out of the data set"
        )
    if part.empty:
        others = f" (its files are no {', '.join(SUFFIXES)}, such as {part.others[0]})" if part.others else ""
        raise DataError(
            f"every class must have pictures, but {folder} has none of {', '.join(part.empty)}{others}; "
            f"add them or remove the folder"
        )


def _decode(source: Source) -> tuple[Labelled, Labelled | None]:
    train = [name for name in source.files if name.startswith(f"{TRAIN}/")]
    test = [name for name in source.files if not name.startswith(f"{TRAIN}/")]
    classes = sorted({_class_of(name) for name in train})
    if unknown := {_class_of(name) for name in test} - set(classes):
        raise DataError(
            f"every class of the test images must be one of train/, but {source.place}/{test[0].split('/')[0]} has "
            f"{', '.join(sorted(unknown))}; add training images for it or remove it"
        )
    return _labelled(source, train, classes), _labelled(source, test, classes) if test else None


def _labelled(source: Source, names: Sequence[str], classes: Sequence[str]) -> Labelled:
    number = {name: label for label, name in enumerate(classes)}
    labels = [number[_class_of(name)] for name in names]
    order = in_proportion(labels)
    pictures = [Picture(f"{source.place}/{names[i]}", partial(source.read, names[i])) for i in order]
    return Labelled(pictures, np.array(labels, dtype=np.int64)[order])


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with decoding(str(folder)), os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _class_of(name: str) -> str:
    return PurePosixPath(name).parts[1]
