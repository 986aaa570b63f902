"""Random search with weight sharing: uniform cells, weights trained one cell at a time, and both selections."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.datasets import normalise
from trainables.methods import random_ws
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype
from trainables.streams import Streams

pytestmark = pytest.mark.trains


def finished(**settings: Any) -> Any:
    search = tiny_trial("random_ws", **settings).search
    for _ in range(search.total_epochs):
        search.epoch()
    return search


def test_every_cell_is_drawn_with_equal_probability() -> None:
    """Pearson's statistic over all 15,625 cells lies within five standard deviations of its mean."""
    search = tiny_trial("random_ws").search
    search.context = dataclasses.replace(search.context, streams=Streams(1))
    draws = 5 * NUM_CELLS
    counts = np.bincount([search.draw().index for _ in range(draws)], minlength=NUM_CELLS)
    statistic = ((counts - 5.0) ** 2 / 5.0).sum()
    assert abs(statistic - (NUM_CELLS - 1)) < 5 * (2 * (NUM_CELLS - 1)) ** 0.5


def test_a_loss_is_that_of_the_mixture_at_the_drawn_cell() -> None:
    search = tiny_trial("random_ws").search
    batch = search._batch(search.train_batches, "augmentation.weights")
    for _ in range(4):
        mixing = search.mixing()
        _, logits = search.loss(batch, mixing)
        torch.testing.assert_close(logits, search.supernet(batch[0], mixing), rtol=1e-4, atol=1e-5)
        assert search.current() == search.trained_last


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_held_out_images_change_no_weight_and_no_statistic(statistics: str) -> None:
    search = tiny_trial("random_ws", statistics=statistics).search
    before = {name: value.clone() for name, value in search.supernet.state_dict().items()}
    batch = search._batch(search.valid_batches, "augmentation.architecture")
    loss, logits = search.architecture_step(batch, batch)
    assert not loss.requires_grad and logits.shape == (16, 10) and search.supernet.training
    assert all(torch.equal(value, before[name]) for name, value in search.supernet.state_dict().items())


class Oracle:
    """Replaces a search's accuracy: a cell's is its index when few images are asked for, minus it when all are."""

    def __init__(self, search: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[int, int]] = []
        everything = len(search.split.arch_labels)

        def accuracy(cell: Genotype, indices: Tensor, batch_size: int) -> float:
            assert len(indices.unique()) == len(indices) and search.supernet.training
            assert len(indices) in (batch_size, everything)
            self.asked.append((cell.index, len(indices)))
            return float(-cell.index if len(indices) == everything else cell.index)

        monkeypatch.setattr(search, "accuracy", accuracy)


def test_rsps_keeps_the_best_of_its_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_ws, "RSPS_BATCH", 20)
    search = tiny_trial("random_ws", candidates=30, epochs=1).search
    oracle = Oracle(search, monkeypatch)
    search.epoch()
    assert len(oracle.asked) == 30 and {images for _, images in oracle.asked} == {20}
    assert search.derive().index == max(cell for cell, _ in oracle.asked)


def test_randomnas_screens_in_rounds_and_judges_finalists_on_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screening prefers high indices and the final prefers low ones: the lowest finalist of all rounds wins."""
    monkeypatch.setattr(random_ws, "SCREENING_BATCHES", 1)
    monkeypatch.setattr(random_ws, "STEPS_PER_ROUND", 1)
    search = tiny_trial("random_ws", selection="randomnas", screened=40, epochs=1).search
    different = iter(torch.randperm(NUM_CELLS, generator=torch.Generator().manual_seed(0)).tolist())
    monkeypatch.setattr(search, "draw", lambda: Genotype.from_index(next(different)))  # equal ones are screened once
    oracle = Oracle(search, monkeypatch)
    search.epoch()
    screened = [cell for cell, images in oracle.asked if images == 16]
    final = [cell for cell, images in oracle.asked if images == 32]
    assert search.rounds() == 2 and len(screened) == 80 and len(final) == 20
    rounds = [sorted(part, reverse=True)[:10] for part in (screened[:40], screened[40:])]
    assert final == rounds[0] + rounds[1] and search.derive().index == min(final)


def test_round_count_is_the_published_one() -> None:
    search = tiny_trial("random_ws", selection="randomnas").search
    for epochs, batches, rounds in ((250, 390, 9), (1, 1, 1), (100, 199, 1), (100, 200, 2)):
        search.context = type("Context", (), {"scale": type("Scale", (), {"epochs": epochs})})
        search.train_batches = type("Batches", (), {"batches_per_epoch": batches})
        assert search.rounds() == rounds


def test_a_cell_is_judged_by_the_statistics_of_its_batch_or_by_those_of_training() -> None:
    searches = {name: finished(candidates=3, epochs=2, statistics=name) for name in ("batch", "running")}
    logits = {}
    for name, search in searches.items():
        search.supernet.train(name == "batch")
        indices, labels = torch.arange(0, 32), search.split.arch_labels[:32]
        images = normalise(search.split.arch_images[:32], search.context.images)
        with torch.no_grad():
            halves = [search.supernet(half, search.one_hot(search.trained_last)) for half in images.split(16)]
        search.supernet.train()
        logits[name] = torch.cat(halves)
        expected = 100 * float((logits[name].argmax(1) == labels).float().mean())
        with search.judging():
            assert search.accuracy(search.trained_last, indices, 16) == pytest.approx(expected)
        assert search.supernet.training
    assert searches["batch"].trained_last == searches["running"].trained_last
    assert not torch.allclose(logits["batch"], logits["running"], atol=0.1)


def test_selection_happens_once_and_leaves_the_draws_of_training_alone() -> None:
    """A cell chosen among more candidates, or by the other protocol, comes after the very same training."""
    searches = [
        finished(epochs=2, candidates=2),
        finished(epochs=2, candidates=9),
        finished(epochs=2, selection="randomnas", screened=3),
    ]
    for search in searches[1:]:
        assert search.trained_last == searches[0].trained_last
        for name, value in search.supernet.state_dict().items():
            assert torch.equal(value, searches[0].supernet.state_dict()[name])
    positions = [search.context.streams("selection").get_state() for search in searches]
    assert [search.derive() for search in searches] == [search.derive() for search in searches]
    assert all(
        torch.equal(search.context.streams("selection").get_state(), position)
        for search, position in zip(searches, positions, strict=True)
    )
