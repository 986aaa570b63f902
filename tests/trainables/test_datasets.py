"""Every layout written in miniature and read back, damaged files, missing files, fingerprints, and the real data."""

from __future__ import annotations

import gzip
import io
import pickle
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from trainables.datasets import DATASETS, Augmentation, ImageData, fingerprint, load
from trainables.datasets.images import area_resample, pixel_statistics
from trainables.errors import ConfigError, DataError
from trainables.spec import DatasetSpec

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


@dataclass
class Written:
    """A miniature data set on disk, and what must come out of it."""

    name: str
    files: list[Path]
    train: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


def drawn(count: int, channels: int, side: int, classes: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, channels, side, side), dtype=np.uint8), rng.integers(0, classes, count)


def png(image: NDArray[np.uint8]) -> bytes:
    """uint8 [c, h, w] -> the bytes of a PNG."""
    content = io.BytesIO()
    Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(content, "png")
    return content.getvalue()


def write_pickle(file: Path, images: NDArray[np.uint8], labels: list[int], key: str, protocol: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps({"data": images.reshape(len(images), -1), key: labels}, protocol))
    return file


def write_cifar10(root: Path) -> Written:
    train, train_labels = drawn(25, 3, 32, 10, 1)
    test, test_labels = drawn(16, 3, 32, 10, 2)
    folder = root / "cifar-10-batches-py"
    files = [
        write_pickle(
            folder / f"data_batch_{i + 1}", train[5 * i :][:5], train_labels[5 * i :][:5].tolist(), "labels", i
        )
        for i in range(5)  # and every pickle protocol
    ]
    files.append(write_pickle(folder / "test_batch", test, test_labels.tolist(), "labels", 5))
    return Written("cifar10", files, train, train_labels, test, test_labels)


def write_cifar100(root: Path) -> Written:
    train, train_labels = drawn(20, 3, 32, 100, 3)
    test, test_labels = drawn(16, 3, 32, 100, 4)
    folder = root / "cifar-100-python"
    files = [
        write_pickle(folder / "train", train, train_labels.tolist(), "fine_labels", 2),
        write_pickle(folder / "test", test, test_labels.tolist(), "fine_labels", 2),
    ]
    return Written("cifar100", files, train, train_labels, test, test_labels)


def write_imagenet16(root: Path) -> Written:
    train, train_labels = drawn(200, 3, 16, 240, 5)
    test, test_labels = drawn(40, 3, 16, 240, 6)
    files = [
        write_pickle(
            root / f"train_data_batch_{i + 1}", train[i * 20 :][:20], [*(train_labels[i * 20 :][:20] + 1)], "labels", 4
        )
        for i in range(10)
    ]
    files.append(write_pickle(root / "val_data", test, [*(test_labels + 1)], "labels", 4))
    kept, test_kept = train_labels < 120, test_labels < 120
    return Written("imagenet16_120", files, train[kept], train_labels[kept], test[test_kept], test_labels[test_kept])


def write_fashion_mnist(root: Path) -> Written:
    train, train_labels = drawn(20, 1, 28, 10, 7)
    test, test_labels = drawn(16, 1, 28, 10, 8)

    def idx(name: str, array: NDArray[Any]) -> Path:
        file = root / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes())
        return file

    files = [
        idx("train-images-idx3-ubyte", train[:, 0]),
        idx("train-labels-idx1-ubyte", train_labels.astype(np.uint8)),
        idx("t10k-images-idx3-ubyte", test[:, 0]),
        idx("t10k-labels-idx1-ubyte", test_labels.astype(np.uint8)),
    ]
    return Written("fashion_mnist", files, train, train_labels, test, test_labels)


def write_shard(file: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], image: str, label: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pictures = [{"bytes": png(i), "path": None} for i in images]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({image: pa.array(pictures, kind), label: labels}), file)
    return file


