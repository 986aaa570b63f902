"""Training a derived cell from scratch: it learns, on all training images, and meets the test set once, at the end."""

from __future__ import annotations

import dataclasses
import math
from functools import cache

import pytest
import torch

from trainables import datasets
from trainables.datasets import ImageData, normalise
from trainables.methods import Diverged
from trainables.methods.weight_training import cosine
from trainables.retraining import Retraining
from trainables.spaces import space_named
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spec import DatasetSpec, Retrain
from trainables.streams import Streams

pytestmark = pytest.mark.trains

CELL = Genotype((3, 1, 2, 1, 3, 4))
RECIPE = Retrain(epochs=3, channels=2, cells=1, batch_size=32)


@cache
def digits(train_images: int = 96) -> ImageData:
    spec = DatasetSpec(name="digits", train_images=train_images, test_images=300)
    return datasets.load(spec, None)


def retraining(recipe: Retrain = RECIPE, images: ImageData | None = None, cell: Genotype = CELL) -> Retraining:
    return Retraining(space_named("nas_bench_201"), cell, recipe, images or digits(), Streams(0))


def test_it_learns() -> None:
    """Over 30 seeds the loss fell to 4 % at most, and accuracy was 95 % at least."""
    run = retraining(Retrain(epochs=6, channels=4, cells=1, batch_size=32), digits(640))
    losses = [run.epoch()["train_loss"] for _ in range(6)]
    assert losses[-1] < losses[0] / 5
    assert run.test_accuracy() > 80


def test_learning_rate_falls_to_zero_along_a_cosine() -> None:
    run, rates = retraining(), []
    for _ in range(3):
        run.epoch()
        rates.append(run.optimizer.param_groups[0]["lr"])
    assert rates == [cosine(0.1, 0.0, epoch, 3) for epoch in range(3)] and rates[-1] == pytest.approx(0.025)


def test_test_images_have_no_say_in_the_training() -> None:
    other = dataclasses.replace(digits(), test_images=255 - digits().test_images)
    states = []
    for images in (digits(), other):
        run = retraining(images=images)
        for _ in range(2):
            run.epoch()
        states.append(run.network.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_accuracy_is_that_of_single_images_in_eval_mode() -> None:
    run = retraining()
    run.epoch()
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    accuracy = run.test_accuracy()
    assert all(torch.equal(value, before[name]) for name, value in run.network.state_dict().items())
    with torch.no_grad():
        guesses = [run.network(normalise(x[None], digits())).argmax() for x in digits().test_images]
    right = sum(int(guess == label) for guess, label in zip(guesses, digits().test_labels, strict=True))
    assert accuracy == pytest.approx(100 * right / 300)


def test_cells_are_compared_on_the_same_batches() -> None:
    runs = [retraining(), retraining(cell=Genotype((0, 0, 0, 1, 0, 0)))]
    runs[0].epoch(), runs[1].epoch()
    labels = [next(run.batches)[1] for run in runs]
    assert torch.equal(*labels)


def test_a_loss_that_is_no_number_is_a_divergence() -> None:
    images = dataclasses.replace(digits(), mean=digits().mean * math.nan)
    with pytest.raises(Diverged, match="retraining loss became nan"):
        retraining(images=images).epoch()
