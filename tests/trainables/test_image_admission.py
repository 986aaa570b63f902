"""Which images are let in, through the command line: what is not read is refused or said, and nothing is misread."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from study.running import runner
from trainables.datasets import load, pictures, sources
from trainables.errors import DataError, NasStudyError
from trainables.spec import DatasetSpec

NasStudy = Any
SIDE = 8
FOLDER = {"name": "image_folder"}


@pytest.fixture
def tried(nas_study: NasStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """``nas-study run`` on the images in ``tmp_path / "data"``, up to its first trial: (exit code, what it said)."""

    def ended(*_: Any, **__: Any) -> None:
        raise NasStudyError("the first trial would begin")

    monkeypatch.setattr(runner, "run", ended)

    def call(dataset: dict[str, Any] = FOLDER) -> tuple[int, str]:
        scale = {"channels": 4, "cells": 1, "epochs": 1, "batch_size": 2}
        study = {"name": "images", "dataset": dataset, "scale": scale, "methods": {"darts": {}}, "seeds": 1}
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
        arguments = ("--data", str(tmp_path / "data"), "--store", str(tmp_path / "store"))
        code, out, err = nas_study("run", str(tmp_path / "study.yaml"), *arguments)
        assert code == 2 and err.count("\n") == 1
        return (0 if "first trial" in err else 2), out + err

    return call


def encoded(seed: int, kind: str = "png", side: int = SIDE) -> bytes:
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, kind, **({"lossless": True} if kind == "webp" else {}))
    return content.getvalue()


def put(root: Path, name: str, content: bytes | None = None) -> Path:
    file = root / "data" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encoded(len(name)) if content is None else content)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of ten pictures each, without test images."""
    for number in range(20):
        put(tmp_path, f"train/{'ab'[number % 2]}/{number:02d}.png", encoded(number))
    return tmp_path


# ---- folders


def sixteen_bits(kind: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full((SIDE, SIDE), 3000, kind)).save(content, "tiff")
    return content.getvalue()


def transparent(lowest: int) -> bytes:
    content = io.BytesIO()
    pixels = np.full((SIDE, SIDE, 4), 255, np.uint8)
    pixels[0, 0] = (0, 0, 0, lowest)
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


