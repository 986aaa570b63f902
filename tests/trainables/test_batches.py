"""The endless batch stream: what an epoch holds, and that a resumed stream goes on as if never stopped."""

from __future__ import annotations

import io
from itertools import chain, islice
from typing import Any

import pytest
import torch

from trainables.datasets import BatchStream
from trainables.errors import ConfigError

DEVICES = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]


def stream(images: int = 23, batch_size: int = 5, seed: int = 0, device: torch.device | str = "cpu") -> BatchStream:
    """The label of an image is its index, and so are its pixels."""
    labels = torch.arange(images, device=device)
    pixels = labels.to(torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4)
    return BatchStream(pixels, labels, batch_size, torch.Generator().manual_seed(seed))


def drawn(batches: BatchStream, count: int) -> list[list[int]]:
    return [labels.tolist() for _, labels in islice(batches, count)]


def saved_and_loaded(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_an_epoch_holds_each_image_at_most_once() -> None:
    batches = stream()
    assert batches.batches_per_epoch == 4
    epochs = [list(chain(*drawn(batches, 4))) for _ in range(50)]
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 50
    assert set().union(*epochs) == set(range(23))  # the dropped rest is another one each time


def test_images_and_labels_go_together() -> None:
    images, labels = next(stream())
    assert images.shape == (5, 3, 4, 4)
    assert images.dtype == torch.uint8
    assert torch.equal(images[:, 2, 3, 3].long(), labels)


def test_the_seed_decides_the_order() -> None:
    assert drawn(stream(seed=1), 9) == drawn(stream(seed=1), 9) != drawn(stream(seed=2), 9)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_the_order_is_the_same_on_every_device(device: torch.device) -> None:
    batches = stream(device=device)
    assert next(batches)[0].device.type == device.type
    assert drawn(batches, 9) == drawn(stream(), 10)[1:]


@pytest.mark.parametrize("stop", range(10))
def test_resumed_is_uninterrupted(stop: int) -> None:
    whole = drawn(stream(), 20)
    interrupted = stream()
    drawn(interrupted, stop)
    state = saved_and_loaded(interrupted.state_dict())
    drawn(interrupted, 3)  # what happens after the checkpoint must not leak into it
    resumed = stream(seed=7)
    drawn(resumed, 2)
    resumed.load_state_dict(state)
    assert drawn(resumed, 20 - stop) == whole[stop:]
    assert torch.equal(resumed.generator.get_state(), position_after(20))


def position_after(count: int) -> torch.Tensor:
    batches = stream()
    drawn(batches, count)
    return batches.generator.get_state()


def test_resuming_over_other_images_is_refused() -> None:
    with pytest.raises(ConfigError, match="23 were saved and 24 are here"):
        stream(images=24).load_state_dict(stream().state_dict())


def test_a_batch_may_be_the_whole_set_but_not_more() -> None:
    assert sorted(drawn(stream(batch_size=23), 1)[0]) == list(range(23))
    with pytest.raises(ConfigError, match="number of images that a batch is drawn from, 23, but got batch_size=24"):
        stream(batch_size=24)