def write_parquet(root: Path) -> Written:
    train, train_labels = drawn(30, 3, 32, 10, 9)
    test, test_labels = drawn(16, 3, 32, 10, 10)
    folder = root / "plain_text"
    files = [
        write_shard(folder / "train-00000-of-00002.parquet", train[:20], train_labels[:20], "img", "label"),
        write_shard(folder / "train-00001-of-00002.parquet", train[20:], train_labels[20:], "img", "label"),
        write_shard(folder / "test-00000-of-00001.parquet", test, test_labels, "img", "label"),
    ]
    return Written("cifar10", files, train, train_labels, test, test_labels)


def write_fine_parquet(root: Path) -> Written:
    train, train_labels = drawn(20, 3, 32, 100, 11)
    test, test_labels = drawn(16, 3, 32, 100, 12)
    files = [
        write_shard(root / "train-00000-of-00001.parquet", train, train_labels, "img", "fine_label"),
        write_shard(root / "test-00000-of-00001.parquet", test, test_labels, "img", "fine_label"),
    ]
    return Written("cifar100", files, train, train_labels, test, test_labels)


def write_grey_parquet(root: Path) -> Written:
    train, train_labels = drawn(20, 1, 28, 10, 13)
    test, test_labels = drawn(16, 1, 28, 10, 14)
    files = [
        write_shard(root / "data" / "train-00000-of-00001.parquet", train, train_labels, "image", "label"),
        write_shard(root / "data" / "test-00000-of-00001.parquet", test, test_labels, "image", "label"),
    ]
    return Written("fashion_mnist", files, train, train_labels, test, test_labels)


def write_image_folder(root: Path) -> Written:
    """Classes ant (20 images) and bee (10): in proportion means ant, bee, ant, ant, bee, ant, ..."""
    train, _ = drawn(30, 3, 12, 2, 15)
    test, _ = drawn(18, 3, 12, 2, 16)
    train_labels = np.array([0, 1, 0] * 10)
    test_labels = np.array([0, 1, 0] * 6)
    files = []
    for part, images, labels in (("train", train, train_labels), ("test", test, test_labels)):
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            file = root / part / ("ant", "bee")[label] / f"{i:02d}.{'PNG' if i == 0 else 'png'}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(image))
            files.append(file)
    (root / "train" / "ant" / "notes.txt").write_text("not a picture")
    (root / "train" / ".cache").mkdir()
    (root / "train" / ".cache" / "thumb.png").write_bytes(b"not a class")
    return Written("image_folder", files, train, train_labels, test, test_labels)


LAYOUTS: dict[str, Callable[[Path], Written]] = {
    "cifar10 pickles": write_cifar10,
    "cifar100 pickles": write_cifar100,
    "imagenet16 pickles": write_imagenet16,
    "idx": write_fashion_mnist,
    "parquet": write_parquet,
    "fine parquet": write_fine_parquet,
    "grey parquet": write_grey_parquet,
    "image folder": write_image_folder,
}
each_layout = pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS.keys())


def assert_holds(data: ImageData, written: Written) -> None:
    assert data.name == written.name
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.dtype == torch.int64
    np.testing.assert_array_equal(data.train_images, written.train)
    np.testing.assert_array_equal(data.train_labels, written.train_labels)
    np.testing.assert_array_equal(data.test_images, written.test)
    np.testing.assert_array_equal(data.test_labels, written.test_labels)
    assert data.test_source == "official"