def moving() -> bytes:
    first, *others = (Image.fromarray(np.full((SIDE, SIDE), grey, np.uint8)) for grey in (0, 100, 200))
    content = io.BytesIO()
    first.save(content, "png", save_all=True, append_images=others)
    return content.getvalue()


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nested": (lambda r: put(r, "train/a/more/x.png"), "1 below {data}/train do not, such as train/a/more/x.png"),
    "without a class": (lambda r: put(r, "train/x.png"), "1 below {data}/train do not, such as train/x.png"),
    "an empty class": (lambda r: (r / "data/train/c").mkdir(), "{data}/train has none of c; add them"),
    "a class of other files": (lambda r: put(r, "train/c/x.heic"), "such as train/c/x.heic); add them"),
    "a fifo": (lambda r: os.mkfifo(r / "data/train/a/x.png"), "must be ordinary files, but {data}/train/a/x.png"),
    "a dangling link": (lambda r: (r / "data/train/a/x.png").symlink_to("nowhere"), "must be ordinary files"),
    "16 bits": (lambda r: put(r, "train/a/x.png", sixteen_bits("u2")), "x.png has more (Pillow's mode I;16)"),
    "floats": (lambda r: put(r, "train/a/x.png", sixteen_bits("f4")), "x.png has more (Pillow's mode F)"),
    "32 bits": (lambda r: put(r, "train/a/x.png", sixteen_bits("i4")), "x.png has more (Pillow's mode I)"),
    "transparent": (lambda r: put(r, "train/a/x.png", transparent(0)), "x.png is transparent in places"),
    "animated": (lambda r: put(r, "train/a/x.png", moving()), "x.png has 3 frames"),
    "no picture": (lambda r: put(r, "train/a/x.png", b"hello"), "x.png cannot be read (it begins as no picture does)"),
    "a test class of its own": (lambda r: put(r, "val/c/x.png"), "{data}/val has c; add training images"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_pictures_that_cannot_be_read_as_meant_are_refused(tried: Any, folder: Path, case: str) -> None:
    spoil, sentence = REFUSED[case]
    spoil(folder)
    code, said = tried()
    assert code == 2 and sentence.format(data=folder / "data") in said, said


def test_one_class_is_refused(tried: Any, tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path, f"train/a/{number}.png")
    code, said = tried()
    assert code == 2 and "at least two classes, but all 20 in" in said


def test_bmp_and_webp_are_read(folder: Path) -> None:
    for number, kind in enumerate(("bmp", "webp")):
        put(folder, f"train/a/x{number}.{kind}", encoded(100 + number, kind))
    data = load(DatasetSpec(name="image_folder"), folder / "data")
    assert len(data.train_images) + len(data.test_images) == 22


def test_an_alpha_channel_that_hides_nothing_is_no_fault(folder: Path) -> None:
    put(folder, "train/a/x.png", transparent(255))
    assert load(DatasetSpec(name="image_folder"), folder / "data").classes == 2


def test_what_is_not_read_is_said_and_recorded(tried: Any, folder: Path) -> None:
    for number in range(4):
        put(folder, f"val/{'ab'[number % 2]}/{number}.png")
    for name in ("validation/a/x.png", "extra/x.png", "train/a/notes.txt", ".cache/x.png", "train/a/.x.png"):
        put(folder, name)
    code, said = tried()
    assert code == 0
    unread = [
        "val: its images are the test images, since there is no test",
        "validation: not read (1 files)",
        "train: 1 files that are no pictures, such as train/a/notes.txt",
        "extra: not read",
    ]
    assert all(f"images: {phrase}\n" in said for phrase in unread), said
    recorded = json.loads((folder / "store/images/environment.json").read_text())
    assert recorded["dataset_unread"] == unread
    data = load(DatasetSpec(name="image_folder"), folder / "data")
    assert data.test_source == "official" and len(data.test_images) == 4 and len(data.train_images) == 20


def test_large_pictures_are_refused_before_they_are_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", SIDE * SIDE)
    put(folder, "train/a/x.png", encoded(0, side=SIDE + 1))
    with pytest.raises(DataError, match=r"at most 64 pixels, but .*x\.png is 9 x 9; make it smaller"):
        load(DatasetSpec(name="image_folder", image_size=4), folder / "data")


def test_few_large_pictures_lie_in_memory_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacked: list[int] = []
    resample = pictures.area_resample
    expected = load(DatasetSpec(name="image_folder", image_size=4), folder / "data")
    monkeypatch.setattr(pictures, "area_resample", lambda i, side: (stacked.append(len(i)), resample(i, side))[1])
    monkeypatch.setattr(pictures, "_TOGETHER", 3 * SIDE * SIDE)
    found = load(DatasetSpec(name="image_folder", image_size=4), folder / "data")
    assert max(stacked) == 3 and found.train_images.equal(expected.train_images)


# ---- Hugging Face


def shard(root: Path, name: str, image: Any, label: Any, **names: str) -> Path:
    file = root / "data" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({names.get("image", "image"): image, names.get("label", "label"): label}), file)
    return file


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def structs(blobs: list[bytes | None]) -> pa.Array:
    return pa.array([{"bytes": blob, "path": "x.png"} for blob in blobs], STRUCT)


def pictures_of(count: int) -> list[bytes | None]:
    return [encoded(number) for number in range(count)]


@pytest.mark.parametrize("labels", [[0, 1], ["ant", "bee"], [3, 7]], ids=["numbers", "texts", "numbers from 3"])
@pytest.mark.parametrize("plain", [False, True], ids=["structs", "bytes"])
def test_an_own_data_set_works_like_a_folder(tried: Any, tmp_path: Path, labels: list[Any], plain: bool) -> None:
    """Sorted by class, as such data sets come: images are put in proportion, as those of folders are."""
    image, label = pictures_of(30), [labels[0]] * 20 + [labels[1]] * 10
    shard(tmp_path, "data/train-00000-of-00001.parquet", pa.array(image) if plain else structs(image), label)
    shard(tmp_path, "data/validation-00000-of-00001.parquet", structs(pictures_of(2)), labels)
    shard(tmp_path, "data/odd.parquet", structs(pictures_of(2)), labels)
    code, said = tried()
    assert code == 0
    assert "images: validation: its images are the test images" in said and "1 other .parquet files" in said
    data = load(DatasetSpec(name="image_folder"), tmp_path / "data")
    assert data.classes == 2 and data.train_labels[:6].tolist() == [0, 1, 0, 0, 1, 0]
    assert data.test_labels.tolist() == [0, 1]


