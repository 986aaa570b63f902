"""RobustDARTS: the stopping rule, the eigenvalue it watches, the cell it returns, and going back to an earlier one."""

from __future__ import annotations

import io
from copy import deepcopy
from typing import Any

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial

from trainables.methods.darts import Darts
from trainables.methods.robust_darts import RobustDarts, local_averages, raised_decay, stopping_epoch
from trainables.spaces.nas_bench_201 import Genotype

pytestmark = pytest.mark.trains


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
    alpha, step = search.alpha.detach(), 1e-7  # at 1e-4 a ReLU changes sign in between in one seed of four

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


# adaptive regularisation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decay", "factor", "largest", "expected"),
    [
        (3e-4, 3.0, 0.0243, [9e-4, 2.7e-3, 8.1e-3, 0.0243]),  # the release's defaults
        (3e-4, 10.0, 0.03, [3e-3, 0.03]),  # and its script
        (5e-4, 3.0, 0.0243, [1.5e-3, 4.5e-3, 0.0135, 0.0243]),
        (0.05, 3.0, 0.0243, []),
        (0.0, 3.0, 0.0243, []),
    ],
)
def test_decay_is_raised_until_it_is_the_largest(
    decay: float, factor: float, largest: float, expected: list[float]
) -> None:
    raised: list[float] = []
    value: float | None = decay
    while (value := raised_decay(value, factor, largest)) is not None:
        raised.append(value)
    assert raised == pytest.approx(expected)


def test_an_adaptive_search_goes_back_where_the_rule_says_and_on_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through epochs that move alpha and a weight by one; the eigenvalues rise as in golden until the return."""

    def epoch_of_darts(self: Darts) -> dict[str, float]:
        self.epochs_done += 1
        with torch.no_grad():
            self.alpha += 1
            self.weights[0] += 1
        return {}

    monkeypatch.setattr(Darts, "epoch", epoch_of_darts)
    case, search = golden("rdarts.early_stop"), search_of(epochs=50, remedy="adaptive")
    fires, returns = case.expected["detected_at"], case.expected["stop_epoch"]
    rising = case.inputs["eigenvalues"]
    monkeypatch.setattr(search, "eigenvalue", lambda: 0.1 if search.returned_to else rising[len(search.eigenvalues)])
    alpha, weight = search.alpha.detach().clone(), search.weights[0].detach().clone()
    trained: list[int] = []
    while len(trained) < search.total_epochs:
        search.epoch()
        trained.append(search.epochs_done - 1)
        torch.testing.assert_close(search.alpha.detach(), alpha + search.epochs_done)
        torch.testing.assert_close(search.weights[0].detach(), weight + search.epochs_done)
        assert len(search.kept) <= 7 and len(search.cells) == search.epochs_done
    assert trained == [*range(fires + 1), *range(returns + 1, 50)]
    assert search.returned_to == [returns] and search.weight_decay == pytest.approx(3 * 5e-4)
    assert len(search.eigenvalues) == 26, "after epochs 0, 2, ..., 48 and 49, those that were taken back forgotten"
    assert search.stopped_at is None and search.derive() == search.current()


def adaptive(monkeypatch: pytest.MonkeyPatch) -> RobustDarts:
    """A search in which the rule fires after epoch 12 of 14, as soon as it can, and then never again."""
    search = search_of(14, remedy="adaptive", order="first", stop_start=0, decay_factor=1e3, train_images=32)
    monkeypatch.setattr(search, "eigenvalue", lambda: 2.0 ** len(search.eigenvalues))
    return search


def test_an_adaptive_search_resumes_exactly_before_between_and_after_a_return(monkeypatch: pytest.MonkeyPatch) -> None:
    search, resumed = adaptive(monkeypatch), adaptive(monkeypatch)
    for done in range(14 + 12):
        assert done < search.total_epochs
        assert search.epoch() == resumed.epoch()
        if done in (0, 11, 12, 13, 20):
            file = io.BytesIO()
            torch.save({"search": resumed.state_dict(), "streams": resumed.context.streams.state_dict()}, file)
            state: dict[str, Any] = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
            resumed = adaptive(monkeypatch)
            resumed.context.streams.load_state_dict(state["streams"])
            resumed.load_state_dict(state["search"])
    assert search.total_epochs == 14 + 12 and search.returned_to == [0] == resumed.returned_to
    assert search.weight_decay == resumed.weight_decay == 0.0243 and not search.kept
    assert torch.equal(search.alpha, resumed.alpha)
    assert all(torch.equal(one, other) for one, other in zip(search.weights, resumed.weights, strict=True))


def test_what_is_kept_is_not_touched_by_further_training(monkeypatch: pytest.MonkeyPatch) -> None:
    search = adaptive(monkeypatch)
    search.epoch()
    before = deepcopy(search.kept[0])
    search.epoch()
    search.eigenvalues += [4.0, 8.0, 16.0, 32.0, 64.0, 128.0]  # the rule fires before the next epoch
    search.epoch()
    after = search.kept[0]
    assert search.returned_to == [0] and search.epochs_done == 2
    assert torch.equal(before["alpha"], after["alpha"])
    assert all(torch.equal(value, after["supernet"][name]) for name, value in before["supernet"].items())
    for weight, state in before["weight_optimizer"]["state"].items():
        assert torch.equal(state["momentum_buffer"], after["weight_optimizer"]["state"][weight]["momentum_buffer"])
