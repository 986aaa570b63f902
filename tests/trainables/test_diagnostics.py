"""What is recorded beside the search: the discretisation gap, the Hessian's eigenvalue, training-free scores."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.methods import diagnostics
from trainables.methods.diagnostics import discretisation, held_out, hessian_eigenvalue
from trainables.methods.hessian import dominant_eigenvalue, largest_eigenvalue
from trainables.spaces.nas_bench_201 import Genotype
from trainables.training_free import PROXIES
from trainables.trial import Trial

pytestmark = pytest.mark.trains


def finish(trial: Trial) -> Trial:
    while not trial.finished:
        trial.advance()
    return trial


@pytest.mark.parametrize(
    "eigenvalues", [[3.0, 1.0, 0.5, -2.0], [1.0, 0.2, -0.5, -4.0], [-1.0, -2.0, -3.0, -5.0], [0.0, 0.0, 0.0, 0.0]]
)
def test_power_iteration_finds_the_largest_not_the_largest_in_magnitude(eigenvalues: list[float]) -> None:
    generator = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64, generator=generator))
    matrix = basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T
    x = torch.zeros(4, dtype=torch.float64, requires_grad=True)

    def loss() -> Tensor:
        return x @ matrix @ x / 2

    start = basis.sum(dim=1)  # with a part in every direction: a random one may lack that of the largest, and stall
    found = largest_eigenvalue(loss(), x, start, iterations=500)
    assert found == pytest.approx(max(eigenvalues), abs=0.02)
    assert dominant_eigenvalue(loss(), x) == pytest.approx(max(eigenvalues), abs=1e-9)


def test_the_recorded_eigenvalue_is_that_of_the_full_hessian(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two eigenvalues are close, power iteration stops below the larger: 8 % in the worst of 60 seeds."""
    search = tiny_trial("darts", hessian_every=1, train_images=128).search
    search.epoch()
    batch = held_out(search, 16)
    logits = search.forward(batch[0], search.scores())
    exact = dominant_eigenvalue(torch.nn.functional.cross_entropy(logits, batch[1]), search.alpha)
    assert 0.5 * exact < hessian_eigenvalue(search) < 1.001 * exact
    monkeypatch.setattr(diagnostics, "largest_eigenvalue", lambda loss, x, start: dominant_eigenvalue(loss, x))
    assert hessian_eigenvalue(search) == pytest.approx(exact, rel=1e-4)


def test_diagnostics_change_nothing_of_the_search() -> None:
    """Eigenvalues and scores are looked at, so the search and its running statistics stay the same to the last bit."""
    plain, watched = tiny_trial("drnas"), tiny_trial("drnas", hessian_every=1, proxies=PROXIES)
    for trial in (plain, watched):
        trial.advance()
        trial.advance()
    assert torch.equal(plain.search.alpha, watched.search.alpha)
    states = [trial.search.supernet.state_dict() for trial in (plain, watched)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert "hessian_eigenvalue" not in plain.epochs[0] and math.isfinite(watched.epochs[0]["hessian_eigenvalue"])


def test_eigenvalues_come_every_k_epochs() -> None:
    trial = finish(tiny_trial("darts", hessian_every=2, epochs=4))
    assert ["hessian_eigenvalue" in row for row in trial.epochs] == [False, True, False, True]


def test_the_gap_closes_when_the_relaxation_is_discrete() -> None:
    search = tiny_trial("darts", train_images=128).search
    search.epoch()
    with torch.no_grad():
        search.alpha.copy_(torch.tensor([[0.0, 0.0, 0.0, 200.0, 0.0]]).expand(6, 5))
    found = discretisation(search)
    assert found["relaxed_accuracy"] == found["discrete_accuracy"]
    with torch.no_grad():
        search.alpha.copy_(torch.tensor([[200.0, 0.0, 0.0, 0.0, 0.0]]).expand(6, 5))
    none = discretisation(search)["discrete_accuracy"]
    assert none <= 35  # a cell of `none` alone says the same of every image


def test_scores_are_paired_and_recorded() -> None:
    trial = finish(tiny_trial("darts", proxies=PROXIES))
    record = trial.record()
    assert {f"proxy_{name}" for name in PROXIES} <= set(record)
    scorer = trial.search.training_free("test")
    full, skips = Genotype((3,) * 6), Genotype((1,) * 6)
    first = scorer.scores(full, PROXIES)
    assert scorer.scores(skips, PROXIES) != first
    assert scorer.scores(full, PROXIES) == first
    assert first["synflow"] > scorer.score(skips, "synflow")


def test_all_cells_meet_the_same_weights_and_proper_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three initialisations for the NTK, the same for every cell, on 16 images; 3,000 crops for the linear regions."""
    seen: list[tuple[Tensor, torch.Size]] = []

    def spy(network: torch.nn.Module, images: Tensor) -> float:
        seen.append((network.stem[0].weight.detach(), images.shape))  # type: ignore[index, union-attr]
        return 1.0

    monkeypatch.setattr("trainables.proxies.ntk_condition", spy)
    monkeypatch.setattr("trainables.proxies.linear_regions", spy)
    scorer = tiny_trial("darts").search.training_free("test")
    for operation in (2, 3):
        scorer.scores(Genotype((operation,) * 6), ("ntk_condition", "linear_regions"))
    first, second = seen[:6], seen[6:]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0][0], first[1][0])
    assert {shape for _, shape in first} == {(16, 1, 8, 8), (3000, 1, 3, 3)}
