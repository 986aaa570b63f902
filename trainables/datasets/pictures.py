"""Encoded pictures, decoded through Pillow."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainables.datasets.images import area_resample
from trainables.datasets.sources import Picture, decoding
from trainables.errors import DataError
from trainables.later import Tensor, torch

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 2**25
"""Of one picture; searches see them at a few dozen pixels a side."""
_TOGETHER = 2**26
"""Pixels that lie in memory at full size at once."""


def decode_pictures(pictures: Sequence[Picture], channels: int, image_size: int | None) -> Tensor:
    """uint8 [n, channels, side, side]: grey for one channel, RGB for three, resampled to ``image_size`` if given.

    Raises DataError for a picture that cannot be read, has more than 8 bits a channel, transparent places or more than
    MOST_PIXELS, and for pictures that are not square or not of one size where no ``image_size`` is given.
    """
    chunks: list[Tensor] = []
    decoded = enumerate(_pixels(picture, channels) for picture in pictures)
    # Runs of one size, resampled as they come: pictures of any size never all lie in memory at full size.
    for ((height, width, _), _), run in groupby(decoded, key=_run_of):
        numbers, pixels = zip(*run, strict=True)
        side = image_size or (chunks[0].shape[3] if chunks else width)
        if image_size is None and (height, width) != (side, side):
            raise DataError(
                f"pictures must be square and of one size, but {pictures[numbers[0]].name} is {width} x {height} "
                f"and {pictures[0].name} is {side} pixels wide; set `image_size` to resample them all"
            )
        chunks.append(area_resample(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), side))
    return torch.cat(chunks)


def in_proportion(labels: Sequence[int]) -> list[int]:
    """An order of the images in which every run holds the classes in proportion.

    So the first n images, halves and the held-out fifth all mean something, which they would not if one class followed
    the other.
    """
    counts, seen = Counter(labels), Counter[int]()
    keys = []
    for place, label in enumerate(labels):
        keys.append(((seen[label] + 0.5) / counts[label], label, place))
        seen[label] += 1
    return [place for _, _, place in sorted(keys)]


def _run_of(numbered: tuple[int, NDArray[np.uint8]]) -> tuple[tuple[int, ...], int]:
    number, pixels = numbered
    return pixels.shape, number // max(1, min(1024, _TOGETHER // (pixels.shape[0] * pixels.shape[1])))


def _pixels(picture: Picture, channels: int) -> NDArray[np.uint8]:
    with decoding(picture.name), _opened(picture) as opened:
        width, height = opened.size
        if width * height > MOST_PIXELS:
            raise DataError(
                f"pictures must have at most {MOST_PIXELS:,} pixels, but {picture.name} is {width} x {height}; "
                f"make it smaller"
            )
        if (frames := getattr(opened, "n_frames", 1)) > 1 and opened.format != "MPO":  # a camera's, previews behind it
            raise DataError(
                f"pictures must stand still, but {picture.name} has {frames} frames, and which of them is meant nobody "
                f"can tell; save one of them"
            )
        if opened.mode in ("I", "F") or opened.mode.startswith("I;"):
            raise DataError(
                f"pictures must have 8 bits a channel, but {picture.name} has more (Pillow's mode {opened.mode}), and "
                f"which of its values are black and white nobody can tell; convert it"
            )
        if ("A" in opened.getbands() or "transparency" in opened.info) and _lowest_alpha(opened) < 255:
            raise DataError(
                f"pictures must be opaque, but {picture.name} is transparent in places, and what lies behind it nobody "
                f"can tell; put it on a background"
            )
        pixels = np.asarray(opened.convert("L" if channels == 1 else "RGB"))
        return pixels.reshape(*pixels.shape[:2], channels)


def _opened(picture: Picture) -> Image.Image:
    from PIL import Image, UnidentifiedImageError  # here: no other data set needs it

    try:
        return Image.open(io.BytesIO(picture.content()))
    except UnidentifiedImageError:  # whose own words name an object in memory
        raise DataError(
            f"{picture.name} cannot be read (it begins as no picture does); it is damaged or not what its name "
            "says, so fetch or unpack it again, or remove it"
        ) from None


def _lowest_alpha(opened: Image.Image) -> int:
    return int(np.asarray(opened.convert("RGBA"))[:, :, 3].min())
