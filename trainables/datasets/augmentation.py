"""Training augmentation and normalisation of whole batches, on the device the images lie on.

Every random operation draws from the generator it is given (which must live on the images' device), and draws the same
amount whatever the images hold: one state of the generator, one result. Draws of different batch sizes are unrelated.

Order: random crop of the zero-padded raw pixels, flip, normalise, cutout.
Sources: crop and flip, He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2;
cutout, DeVries and Taylor, arXiv:1708.04552, with the borders clipped as in the DARTS recipe.
"""

from __future__ import annotations

from trainables.datasets.images import ImageData
from trainables.later import F, Tensor, torch


def augment(images: Tensor, data: ImageData, generator: torch.Generator) -> Tensor:
    """A training batch, uint8 [b, c, h, w] -> float32 [b, c, h, w], as ``data.augmentation`` says."""
    settings = data.augmentation
    if settings.crop_padding:
        images = random_crop(images, settings.crop_padding, generator)
    if settings.flip:
        images = random_flip(images, generator)
    batch = normalise(images, data)
    return cutout(batch, settings.cutout, generator) if settings.cutout else batch


def normalise(images: Tensor, data: ImageData) -> Tensor:
    """uint8 [b, c, h, w] -> float32 [b, c, h, w], (pixel - mean) / std of each channel: all an evaluation needs."""
    return (images - data.mean[:, None, None]).div_(data.std[:, None, None])


def random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Pad [b, c, h, w] with ``padding`` zeros on each side and cut an h x w window at a random place of each image."""
    count, _, height, width = images.shape
    top, left = torch.randint(2 * padding + 1, (2, count), generator=generator, device=images.device)
    windows = F.pad(images, (padding,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=images.device), :, top, left]


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image of [b, c, h, w] left-right with probability 1/2."""
    mirrored = torch.randint(2, (len(images), 1, 1, 1), generator=generator, device=images.device)
    return torch.where(mirrored.bool(), images.flip(3), images)


def cutout(batch: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Set a ``size`` x ``size`` square of each image of [b, c, h, w] to 0 (the mean, if normalised).

    Its centre is uniform over the pixels, so the part of the square that falls outside is lost.
    """
    count, _, height, width = batch.shape
    rows = _covered(count, height, size, generator, batch.device)[:, None, :, None]
    columns = _covered(count, width, size, generator, batch.device)[:, None, None, :]
    return batch.masked_fill(rows & columns, 0.0)


def _covered(count: int, length: int, size: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """bool [count, length]: which positions a segment of ``size`` around a random centre covers."""
    first = torch.randint(length, (count, 1), generator=generator, device=device) - size // 2
    offset = torch.arange(length, device=device) - first
    return (offset >= 0) & (offset < size)
