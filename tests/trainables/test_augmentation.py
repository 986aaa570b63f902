"""Each augmentation against every outcome it may have, enumerated image by image."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from trainables.datasets import Augmentation, ImageData, augment, normalise
from trainables.datasets.augmentation import cutout, random_crop, random_flip

DEVICES = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
on_each_device = pytest.mark.parametrize("device", DEVICES, ids=str)


def pixels(count: int, channels: int = 3, side: int = 6) -> Tensor:
    """No pixel is 0, so that padding shows."""
    return torch.randint(1, 256, (count, channels, side, side), generator=rng(99), dtype=torch.uint8)


def rng(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def image_data(images: Tensor, augmentation: Augmentation) -> ImageData:
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    mean = torch.tensor([125.3, 123.0, 113.9], device=images.device)
    std = torch.tensor([63.0, 62.1, 66.7], device=images.device)
    return ImageData("toy", 1, images, labels, images, labels, "official", mean, std, augmentation)


def test_random_crop_is_a_window_of_the_padded_image() -> None:
    images, padding, side = pixels(2000), 2, 6
    cropped = random_crop(images, padding, rng(0))
    assert cropped.shape == images.shape
    seen = torch.zeros(2 * padding + 1, 2 * padding + 1)
    for image, crop in zip(images, cropped, strict=True):
        padded = torch.zeros(3, side + 2 * padding, side + 2 * padding, dtype=torch.uint8)
        padded[:, padding:-padding, padding:-padding] = image
        matches = [
            (top, left)
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
            if torch.equal(padded[:, top : top + side, left : left + side], crop)
        ]
        assert len(matches) == 1
        seen[matches[0]] += 1
    assert_uniform(seen.flatten())


def test_random_flip_mirrors_half_of_the_images() -> None:
    images = pixels(2000)
    flipped = random_flip(images, rng(0))
    mirrored = torch.tensor([torch.equal(f, i.flip(-1)) for f, i in zip(flipped, images, strict=True)])
    untouched = torch.tensor([torch.equal(f, i) for f, i in zip(flipped, images, strict=True)])
    assert (mirrored ^ untouched).all()
    assert_uniform(torch.stack([mirrored.sum(), untouched.sum()]))


@pytest.mark.parametrize("size", [1, 3, 4, 20])
def test_cutout_is_a_square_around_a_uniform_centre(size: int) -> None:
    side, count = 6, 3000
    holes = cutout(torch.ones(count, 2, side, side), size, rng(0)) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    squares: dict[bytes, int] = {}  # every square that a centre may make, and how many centres make it
    for row in range(side):
        for column in range(side):
            square = torch.zeros(side, side, dtype=torch.bool)
            for r in range(row - size // 2, row - size // 2 + size):
                for c in range(column - size // 2, column - size // 2 + size):
                    if 0 <= r < side and 0 <= c < side:
                        square[r, c] = True
            key = square.numpy().tobytes()
            squares[key] = squares.get(key, 0) + 1
    seen = dict.fromkeys(squares, 0)
    for hole in holes[:, 0]:
        seen[hole.numpy().tobytes()] += 1
    assert_uniform(torch.tensor([seen[key] / squares[key] for key in squares]), count / side**2)


def test_cutout_keeps_the_rest() -> None:
    batch = torch.randn(50, 3, 8, 8, generator=rng(1))
    cut = cutout(batch, 4, rng(0))
    assert torch.equal(cut[cut != 0], batch[cut != 0])


def test_normalise() -> None:
    data = image_data(pixels(4), Augmentation())
    expected = (data.train_images.double() - data.mean[:, None, None].double()) / data.std[:, None, None].double()
    got = normalise(data.train_images, data)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double(), expected, rtol=1e-6, atol=1e-6)


def test_padding_is_black_and_cutout_is_the_mean() -> None:
    data = image_data(torch.full((64, 3, 8, 8), 200, dtype=torch.uint8), Augmentation(1, True, 3))
    batch = augment(data.train_images, data, rng(0))
    levels = torch.stack([-data.mean / data.std, torch.zeros(3), (200 - data.mean) / data.std])  # [level, c]
    for channel in range(3):
        torch.testing.assert_close(batch[:, channel].unique(), levels[:, channel])


def test_without_augmentation_is_normalise_and_draws_nothing() -> None:
    data = image_data(pixels(8), Augmentation())
    generator = rng(0)
    before = generator.get_state()
    assert torch.equal(augment(data.train_images, data, generator), normalise(data.train_images, data))
    assert torch.equal(generator.get_state(), before)


@on_each_device
def test_same_generator_state_same_bits(device: torch.device) -> None:
    data = image_data(pixels(64, side=32).to(device), Augmentation(4, True, 16))
    original = data.train_images.clone()
    first, again, other = (augment(data.train_images, data, rng(seed, device)) for seed in (3, 3, 4))
    assert first.device.type == device.type
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(data.train_images, original)


def test_draws_do_not_depend_on_the_pixels() -> None:
    """Common random numbers: two data sets of one size meet the same crops, flips and squares."""
    data = image_data(pixels(16), Augmentation(1, True, 2))
    black = replace(data, train_images=torch.zeros_like(data.train_images))
    first, second = rng(0), rng(0)
    augment(data.train_images, data, first)
    augment(black.train_images, black, second)
    assert torch.equal(first.get_state(), second.get_state())


def assert_uniform(counts: Tensor, expected: float | None = None) -> None:
    """Every count within five standard errors of the expected one."""
    expected = float(counts.float().mean()) if expected is None else expected
    assert (counts - expected).abs().max() < 5 * expected**0.5
