"""GAEA: exponentiated gradient on the simplex, its regulariser, schedule, levels and derivation."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from golden import golden
from tiny_trials import tiny_trial
from torch import Tensor

from trainables.methods.differentiable import Batch
from trainables.methods.edge_weights import node_normalise
from trainables.methods.gaea import Gaea, GaeaConfig
from trainables.methods.simplex import (
    SMALLEST,
    clamp_then_divide,
    divide_then_clamp,
    entropic_regulariser,
    exponentiated_gradient,
)
from trainables.spaces import space_named
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spaces.nas_bench_201.genotype import NONE
from trainables.spaces.nas_bench_201.supernet import Supernet

pytestmark = pytest.mark.trains


class ToyGaea(Gaea):
    """GAEA whose loss is linear in the mixing weights, so that the gradient is what the golden case says."""

    space = space_named("nas_bench_201")

    def __init__(self, alpha: Tensor, gradient: Tensor, **hyperparameters: Any) -> None:
        self.config = GaeaConfig(exclude_none=False, **hyperparameters)
        self.supernet = Supernet(1, 1, 1, 2)  # which the loss does not read
        self.alpha, self.gradient, self.epochs_done = alpha.requires_grad_(), gradient, 0

    @property
    def total_epochs(self) -> int:
        return 1

    def mixing(self) -> Tensor:
        return self.alpha

    def loss(self, batch: Batch, mixing: Tensor) -> tuple[Tensor, Tensor]:
        return (mixing * self.gradient).sum(), batch[0]


def simplex(rows: int = 6, columns: int = 4) -> Tensor:
    draws = torch.rand(rows, columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return clamp_then_divide(draws)


def test_exponentiated_gradient_matches_golden() -> None:
    case = golden("gaea.eg_step")
    assert case.inputs["min_v"] == SMALLEST
    case.check(exponentiated_gradient(case.tensor("alpha"), case.tensor("grad"), case.inputs["lr"]), "alpha")


@pytest.mark.parametrize("name", ["gaea.eg_step", "gaea.eg_step_entropy"])
def test_architecture_step_matches_golden(name: str) -> None:
    case = golden(name)
    gradient = case.tensor("grad" if name == "gaea.eg_step" else "grad_task")
    entropy = case.inputs.get("arch_weight_decay", 0.0)
    search = ToyGaea(case.tensor("alpha"), gradient, arch_lr=case.inputs["lr"], entropy=entropy)
    search.architecture_step((gradient, gradient), (gradient, gradient))
    case.check(search.alpha.detach(), "alpha")


def test_both_orders_of_normalisation_match_golden() -> None:
    case = golden("gaea.normalise_order")
    case.check(clamp_then_divide(case.tensor("x")), "edarts")
    case.check(divide_then_clamp(case.tensor("x")), "egdas")


def test_edge_step_matches_golden() -> None:
    case = golden("gaea.edge_step")
    normalise = partial(node_normalise, inputs=case.inputs["n_inputs"])
    stepped = exponentiated_gradient(case.tensor("edges"), case.tensor("grad"), case.inputs["lr"], normalise)
    case.check(stepped, "edges")


def test_temperature_of_the_gdas_variant_matches_golden() -> None:
    case = golden("gaea.egdas_tau")
    search = tiny_trial("gaea", variant="gdas", warm_up=0.2, epochs=250).search
    taus = []
    for search.epochs_done in case.inputs["epochs"]:
        taus.append(search.tau())
    case.check(taus, "tau")


def test_cosine_is_laid_over_twice_the_epochs() -> None:
    case = golden("gaea.lr_nb201")
    search = tiny_trial("gaea", epochs=25, train_images=32, channels=1).search
    assert search.schedule_epochs() == case.inputs["T"]
    rates = [search.epoch()["learning_rate"] for _ in range(25)]
    case.check([rates[epoch] for epoch in case.inputs["epochs"]], "lr")


# the update ------------------------------------------------------------------------------------------------------


def test_step_stays_on_the_simplex_whatever_the_gradient() -> None:
    alpha = simplex()
    for scale in (0.0, 1.0, 1e2, 1e3):
        gradient = scale * torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        stepped = exponentiated_gradient(alpha, gradient, lr=0.1)
        torch.testing.assert_close(stepped.sum(1), torch.ones(6, dtype=torch.float64))
        assert (stepped > 0).all()


def test_step_is_softmax_descent_in_the_logarithm_of_alpha() -> None:
    """Away from the clamp, EG is softmax(log alpha - lr g)."""
    alpha, gradient = simplex(), torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected = (alpha.log() - 0.1 * gradient).softmax(1)
    torch.testing.assert_close(exponentiated_gradient(alpha, gradient, lr=0.1), expected)


def test_step_depends_on_differences_of_the_gradient_only() -> None:
    alpha, gradient = simplex(), torch.arange(24, dtype=torch.float64).view(6, 4)
    shifted = gradient + torch.tensor([[5.0], [-3.0], [0.0], [1.0], [2.0], [-7.0]])
    torch.testing.assert_close(
        exponentiated_gradient(alpha, gradient, lr=0.05), exponentiated_gradient(alpha, shifted, lr=0.05)
    )


def test_entropic_regulariser_is_zero_at_uniform_and_largest_at_a_corner() -> None:
    uniform = torch.full((6, 4), 0.25, dtype=torch.float64)
    corner = clamp_then_divide(torch.eye(4, dtype=torch.float64)[[0, 1, 2, 3, 0, 1]])
    assert entropic_regulariser(uniform) == pytest.approx(0.0)
    assert 0 < entropic_regulariser(simplex()) < entropic_regulariser(corner) < 6 * torch.tensor(4.0).log()


def test_entropic_regulariser_pulls_towards_uniform() -> None:
    alpha = simplex()
    search = ToyGaea(alpha.clone(), torch.zeros(6, 4, dtype=torch.float64), entropy=0.1)
    for _ in range(2000):
        search.architecture_step((alpha, alpha), (alpha, alpha))
    torch.testing.assert_close(search.alpha.detach(), torch.full_like(alpha, 0.25), rtol=0, atol=1e-6)


def test_each_variant_steps_by_its_own_normalisation() -> None:
    generator = torch.Generator().manual_seed(3)
    gradient = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    gradient[:, 0] = 200  # drives the first operation to the clamp
    operations = simplex(columns=5)
    edges = node_normalise(torch.rand(6, generator=generator, dtype=torch.float64), (1, 2, 3))
    batch = (gradient, gradient)

    search = ToyGaea(torch.cat([operations, edges[:, None]], 1), gradient, variant="pc_darts", edge_lr=0.3)
    search.architecture_step(batch, batch)
    expected = exponentiated_gradient(operations, gradient[:, :5], 0.1)
    torch.testing.assert_close(search.candidates().detach(), expected)
    stepped, expected = search.edge_weights(), edges * torch.exp(-0.3 * gradient[:, 5])
    assert stepped is not None and stepped[0] == 1, "node 1 has one edge"
    torch.testing.assert_close(stepped[3:].detach(), expected[3:] / expected[3:].sum())

    search = ToyGaea(operations.clone(), gradient[:, :5], variant="gdas")
    search.architecture_step(batch, batch)
    assert search.alpha.min() == SMALLEST and (search.alpha.sum(1) > 1).all(), "divided, then clamped"


# on the supernet -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exclude_none", "candidates"), [(True, 4), (False, 5)])
def test_search_starts_uniform_and_stays_on_the_simplex(exclude_none: bool, candidates: int) -> None:
    search = tiny_trial("gaea", exclude_none=exclude_none, arch_lr=1.0).search
    assert torch.equal(search.alpha, torch.full((6, candidates), 1 / candidates))
    for _ in range(2):
        search.epoch()
        scores = search.scores()
        torch.testing.assert_close(scores.sum(1), torch.ones(6))
        assert (scores[:, 1:] > 0).all()
        assert scores[:, NONE].eq(0).all() == exclude_none
    assert (search.alpha != 1 / candidates).all()


def test_none_is_derived_only_if_it_is_a_candidate() -> None:
    for exclude_none in (True, False):
        search = tiny_trial("gaea", exclude_none=exclude_none, level="single").search
        with torch.no_grad():
            search.alpha.copy_(clamp_then_divide(torch.eye(search.alpha.shape[1])[:1].expand(6, -1)))
        assert search.derive().operations == (1 if exclude_none else 0,) * 6


def test_bilevel_keeps_the_cell_of_the_best_validated_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    search = tiny_trial("gaea", epochs=4).search
    cells, accuracies = [Genotype((o,) * 6) for o in (1, 2, 3, 4)], iter((30.0, 50.0, 50.0, 40.0))
    monkeypatch.setattr(search, "validate", lambda: next(accuracies))
    for cell in cells:
        monkeypatch.setattr(search, "current", lambda cell=cell: cell)
        search.epoch()
    assert search.derive() == cells[1], "the first of equally good epochs"


def test_single_level_never_validates_and_exports_the_last_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    search = tiny_trial("gaea", level="single").search
    monkeypatch.setattr(search, "validate", lambda: pytest.fail("a single-level run validated"))
    metrics = search.epoch()
    assert not any(name.startswith("valid") for name in metrics)
    assert search.derive() == search.current()


def test_single_level_trains_both_on_all_images() -> None:
    bilevel, single = (tiny_trial("gaea", level=level).search for level in ("bilevel", "single"))
    assert single.train_batches.batches_per_epoch == single.valid_batches.batches_per_epoch == 4
    assert bilevel.train_batches.batches_per_epoch == bilevel.valid_batches.batches_per_epoch == 2
    orders = [next(stream)[1] for stream in (single.train_batches, single.valid_batches)]
    assert not torch.equal(*orders), "the two steps see the same images, not the same batch"


def test_validation_uses_running_statistics_and_leaves_the_search_as_it_was() -> None:
    search = tiny_trial("gaea").search
    search.epoch()
    before = {name: value.clone() for name, value in search.supernet.state_dict().items()}
    accuracies = {search.validate() for _ in range(2)}
    assert len(accuracies) == 1 and 0 <= accuracies.pop() <= 100
    assert search.supernet.training
    assert all(torch.equal(value, before[name]) for name, value in search.supernet.state_dict().items())


# the variants on the supernet ------------------------------------------------------------------------------------


def test_edge_weights_start_uniform_and_stay_on_the_simplex_of_their_node() -> None:
    search = tiny_trial("gaea", variant="pc_darts", channels=4, edge_lr=1.0).search
    uniform = torch.tensor([1, 1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])
    assert torch.equal(search.edge_weights(), uniform)
    search.epoch()
    edges = search.edge_weights().detach()
    assert edges[0] == 1 and (edges[1:] != uniform[1:]).all()
    torch.testing.assert_close(torch.stack([part.sum() for part in edges.split([1, 2, 3])]), torch.ones(3))


def test_sampled_operations_are_drawn_from_alpha_itself() -> None:
    search = tiny_trial("gaea", variant="gdas", exclude_none=False).search
    alpha = torch.tensor([0.4, 0.05, 0.25, 0.2, 0.1])
    search.alpha = alpha.repeat(6, 1)
    draws = torch.stack([search.mixing() for _ in range(2000)])
    assert draws.unique().allclose(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(draws.mean((0, 1)), alpha, rtol=0, atol=0.015)


def test_gdas_variant_runs_sampled_cells_only(monkeypatch: pytest.MonkeyPatch) -> None:
    search = tiny_trial("gaea", variant="gdas").search
    passes: list[object] = []
    forward = search.supernet.forward
    monkeypatch.setattr(
        search.supernet, "forward", lambda x, mixing, *e: (passes.append(mixing), forward(x, mixing))[1]
    )
    batch = search._batch(search.train_batches, "augmentation.weights")
    search.steps(batch, batch)
    assert [type(mixing).__name__ for mixing in passes] == ["SinglePath"] * 2
    assert not any(NONE in mixing.operations for mixing in passes), "none is not a candidate"


def test_warm_up_leaves_alpha_uniform_and_its_epochs_are_not_picked(monkeypatch: pytest.MonkeyPatch) -> None:
    search = tiny_trial("gaea", variant="gdas", warm_up=0.5, epochs=4).search
    accuracies = iter((30.0, 20.0))
    monkeypatch.setattr(search, "validate", lambda: next(accuracies))
    for epoch in range(4):
        search.epoch()
        assert search.alpha.eq(0.25).all() == (epoch < 2)
        if epoch == 2:
            picked = search.current()
    assert search.best_accuracy == 30.0 and search.derive() == picked
    assert torch.equal(search.validated(), torch.nn.functional.one_hot(torch.tensor(search.current().operations), 5))
    assert search.space.derive(search.validated()) == search.current()