def test_shards_may_lie_in_a_folder_a_part(tried: Any, tmp_path: Path) -> None:
    for part in ("train", "test"):
        shard(tmp_path, f"default/{part}/0000.parquet", structs(pictures_of(20)), [0, 1] * 10)
    (tmp_path / "data").rename(tmp_path / "repository")
    (tmp_path / "repository/default").rename(tmp_path / "data")
    code, said = tried()
    assert code == 0 and "images:" not in said
    data = load(DatasetSpec(name="image_folder"), tmp_path / "data")
    assert len(data.train_images) == len(data.test_images) == 20


LAYOUTS: dict[str, tuple[Any, Any, str, dict[str, Any]]] = {
    "paths only": (
        structs([None] * 20), [0, 1] * 10, "column image of {f} must hold the bytes of every picture, but 20", FOLDER,
    ),
    "lists of numbers": (
        pa.array([[[0]]] * 20), [0, 1] * 10, "its type is list<", FOLDER,
    ),
    "paths as text": (
        pa.array(["a.png"] * 20), [0, 1] * 10, "must hold encoded pictures, but its type is string", FOLDER,
    ),
    "float labels": (
        structs(pictures_of(20)), [0.5, 1] * 10, "as a number or text, but its type is double", FOLDER,
    ),
    "missing labels": (
        structs(pictures_of(20)), [0, None] * 10, "must hold the class of every picture, but 10 have none", FOLDER,
    ),
    "unknown labels": (
        structs(pictures_of(20)), [0, -1] * 10, "but 10 are below 0, as those of pictures whose class is kept", FOLDER,
    ),
    "text labels of CIFAR-10": (
        structs(pictures_of(20)), ["cat", "dog"] * 10, "class numbers, but {d} has the text 'cat'", {"name": "cifar10"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_other_layouts_are_called_by_their_name(tried: Any, tmp_path: Path, case: str) -> None:
    image, label, sentence, dataset = LAYOUTS[case]
    file = shard(tmp_path, "train-00000-of-00001.parquet", image, label)
    code, said = tried(dataset)
    assert code == 2 and sentence.format(f=file, d=file.parent) in said and "damaged" not in said, said


# ---- ImageNet16


def imagenet16(root: Path, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    import pickle

    images = np.random.default_rng(0).integers(0, 256, (len(labels), 3 * 16 * 16), dtype=np.uint8)
    batches = [*zip(np.array_split(images, 10), np.array_split(labels, 10), strict=True), (images[: len(test)], test)]
    for name, (pixels, part) in zip(
        [*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data"], batches, strict=True
    ):
        put(root, name, pickle.dumps({"data": pixels, "labels": part.tolist()}))
    return images


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("classes", [120, 1000])
def test_labels_count_from_0_or_from_1(tmp_path: Path, first: int, classes: int) -> None:
    labels = np.resize(np.arange(classes), 1200)
    images = imagenet16(tmp_path, labels + first, labels[:200] + first)
    data = load(DatasetSpec(name="imagenet16_120"), tmp_path / "data")
    assert data.train_labels.tolist() == labels[labels < 120].tolist()
    np.testing.assert_array_equal(data.train_images.numpy().reshape(-1, 768), images[labels < 120])


@pytest.mark.parametrize(("first", "last", "test"), [(0, 120, 0), (0, 119, -1), (1, 120, 0), (0, 1000, 0)])
def test_labels_that_count_from_elsewhere_are_refused(
    tried: Any, tmp_path: Path, first: int, last: int, test: int
) -> None:
    imagenet16(tmp_path, np.resize(np.arange(first, last + 1), 1200), np.arange(test, 100))
    code, said = tried({"name": "imagenet16_120"})
    assert code == 2 and f"go from {first} to {last} and those of val_data begin at {test}" in said


# ---- packed files


def test_a_file_that_unpacks_without_end_is_refused(
    tried: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MOST_UNPACKED", 10_000)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        put(tmp_path, f"{name}-ubyte.gz", gzip.compress(bytes(10_001)))
    code, said = tried({"name": "fashion_mnist"})
    assert code == 2 and "must unpack to at most 10,000 bytes" in said and "idx3-ubyte.gz" in said


def test_a_damaged_shard_is_one_sentence(tried: Any, tmp_path: Path) -> None:
    """Arrow says what is wrong on several lines."""
    file = shard(tmp_path, "train-00000-of-00001.parquet", structs(pictures_of(20)), [0, 1] * 10)
    content = bytearray(file.read_bytes())
    content[-100:-60] = b"\xff" * 40
    file.write_bytes(content)
    code, said = tried()
    assert code == 2 and f"{file} cannot be read" in said and "damaged" in said
