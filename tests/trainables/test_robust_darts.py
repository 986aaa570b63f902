"""RobustDARTS: the stopping rule, the eigenvalue it watches, and the cell it returns."""

from __future__ import annotations

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial

from trainables.methods.darts import Darts
from trainables.methods.robust_darts import RobustDarts, local_averages, stopping_epoch
from trainables.spaces.nas_bench_201 import Genotype


def search_of(epochs: int = 3, **hyperparameters: object) -> RobustDarts:
    search = tiny_trial("robust_darts", epochs=epochs, channels=1, **hyperparameters).search
    assert isinstance(search, RobustDarts)
    return search


@pytest.mark.parametrize("name", ["rdarts.early_stop", "rdarts.early_stop_flat"])
def test_rule_matches_golden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through 50 epochs that train nothing, whose eigenvalues are given and whose cell is another one in each epoch."""

    def epoch_of_darts(self: Darts) -> dict[str, float]:
        self.epochs_done += 1
        return {}

    monkeypatch.setattr(Darts, "epoch", epoch_of_darts)
    case, search = golden(name), search_of(epochs=50)
    given, fired_at = iter(case.inputs["eigenvalues"]), None
    monkeypatch.setattr(search, "eigenvalue", lambda: next(given))
    monkeypatch.setattr(search, "current", lambda: Genotype.from_index(search.epochs_done - 1))
    for epoch in range(50):
        search.epoch()
        if fired_at is None and search.stopped_at is not None:
            fired_at = epoch
    assert next(given, None) is None, "measured after epochs 0, 2, ..., 48 and 49"
    assert fired_at == case.expected["detected_at"]
    assert search.derive().index == case.expected["stop_epoch"]


def test_local_averages_match_golden() -> None:
    case = golden("rdarts.early_stop")
    averages = local_averages(case.inputs["eigenvalues"][: case.expected["detected_at"] // 2 + 1])
    assert len(averages) == case.expected["n_local_avg"]
    case.check(averages[-1], "last_local_avg")
    case.check(averages[-5], "prev_local_avg")


@pytest.mark.parametrize(("factor", "start", "expected"), [(1.3, 10, None), (1.3, 0, 0), (3.5, 0, None)])
def test_rule_needs_a_rise_after_the_start(factor: float, start: int, expected: int | None) -> None:
    eigenvalues = [1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0]
    assert stopping_epoch(eigenvalues, factor, start) == expected
    assert stopping_epoch(eigenvalues[:6], factor, start) is None, "too few measurements to compare"


def test_eigenvalue_is_the_largest_curvature_in_any_direction() -> None:
    """Against second differences of the loss along the leading eigenvector found by them, in float64."""
    search = search_of()
    search.epoch()
    search.supernet.double()
    search.alpha = search.alpha.detach().double().requires_grad_()
    images, labels = search._batch(search.curvature_batches, "augmentation.curvature")
    search._batch = lambda *_: (images.double(), labels)  # type: ignore[method-assign]
    alpha, step = search.alpha.detach(), 1e-4

    def gradient(at: torch.Tensor) -> torch.Tensor:
        at = at.requires_grad_()
        return torch.autograd.grad(search.loss((images.double(), labels), at.softmax(1))[0], at)[0]

    columns = []
    for k in range(30):
        direction = torch.zeros(30, dtype=torch.float64)
        direction[k] = step
        direction = direction.view(6, 5)
        columns.append(((gradient(alpha + direction) - gradient(alpha - direction)) / (2 * step)).flatten())
    matrix = torch.stack(columns)
    expected = float(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[-1]) + search.config.arch_weight_decay
    assert search.eigenvalue() == pytest.approx(expected, rel=1e-4)


def test_a_search_in_which_the_rule_never_fires_is_darts() -> None:
    robust, plain = search_of(), tiny_trial("darts", channels=1, order="second").search
    for _ in range(3):
        assert robust.epoch() == plain.epoch()
    assert robust.stopped_at is None and robust.derive() == robust.current()
    assert len(robust.eigenvalues) == 2, "after epoch 0 and after the last, 2"
    # measuring moves the running statistics of batch normalisation only, which no training step reads
    assert torch.equal(robust.alpha, plain.alpha)


def test_a_stopped_search_keeps_its_cell_through_a_resume() -> None:
    search = search_of()
    search.epoch()
    search.stopped_at, search.cells = 0, [str(Genotype((3,) * 6))]
    resumed = search_of()
    resumed.load_state_dict(search.state_dict())
    for _ in range(2):
        resumed.epoch()
    assert resumed.stopped_at == 0 and resumed.derive() == Genotype((3,) * 6)
