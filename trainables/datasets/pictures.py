"""Encoded pictures: Hugging Face Parquet and image folders, decoded through Pillow."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from trainables.datasets.images import area_resample
from trainables.datasets.sources import Labelled, Layout, Picture, Source, decoding, folders, read_file
from trainables.errors import DataError
from trainables.later import Tensor, torch

SUFFIXES = (".png", ".jpg", ".jpeg")


def decode_pictures(pictures: Sequence[Picture], channels: int, image_size: int | None) -> Tensor:
    """uint8 [n, channels, side, side]: grey for one channel, RGB for three, resampled to ``image_size`` if given.

    Raises DataError for a picture that cannot be read, and for pictures that are not square or not of one size where
    no ``image_size`` is given.
    """
    chunks: list[Tensor] = []
    decoded = enumerate(_pixels(picture, channels) for picture in pictures)
    # Runs of one size, resampled as they come: pictures of any size never all lie in memory at full size.
    for ((height, width, _), _), run in groupby(decoded, key=lambda item: (item[1].shape, item[0] // 1024)):
        numbers, pixels = zip(*run, strict=True)
        side = image_size or (chunks[0].shape[3] if chunks else width)
        if image_size is None and (height, width) != (side, side):
            raise DataError(
                f"pictures must be square and of one size, but {pictures[numbers[0]].name} is {width} x {height} "
                f"and {pictures[0].name} is {side} pixels wide; set `image_size` to resample them all"
            )
        chunks.append(area_resample(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), side))
    return torch.cat(chunks)


def parquet(below: Sequence[str], label: str) -> Layout:
    """A Hugging Face data set: shards ``train-*.parquet`` and, if there are any, ``test-*.parquet``.

    Columns ``img`` or ``image``, a struct that holds the encoded bytes, and the class in ``label``.
    """

    def find(path: Path | None) -> Source | None:
        for folder in folders(path, ["data", *below]):
            names = sorted(file.name for file in folder.glob("*.parquet"))
            train, test = _shards(folder, names, "train"), _shards(folder, names, "test")
            if train:
                return Source(folder, {name: partial(read_file, folder / name) for name in (*train, *test)})
        return None

    def decode(source: Source) -> tuple[Labelled, Labelled | None]:
        train = [name for name in source.files if name.startswith("train-")]
        test = [name for name in source.files if name.startswith("test-")]
        return _rows(source, train, label), _rows(source, test, label) if test else None

    return Layout(f"train-*.parquet (with columns img or image, and {label})", find, decode)


def image_folder() -> Layout:
    """``train/<class>/*.png`` (or jpg, jpeg) and, if there is one, ``test/<class>/...``; classes in sorted order.

    Images are ordered so that every run of them holds the classes in proportion: the first n images, halves and the
    held-out fifth all mean something, which they would not if one class followed the other.
    """

    def find(path: Path | None) -> Source | None:
        if path is None:
            return None
        names = [*_pictures_below(path, "train"), *_pictures_below(path, "test")]
        if not any(name.startswith("train/") for name in names):
            return None
        return Source(path, {name: partial(read_file, path / name) for name in names})

    def decode(source: Source) -> tuple[Labelled, Labelled | None]:
        train = [name for name in source.files if name.startswith("train/")]
        test = [name for name in source.files if name.startswith("test/")]
        classes = sorted({_class_of(name) for name in train})
        if unknown := {_class_of(name) for name in test} - set(classes):
            raise DataError(
                f"every class of test/ must be one of train/, but {source.place}/test has "
                f"{', '.join(sorted(unknown))}; add training images for it or remove it"
            )
        return _files(source, train, classes), _files(source, test, classes) if test else None

    return Layout("train/<class>/*.png (or jpg, jpeg)", find, decode)


def _shards(folder: Path, names: Sequence[str], part: str) -> list[str]:
    shards = [name for name in names if name.startswith(f"{part}-")]
    declared = {int(match[1]) for name in shards if (match := re.search(r"-of-(\d+)\.parquet$", name))}
    if declared and declared != {len(shards)}:
        raise DataError(
            f"{folder} must hold all {max(declared)} shards of {part}-*.parquet, but has {', '.join(shards)}; "
            "fetch the missing ones"
        )
    return shards


def _rows(source: Source, names: Sequence[str], label: str) -> Labelled:
    import pyarrow as pa  # here, as Pillow below: no other data set needs them
    import pyarrow.parquet as pq

    pictures: list[Picture] = []
    labels: list[NDArray[np.int64]] = []
    for name in names:
        content = source.read(name)
        with decoding(f"{source.place}/{name}"):
            table = pq.read_table(pa.BufferReader(content))
            image = next((column for column in ("img", "image") if column in table.column_names), None)
            if image is None or label not in table.column_names:
                raise ValueError(f"columns must be img or image, and {label}, but are {', '.join(table.column_names)}")
            encoded = table.column(image).combine_chunks().field("bytes").to_pylist()
            labels.append(table.column(label).to_numpy().astype(np.int64, casting="safe"))
            pictures += [
                Picture(f"{source.place}/{name} row {row}", partial(bytes, blob)) for row, blob in enumerate(encoded)
            ]
    return Labelled(pictures, np.concatenate(labels))


def _pixels(picture: Picture, channels: int) -> NDArray[np.uint8]:
    from PIL import Image

    with decoding(picture.name), Image.open(io.BytesIO(picture.content())) as opened:
        pixels = np.asarray(opened.convert("L" if channels == 1 else "RGB"))
        return pixels.reshape(*pixels.shape[:2], channels)


def _pictures_below(path: Path, part: str) -> list[str]:
    found = (file.relative_to(path) for file in path.glob(f"{part}/*/*") if file.suffix.lower() in SUFFIXES)
    return sorted(name.as_posix() for name in found if not any(step.startswith(".") for step in name.parts))


def _class_of(name: str) -> str:
    return PurePosixPath(name).parts[1]


def _files(source: Source, names: Sequence[str], classes: Sequence[str]) -> Labelled:
    members: dict[str, list[str]] = {name: [] for name in classes}
    for name in names:
        members[_class_of(name)].append(name)
    ordered = sorted(
        ((rank + 0.5) / len(members[class_name]), label, name)
        for label, class_name in enumerate(classes)
        for rank, name in enumerate(members[class_name])
    )
    pictures = [Picture(f"{source.place}/{name}", partial(source.read, name)) for _, _, name in ordered]
    return Labelled(pictures, np.array([label for _, label, _ in ordered], dtype=np.int64))
