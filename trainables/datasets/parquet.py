"""Hugging Face data sets: shards ``train-*.parquet`` or ``train/*.parquet``, and those of ``test`` if any."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    folders,
    read_file,
)
from trainables.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

IMAGES = ("img", "image")
LABELS = ("label", "labels")


def parquet(below: Sequence[str], label: str) -> Layout:
    """A known data set in ``data/`` or a folder named in ``below``, whose class numbers stand in ``label``.

    Columns ``img`` or ``image``: the encoded bytes, or a struct that holds them. Without test shards, those of
    ``validation`` (or ``val``) hold the test images if there are any.
    """

    def decode(source: Source) -> tuple[Labelled, Labelled | None]:
        train, test = _parts(source)
        return _numbered(source, train, label), _numbered(source, test, label) if test else None

    return Layout(f"train-*.parquet (with columns img or image, and {label})", partial(_find, below=below), decode)


def own_parquet() -> Layout:
    """A data set of the user's own: classes are the texts or numbers in ``label``, in sorted order, as of folders."""

    def decode(source: Source) -> tuple[Labelled, Labelled | None]:
        train, test = _parts(source)
        pictures, labels = _rows(source, train, LABELS)
        classes = sorted(set(labels))
        held = _rows(source, test, LABELS) if test else None
        if held and (unknown := sorted(set(held[1]) - set(classes))):
            raise DataError(
                f"every class of the test images must be one of the training images', but {source.place} has "
                f"{', '.join(map(str, unknown[:5]))} there only; add training images for it or remove it"
            )
        return _in_proportion(pictures, labels, classes), _in_proportion(*held, classes) if held else None

    return Layout("train-*.parquet (with columns img or image, and label)", partial(_find, below=()), decode)


def _find(path: Path | None, below: Sequence[str]) -> Source | None:
    for folder in folders(path, ["data", *below]):
        found = (*folder.glob("*.parquet"), *folder.glob("*/*.parquet"))
        names = sorted(file.relative_to(folder).as_posix() for file in found if not file.parent.name.startswith("."))
        parts = {part: _shards(folder, names, part) for part in (TRAIN, *EVALUATION)}
        if not parts[TRAIN]:
            continue
        test, unread = choose_evaluation(parts)
        others = sorted(set(names) - {name for shards in parts.values() for name in shards})
        if others:
            unread.append(f"{len(others):,} other .parquet files, such as {others[0]}: not read")
        files = (*parts[TRAIN], *(parts[test] if test else ()))
        return Source(folder, {name: partial(read_file, folder / name) for name in files}, tuple(unread))
    return None


def _shards(folder: Path, names: Sequence[str], part: str) -> list[str]:
    shards = [name for name in names if name.startswith((f"{part}-", f"{part}/")) or name == f"{part}.parquet"]
    declared = {int(match[1]) for name in shards if (match := re.search(r"-of-(\d+)\.parquet$", name))}
    if declared and declared != {len(shards)}:
        raise DataError(
            f"{folder} must hold all {max(declared)} shards of {part}-*.parquet, but has {', '.join(shards)}; "
            "fetch the missing ones"
        )
    return shards


def _parts(source: Source) -> tuple[list[str], list[str]]:
    """The names of the shards with training images, and of those with test images."""
    train = [name for name in source.files if re.match(rf"{TRAIN}[-./]", name)]
    return train, [name for name in source.files if name not in train]


def _numbered(source: Source, names: Sequence[str], label: str) -> Labelled:
    pictures, labels = _rows(source, names, (label,))
    if (text := next((value for value in labels if not isinstance(value, int)), None)) is not None:
        raise DataError(
            f"{label} must hold the data set's class numbers, but {source.place} has the text {text!r}; "
            f"a data set of your own is named image_folder in a study"
        )
    return Labelled(pictures, np.array(labels, dtype=np.int64))


def _in_proportion(pictures: Sequence[Picture], labels: Sequence[Any], classes: Sequence[Any]) -> Labelled:
    number = {name: place for place, name in enumerate(classes)}
    numbers = [number[name] for name in labels]
    order = in_proportion(numbers)
    return Labelled([pictures[place] for place in order], np.array(numbers, dtype=np.int64)[order])


def _rows(source: Source, names: Sequence[str], labels: Sequence[str]) -> tuple[list[Picture], list[Any]]:
    """The pictures of the shards and their classes, int or str, in the order of the rows."""
    import pyarrow as pa  # here: no other data set needs it
    import pyarrow.parquet as pq

    pictures: list[Picture] = []
    classes: list[Any] = []
    for name in names:
        content, where = source.read(name), f"{source.place}/{name}"
        with decoding(where):
            table = pq.read_table(pa.BufferReader(content))
            image = next((column for column in IMAGES if column in table.column_names), None)
            label = next((column for column in labels if column in table.column_names), None)
            if image is None or label is None:
                raise DataError(
                    f"columns must be img or image, and {labels[0]}, but those of {where} are "
                    f"{', '.join(table.column_names)}; rename them"
                )
            pictures += [
                Picture(f"{where} row {row}", partial(bytes, blob))
                for row, blob in enumerate(_encoded(table.column(image), f"column {image} of {where}"))
            ]
            classes += _classes(table.column(label), f"column {label} of {where}")
    return pictures, classes


def _encoded(column: pa.ChunkedArray, where: str) -> list[bytes]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        column = column.combine_chunks().field("bytes")
    elif not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise DataError(
            f"{where} must hold encoded pictures, but its type is {kind}; save it with Image as its feature"
        )
    if column.null_count:
        raise DataError(
            f"{where} must hold the bytes of every picture, but {column.null_count:,} have only a path or nothing; "
            f"embed the pictures in the file"
        )
    return list(column.to_pylist())


def _classes(column: pa.ChunkedArray, where: str) -> list[Any]:
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(
            f"{where} must hold one class a picture, as a number or text, but its type is {kind}; convert it"
        )
    if column.null_count:
        raise DataError(f"{where} must hold the class of every picture, but {column.null_count:,} have none; add them")
    classes = list(column.to_pylist())
    if unlabelled := sum(isinstance(value, int) and value < 0 for value in classes):
        raise DataError(
            f"{where} must hold the class of every picture, but {unlabelled:,} are below 0, as those of pictures whose "
            "class is kept secret are; leave them out"
        )
    return classes