class TestLayouts:
    @each_layout
    def test_pixels_and_labels_survive(self, write: Callable[[Path], Written], tmp_path: Path) -> None:
        written = write(tmp_path)
        data = load(DatasetSpec(name=written.name), tmp_path)
        assert_holds(data, written)
        assert data.train_images.is_contiguous()
        assert data.mean.shape == data.std.shape == (data.channels,)
        assert data.augmentation == Augmentation(crop_padding=data.image_size // 8, flip=True, cutout=0)

    @pytest.mark.parametrize("write", [write_cifar10, write_cifar100, write_parquet])
    def test_path_may_be_the_folder_itself(self, write: Callable[[Path], Written], tmp_path: Path) -> None:
        written = write(tmp_path)
        folder = written.files[0].parent
        assert folder != tmp_path
        assert_holds(load(DatasetSpec(name=written.name), folder), written)

    @pytest.mark.parametrize("write", [write_cifar10, write_cifar100])
    def test_official_archive(self, write: Callable[[Path], Written], tmp_path: Path) -> None:
        written = write(tmp_path / "unpacked")
        folder = written.files[0].parent
        archive = (
            tmp_path / "packed" / f"{folder.name.removesuffix('-batches-py').removesuffix('-python')}-python.tar.gz"
        )
        archive.parent.mkdir()
        with tarfile.open(archive, "w:gz") as members:
            members.add(folder, folder.name)
        spec = DatasetSpec(name=written.name)
        for path in (archive, archive.parent):
            assert_holds(load(spec, path), written)
            assert fingerprint(spec, path) == fingerprint(spec, folder)
        archive.write_bytes(archive.read_bytes()[:-100])
        with pytest.raises(DataError, match=rf"{archive.name} cannot be read"):
            load(spec, archive)

    def test_gzipped_idx(self, tmp_path: Path) -> None:
        written = write_fashion_mnist(tmp_path)
        spec = DatasetSpec(name="fashion_mnist")
        before = fingerprint(spec, tmp_path)
        for file in written.files:
            Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
        assert_holds(load(spec, tmp_path), written)
        assert fingerprint(spec, tmp_path) == before

    def test_last_fifth_is_held_out_without_a_test_file(self, tmp_path: Path) -> None:
        written = write_parquet(tmp_path)
        written.files[-1].unlink()
        data = load(DatasetSpec(name="cifar10", train_images=16), tmp_path)
        assert data.test_source == "held_out"
        np.testing.assert_array_equal(data.train_images, written.train[:16])
        np.testing.assert_array_equal(data.test_images, written.train[24:])
        np.testing.assert_array_equal(data.test_labels, written.train_labels[24:])
        with pytest.raises(DataError, match="at least 25 images for `train_images`, but has 24"):
            load(DatasetSpec(name="cifar10", train_images=25), tmp_path)

    def test_digits(self) -> None:
        data = load(DatasetSpec(name="digits"), None)
        assert data.train_images.shape == (1402, 1, 8, 8)
        assert data.test_images.shape == (395, 1, 8, 8)
        assert data.augmentation == Augmentation()
        assert data.train_images.max() == 255
        shares = data.test_labels.bincount() / (data.test_labels.bincount() + data.train_labels.bincount())
        assert (shares - 0.22).abs().max() < 0.005
        mean, std = pixel_statistics(data.train_images)
        assert data.mean.tolist() == pytest.approx(mean, abs=0.01)
        assert data.std.tolist() == pytest.approx(std, abs=0.01)
        with pytest.raises(DataError, match="remove the path"):
            load(DatasetSpec(name="digits"), Path("anywhere"))


class TestDamage:
    @each_layout
    def test_truncated_file_is_named(self, write: Callable[[Path], Written], tmp_path: Path) -> None:
        written = write(tmp_path)
        for file in written.files[:: max(1, len(written.files) // 4)]:
            whole = file.read_bytes()
            for length in (0, len(whole) // 2, len(whole) - 1):
                if file.suffix.lower() == ".png" and length == len(whole) - 1:
                    continue  # only the checksum of a PNG's end mark is lost, and no pixel
                file.write_bytes(whole[:length])
                with pytest.raises(DataError, match=rf"{file.name}.* cannot be read"):
                    load(DatasetSpec(name=written.name), tmp_path)
            file.write_bytes(whole)

    @pytest.mark.parametrize("write", [write_cifar10, write_cifar100, write_imagenet16, write_fashion_mnist])
    def test_missing_file_is_named(self, write: Callable[[Path], Written], tmp_path: Path) -> None:
        written = write(tmp_path)
        written.files[1].unlink()
        assert_both_raise(DatasetSpec(name=written.name), tmp_path, rf"lacks {written.files[1].name}; unpack")

    def test_missing_shard(self, tmp_path: Path) -> None:
        write_parquet(tmp_path).files[0].unlink()
        assert_both_raise(
            DatasetSpec(name="cifar10"), tmp_path, r"all 2 shards .* but has train-00001-of-00002.parquet"
        )

    @pytest.mark.parametrize("name", sorted(set(DATASETS) - {"digits"}))
    def test_path_without_the_files(self, name: str, tmp_path: Path) -> None:
        spec, obtain = DatasetSpec(name=name), DATASETS[name].obtain.split("(")[0]
        assert_both_raise(spec, None, rf"the path of {name} must hold .*, but no path was given; {obtain}")
        assert_both_raise(spec, tmp_path, rf"but {tmp_path} does not; {obtain}")
        assert_both_raise(spec, tmp_path / "nowhere", rf"but {tmp_path}/nowhere does not exist; {obtain}")

    def test_wrong_name_suggests_the_nearest(self) -> None:
        with pytest.raises(ConfigError, match="did you mean 'cifar10'"):
            load(DatasetSpec(name="cifar-10"), None)

    def test_labels_out_of_range(self, tmp_path: Path) -> None:
        images, labels = drawn(20, 3, 32, 10, 1)
        write_shard(tmp_path / "train-0.parquet", images, labels + 5, "img", "label")
        with pytest.raises(DataError, match=r"labels of cifar10 must lie in 0\.\.9"):
            load(DatasetSpec(name="cifar10"), tmp_path)

    def test_parquet_with_other_columns(self, tmp_path: Path) -> None:
        images, labels = drawn(20, 3, 32, 10, 1)
        write_shard(tmp_path / "train-0.parquet", images, labels, "img", "label")
        with pytest.raises(DataError, match=r"columns must be img or image, and fine_label, but .* are img, label"):
            load(DatasetSpec(name="cifar100"), tmp_path)

    def test_more_labels_than_images(self, tmp_path: Path) -> None:
        written = write_cifar10(tmp_path)
        write_pickle(written.files[0], written.train[:5], [0] * 6, "labels", 2)
        with pytest.raises(DataError, match=r"data_batch_1 cannot be read .*5 images, but 6 labels"):
            load(DatasetSpec(name="cifar10"), tmp_path)


class TestOptions:
    def test_first_n_images(self, tmp_path: Path) -> None:
        written = write_fashion_mnist(tmp_path)
        data = load(DatasetSpec(name="fashion_mnist", train_images=17, test_images=16), tmp_path)
        np.testing.assert_array_equal(data.train_images, written.train[:17])
        np.testing.assert_array_equal(data.train_labels, written.train_labels[:17])
        with pytest.raises(DataError, match="at least 17 images for `test_images`, but has 16"):
            load(DatasetSpec(name="fashion_mnist", test_images=17), tmp_path)

    @pytest.mark.parametrize("write", [write_cifar100, write_parquet])
    def test_resampling_by_a_whole_factor_is_the_block_mean(
        self, write: Callable[[Path], Written], tmp_path: Path
    ) -> None:
        written = write(tmp_path)
        data = load(DatasetSpec(name=written.name, image_size=16), tmp_path)
        blocks = written.train.reshape(-1, 3, 16, 2, 16, 2).mean((3, 5))
        np.testing.assert_array_equal(data.train_images, np.rint(blocks))
        assert data.augmentation.crop_padding == 2

    def test_image_folder_of_many_sizes_needs_a_size(self, tmp_path: Path) -> None:
        written = write_image_folder(tmp_path)
        large, _ = drawn(1, 3, 24, 2, 0)
        written.files[4].write_bytes(png(large[0, :, :, :20]))
        with pytest.raises(DataError, match=r"04\.png is 20 x 24 .* set `image_size`"):
            load(DatasetSpec(name="image_folder"), tmp_path)
        data = load(DatasetSpec(name="image_folder", image_size=12), tmp_path)
        np.testing.assert_array_equal(data.train_images[5], written.train[5])
        squeezed = area_resample(torch.from_numpy(large[:, :, :, :20].copy()), 12)[0]
        np.testing.assert_array_equal(data.train_images[4], squeezed)

    def test_image_folder_statistics_are_of_its_training_images(self, tmp_path: Path) -> None:
        written = write_image_folder(tmp_path)
        data = load(DatasetSpec(name="image_folder"), tmp_path)
        assert data.classes == 2
        np.testing.assert_allclose(data.mean, written.train.mean((0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(data.std, written.train.std((0, 2, 3)), rtol=1e-6)

    def test_image_folder_with_a_class_only_in_test(self, tmp_path: Path) -> None:
        write_image_folder(tmp_path)
        (tmp_path / "test" / "bee").rename(tmp_path / "test" / "wasp")
        with pytest.raises(DataError, match="test has wasp; add training images"):
            load(DatasetSpec(name="image_folder"), tmp_path)

    def test_train_and_test_images_of_different_sizes(self, tmp_path: Path) -> None:
        images, labels = drawn(16, 3, 24, 10, 1)
        written = write_parquet(tmp_path)
        write_shard(written.files[-1], images, labels, "img", "label")
        with pytest.raises(DataError, match=r"32 and 24 pixels wide .* set `image_size`"):
            load(DatasetSpec(name="cifar10"), tmp_path)


class TestFingerprint:
    @each_layout
    def test_follows_contents_not_places(self, write: Callable[[Path], Written], tmp_path: Path) -> None:
        written = write(tmp_path / "here")
        spec = DatasetSpec(name=written.name)
        first = fingerprint(spec, tmp_path / "here")
        assert len(first) == 16
        int(first, 16)
        shutil.copytree(tmp_path / "here", tmp_path / "there")
        assert fingerprint(spec, tmp_path / "there") == first
        for file in written.files:
            whole = file.read_bytes()
            file.write_bytes(bytes((whole[0] ^ 1,)) + whole[1:])
            assert fingerprint(spec, tmp_path / "here") != first
            file.write_bytes(whole)

    def test_follows_options_and_names(self, tmp_path: Path) -> None:
        file = write_image_folder(tmp_path).files[5]
        options: list[dict[str, int]] = [{}, {"image_size": 8}, {"train_images": 16}, {"test_images": 16}]
        found = [fingerprint(DatasetSpec(name="image_folder", **option), tmp_path) for option in options]
        file.rename(file.with_name("renamed.png"))
        found.append(fingerprint(DatasetSpec(name="image_folder"), tmp_path))
        assert len(set(found)) == len(found)

    def test_digits(self) -> None:
        first, again, smaller = (
            fingerprint(DatasetSpec(name="digits", train_images=n), None) for n in (None, None, 100)
        )
        assert first == again == "5cd70cccab0691c5" != smaller  # as in what is stored


class TestRealData:
    @pytest.fixture
    def root(self) -> Path:
        if not (REAL_DATA / "cifar10").is_dir():
            pytest.skip(f"the real CIFAR-10 images are not at {REAL_DATA}; only miniature files were tested")
        return REAL_DATA

    def test_lossless_cifar10(self, root: Path) -> None:
        data = load(DatasetSpec(name="cifar10", train_images=500), root / "cifar10_lossless_4000")
        assert data.test_source == "held_out"
        assert len(data.test_images) == 800
        assert data.train_labels[0] == 6  # the well-known first image, a frog
        assert data.train_images[0, 0, 0, :3].tolist() == [59, 43, 50]
        assert_near_the_constants(data)

    def test_jpeg_cifar10(self, root: Path) -> None:
        data = load(DatasetSpec(name="cifar10", train_images=500, test_images=500), root / "cifar10")
        assert data.test_source == "official"
        assert_near_the_constants(data)
        with pytest.raises(DataError, match="has 50000"):
            load(DatasetSpec(name="cifar10", train_images=50_001), root / "cifar10")


def assert_near_the_constants(data: ImageData) -> None:
    mean, std = pixel_statistics(data.train_images)
    assert data.mean.tolist() == pytest.approx(mean, abs=6)
    assert data.std.tolist() == pytest.approx(std, abs=6)
    assert data.train_labels.bincount(minlength=10).min() > 30


def assert_both_raise(spec: DatasetSpec, path: Path | None, match: str) -> None:
    with pytest.raises(DataError, match=match):
        load(spec, path)
    with pytest.raises(DataError, match=match):
        fingerprint(spec, path)
