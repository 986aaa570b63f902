"""A data set as the searches see it: uint8 tensors on the device, and the statistics to normalise them by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from trainables.later import F, Tensor, torch


@dataclass(frozen=True)
class Augmentation:
    """What ``augment`` does to a training batch; the default does nothing but normalise.

    Cutout is no data set's default; the DARTS evaluation recipe uses 16 on 32-pixel images.
    """

    crop_padding: int = 0
    """zero pixels added on each side before a random crop back to the original size"""
    flip: bool = False
    """mirror left-right with probability 1/2"""
    cutout: int = 0
    """side length of the square set to the mean; 0 is off"""


@dataclass(frozen=True, eq=False)
class ImageData:
    """One data set, whole, on one device.

    ``mean`` and ``std`` [c] are float32 in units of raw pixels (0..255), of the training images.
    """

    name: str
    classes: int
    train_images: Tensor
    """uint8 [n, c, h, w]"""
    train_labels: Tensor
    """int64 [n], in 0..classes-1"""
    test_images: Tensor
    """uint8 [m, c, h, w]"""
    test_labels: Tensor
    """int64 [m]"""
    test_source: Literal["official", "held_out"]
    """held_out: the source has no test images, so the last fifth of its training images serves instead"""
    mean: Tensor
    std: Tensor
    augmentation: Augmentation

    def to(self, device: torch.device) -> ImageData:
        """The same on another device."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, torch.Tensor)}
        moved: dict[str, Any] = {name: tensor.to(device) for name, tensor in tensors.items()}
        return replace(self, **moved)

    @property
    def channels(self) -> int:
        return self.train_images.shape[1]

    @property
    def image_size(self) -> int:
        """Side length in pixels; all images are square."""
        return self.train_images.shape[2]


def area_resample(images: Tensor, side: int) -> Tensor:
    """uint8 [n, c, h, w] -> uint8 [n, c, side, side]: each new pixel is the rounded mean of the area it covers.

    An oblong image is squeezed, not cropped.
    """
    if images.shape[2:] == (side, side):
        return images
    resampled = torch.empty(*images.shape[:2], side, side, dtype=torch.uint8)
    for start in range(0, len(images), 4096):  # the float copy of a whole data set would take four times its memory
        chunk = F.interpolate(images[start : start + 4096].float(), size=(side, side), mode="area")
        resampled[start : start + 4096] = chunk.round_()
    return resampled


def pixel_statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Mean and population standard deviation of each channel of uint8 [n, c, h, w], exact, in units of 0..255."""
    values = torch.arange(256, dtype=torch.float64)
    means, stds = [], []
    for channel in images.unbind(1):
        share = torch.bincount(channel.flatten(), minlength=256) / channel.numel()
        mean = float((share * values).sum())
        means.append(mean)
        stds.append(
            max(float((share * (values - mean) ** 2).sum() ** 0.5), 1.0)
        )  # a constant channel must not divide by 0
    return means, stds
