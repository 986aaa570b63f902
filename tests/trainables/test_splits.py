"""The three data protocols: which images each side of a search sees. Labels count upwards and so name the images."""

from __future__ import annotations

import pytest
import torch

from trainables.datasets import PROTOCOLS, Augmentation, ImageData, SearchSplit, split
from trainables.errors import ConfigError


def image_data(name: str, train: int = 101, test: int = 40) -> ImageData:
    def part(count: int, base: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(base, base + count)
        return labels.to(torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2).clone(), labels

    return ImageData(
        name, 10, *part(train, 0), *part(test, 200), "official", torch.ones(3), torch.ones(3), Augmentation()
    )


def named(found: SearchSplit) -> tuple[list[int], list[int], list[int]]:
    """Weight, architecture and clean test images by name; also checks that images and labels go together."""
    for images, labels in ((found.weight_images, found.weight_labels), (found.arch_images, found.arch_labels)):
        assert torch.equal(images[:, 0, 0, 0].long(), labels)
    return found.weight_labels.tolist(), found.arch_labels.tolist(), (found.clean_test + 200).tolist()


ALL_TRAIN, ALL_TEST = list(range(101)), list(range(200, 240))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_p1_cuts_in_the_middle_without_shuffling(name: str) -> None:
    weight, arch, clean = named(split("P1", image_data(name)))
    assert weight == ALL_TRAIN[:50]
    assert arch == ALL_TRAIN[50:]
    assert clean == ALL_TEST


@pytest.mark.parametrize("name", ["cifar10", "digits", "image_folder"])
def test_p2_halves_the_training_images_at_random_elsewhere(name: str) -> None:
    weight, arch, clean = named(split("P2", image_data(name)))
    assert (len(weight), len(arch)) == (50, 51)
    assert sorted(weight + arch) == ALL_TRAIN
    assert weight != ALL_TRAIN[:50]
    assert clean == ALL_TEST


@pytest.mark.parametrize("name", ["cifar100", "imagenet16_120"])
def test_p2_searches_on_half_of_the_test_images(name: str) -> None:
    weight, arch, clean = named(split("P2", image_data(name)))
    assert weight == ALL_TRAIN
    assert (len(arch), len(clean)) == (20, 20)
    assert sorted(arch + clean) == ALL_TEST
    assert arch != ALL_TEST[:20]


def test_p2_is_the_same_draw_everywhere() -> None:
    """Fixed by numpy's frozen stream: a change here would change what every recorded P2 search saw."""
    weight, _, _ = named(split("P2", image_data("cifar10", train=12)))
    assert weight == [2, 4, 6, 8, 10, 11]


def test_p3_is_all_training_images_twice() -> None:
    weight, arch, clean = named(split("P3", image_data("cifar100")))
    assert weight == arch == ALL_TRAIN
    assert clean == ALL_TEST


def test_every_split_says_what_it_is() -> None:
    found = {name: split(name, image_data("cifar100")) for name in PROTOCOLS}
    assert all(part.protocol == name for name, part in found.items())
    assert "x-valid" in found["P2"].description
    assert len({part.description for part in found.values()}) == 3


def test_unknown_protocol() -> None:
    with pytest.raises(ConfigError, match=r"unknown data protocol 'p1'; .*choose one of: P1, P2, P3"):
        split("p1", image_data("cifar10"))
