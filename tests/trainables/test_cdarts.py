"""CDARTS: the interaction, the ensemble and the penalty; the weight store; the cycle of iterations."""

from __future__ import annotations

import io
import math
from typing import Any

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from golden import GoldenCase, golden
from reference_supernet import edge_weights
from tiny_trials import tiny_trial
from torch import Tensor

from analysis.robustness.summary import summarise
from trainables.methods.cdarts import Cdarts, interaction, none_penalty, penalty_coefficient
from trainables.methods.cdarts_networks import DistillationHead, Introspection, WeightStore, ensemble, pool
from trainables.methods.darts import Darts
from trainables.methods.differentiable import Batch
from trainables.spaces.nas_bench_201 import OPERATIONS, Genotype
from trainables.spaces.nas_bench_201.genotype import AVG_POOL, CONV_1X1, CONV_3X3, NONE, SKIP
from trainables.spaces.nas_bench_201.supernet import Supernet

pytestmark = pytest.mark.trains

KINDS = {"kl": "kl_mean", "cosine": "neg_cosine", "mse": "mse", "smooth_l1": "smooth_l1"}
CELL = Genotype((CONV_3X3, CONV_1X1, NONE, CONV_3X3, CONV_1X1, SKIP))
DEAD_CONVOLUTION = Genotype((CONV_3X3, SKIP, NONE, CONV_1X1, NONE, AVG_POOL))
"""Node 1 leads nowhere: no gradient reaches the convolution on its incoming edge."""


def cdarts(cell: Genotype | None = None, **settings: Any) -> Cdarts:
    """A search, at alphas whose argmax is ``cell``."""
    search = tiny_trial("cdarts", **settings).search
    assert isinstance(search, Cdarts)
    if cell is not None:
        with torch.no_grad():
            search.alpha += F.one_hot(torch.tensor(cell.operations), len(OPERATIONS))
    return search


def batch_of(search: Cdarts) -> Batch:
    return search._batch(search.valid_batches, "augmentation.architecture")


def regulariser(search: Cdarts) -> float:
    return float(torch.as_tensor(search.regulariser()).detach())


def copies(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


def changed(module: torch.nn.Module, before: dict[str, Tensor]) -> set[str]:
    """The names of the parameters that are not what they were."""
    return {name for name, weight in module.named_parameters() if not torch.equal(weight, before[name])}


# formulas --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_interaction_matches_golden(kind: Any) -> None:
    case = golden("cdarts.interactive")
    expected = GoldenCase(case.inputs, case.expected[KINDS[kind]], case.rtol, case.atol)
    s, t = case.tensor("s").requires_grad_(), case.tensor("t").requires_grad_()
    value = interaction(s, t, kind, case.inputs["T"])
    expected.check(value.detach(), "loss")
    of_search, of_evaluation = torch.autograd.grad(value, (s, t))
    expected.check(of_search, "grad_search")
    expected.check(of_evaluation, "grad_eval")


@pytest.mark.parametrize("kind", KINDS)
def test_interaction_has_the_gradient_of_finite_differences(kind: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    s, t = (torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda s, t: interaction(s, t, kind, 3.0), (s, t))


@pytest.mark.parametrize("kind", KINDS)
def test_interaction_is_least_where_the_outputs_agree(kind: Any) -> None:
    s = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    at_agreement = float(interaction(s, s, kind, 2.0))
    assert at_agreement == pytest.approx(-4.0 if kind == "cosine" else 0.0, abs=1e-12)
    assert float(interaction(s, s.flip(0), kind, 2.0)) > at_agreement


def test_ensemble_matches_golden() -> None:
    case = golden("cdarts.ensemble")
    weights, outputs = case.tensor("ensemble_param"), list(case.tensor("outputs"))
    case.check(ensemble(outputs, weights, summed=False), "cat")
    case.check(ensemble(outputs, weights, summed=True), "sum")
    ones = [torch.ones(1, 1, dtype=torch.float64)] * 3
    case.check(ensemble(ones, weights, summed=False).flatten(), "weights")


def test_penalty_matches_golden() -> None:
    case = golden("cdarts.reg")
    case.check(none_penalty(case.tensor("alpha")), "l1_nb201")
    search = cdarts(epochs=32, train_images=32)
    with torch.no_grad():
        search.alpha[:, NONE] = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    settings: dict[str, Any] = {"start": 5.0, "ratio": 0.667, "pretrain": 2, "iterations": 32}
    case.check([penalty_coefficient(epoch, **settings) for epoch in case.inputs["epochs"]], "coeff")
    for search.epochs_done, coefficient in zip(case.inputs["epochs"], case.expected["coeff"], strict=True):
        assert regulariser(search) == pytest.approx(coefficient, rel=1e-6)


def test_published_accuracies_are_the_mean_of_three_cells() -> None:
    """91.12 / 94.02, 72.12 / 71.92, 45.09 / 45.51 in the paper, cut off after two digits."""
    case = golden("cdarts.aggregate")
    for column, values in case.inputs.items():
        trials = pd.DataFrame({"variant": "cdarts", "status": "ok", "seed": range(3), column: values})
        (row,) = summarise(trials, column).to_dict("records")
        expected = GoldenCase(case.inputs, case.expected[column], case.rtol, case.atol)
        expected.check(row["mean"], "mean")
        expected.check(row["std"], "std_ddof1")


# the architecture gradient ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_architecture_gradient_without_interaction_is_that_of_darts(kind: str) -> None:
    """As lambda goes to 0, lambda dL/dalpha goes to the first-order gradient."""
    search = cdarts(CELL, interaction=kind, interaction_weight=1e-4, reg_coefficient=0.0)
    search.begin_iteration()
    batch = batch_of(search)
    (gradient,) = torch.autograd.grad(search.joint_loss(batch)[0], search.alpha)
    darts = tiny_trial("darts", protocol="P1").search
    assert isinstance(darts, Darts)
    darts.supernet.load_state_dict(search.supernet.state_dict())
    with torch.no_grad():
        darts.alpha.copy_(search.alpha)
    expected, loss, logits = darts.architecture_gradient(batch, batch)
    torch.testing.assert_close(1e-4 * gradient, expected, rtol=1e-3, atol=1e-6)
    _, cross_entropy, own_logits = search.joint_loss(batch)
    torch.testing.assert_close((cross_entropy, own_logits), (loss, logits))


def test_interaction_teaches_both_networks_and_the_penalty_the_architecture() -> None:
    search = cdarts(CELL, epochs=4)
    search.begin_iteration()
    batch = batch_of(search)
    _, s = search.introspection(search.supernet, batch[0], search.mixing())
    _, t = search.introspection(search.evaluation, batch[0])
    reached = [search.alpha, search.evaluation.classifier.weight, search.introspection.weights]
    assert s.shape == t.shape == (3 * len(batch[1]), 10)
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(interaction(s, t, "smooth_l1", 2.0), reached))
    assert regulariser(search) == pytest.approx(5.0 * float(search.alpha[:, NONE].detach().abs().mean()))


# heads and ensemble ----------------------------------------------------------------------------------------------


def test_pooling_is_the_released_one_on_large_features_and_leaves_two_by_two_on_small_ones() -> None:
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pool(x)[:, :, 1, 2], x[:, :, 2:8, 4:10].mean((2, 3)))
    sides = {side: pool(x[:, :, :side, :side]).shape[-1] for side in (16, 8, 7, 4, 3, 2, 1)}
    assert sides == dict.fromkeys(sides, 2) | {16: 6}
    torch.testing.assert_close(pool(x[:, :, :4, :4])[:, :, 1, 0], x[:, :, 2:4, :2].mean((2, 3)))
    assert torch.equal(pool(x[:, :, :2, :2]), x[:, :, :2, :2])


@pytest.mark.parametrize("size", [4, 7, 8, 16, 32])
def test_introspection_reads_both_networks_at_every_image_size(size: int) -> None:
    torch.manual_seed(0)
    supernet, store = Supernet(2, 1, 3, 5), WeightStore(2, 1, 3, 5)
    introspection = Introspection(2, 5, fixed_heads=True, summed=True)
    images, mixing = torch.randn(4, 3, size, size), torch.full((6, 5), 0.2)
    for network, context in ((supernet, (mixing,)), (store.build(CELL, supernet.stem), ())):
        logits, combined = introspection(network, images, *context)
        assert logits.shape == combined.shape == (4, 5) and combined.isfinite().all()
        torch.testing.assert_close(logits, network(images, *context))
        first, second, last = network.stage_outputs(images.contiguous(memory_format=torch.channels_last), *context)
        sides = math.ceil(size / 2), math.ceil(math.ceil(size / 2) / 2)
        assert first.shape == (4, 4, sides[0], sides[0]) and second.shape == (4, 8, sides[1], sides[1])
        assert last.shape == second.shape


@pytest.mark.parametrize("fixed", [True, False])
def test_ensemble_weights_are_trained_and_heads_only_if_they_are_not_fixed(fixed: bool) -> None:
    search = cdarts(fixed_heads=fixed, warm_up=0)
    assert isinstance(search.introspection.heads[0], DistillationHead)
    before = copies(search.introspection)
    search.epoch()
    moved = changed(search.introspection, before)
    assert "weights" in moved and moved == ({"weights"} if fixed else set(before))


# the weight store ------------------------------------------------------------------------------------------------


def stored_convolutions(store: WeightStore) -> dict[tuple[int, int, int, int], Tensor]:
    """By stage, cell, edge and operation."""
    found = {}
    for s, stage in enumerate(store.stages):
        for n, cell in enumerate(stage):
            for name, weight in edge_weights(cell).items():
                _, edge, operation, *_ = name.split(".")
                found[s, n, int(edge), int(operation)] = weight.detach().clone()
    return found


def test_evaluation_network_is_the_store_at_the_corner_of_its_cell() -> None:
    torch.manual_seed(0)
    store = WeightStore(3, 2, 2, 4).double()
    with torch.no_grad():  # reductions, norm and classifier are not at their initial values either
        for weight in store.parameters():
            weight += 0.1 * torch.randn_like(weight)
    stem = Supernet(3, 2, 2, 4).double().stem
    network = store.build(CELL, stem).double()
    images = torch.randn(4, 2, 8, 8, dtype=torch.float64)
    store.stem = stem
    corner = F.one_hot(torch.tensor(CELL.operations), len(OPERATIONS)).double()
    torch.testing.assert_close(network(images), store(images, corner), rtol=1e-6, atol=1e-6)  # built in float32


def test_store_keeps_weights_by_edge_and_operation_and_gives_them_back() -> None:
    torch.manual_seed(0)
    store, stem = WeightStore(2, 2, 1, 3), Supernet(2, 2, 1, 3).stem
    initial, network = stored_convolutions(store), store.build(CELL, stem)
    assert network.stem is stem
    with torch.no_grad():
        for number, weight in enumerate(network.parameters()):
            weight.fill_(float(number))
    store.keep(network)
    kept = stored_convolutions(store)
    for place, weight in kept.items():
        s, n, edge, operation = place
        in_network = CELL.operations[edge] == operation
        own = network.stages[s][n].convolutions[str(edge)][1].weight if in_network else initial[place]
        assert torch.equal(weight, own), place
    for part in ("reductions", "norm", "classifier"):
        stored, own = store.get_submodule(part), network.get_submodule(part)
        assert all(torch.equal(a, b) for a, b in zip(stored.parameters(), own.parameters(), strict=True))
    other = store.build(Genotype((CONV_3X3, CONV_3X3, CONV_1X1, NONE, CONV_1X1, SKIP)), stem)
    for s, stage in enumerate(other.stages):
        for n, cell in enumerate(stage):
            for edge, convolution in cell.convolutions.items():
                assert torch.equal(convolution[1].weight, kept[s, n, int(edge), cell.genotype.operations[int(edge)]])
                assert (convolution[2].weight == 1).all() and (convolution[2].bias == 0).all()


def test_an_iteration_begins_and_ends_at_the_store() -> None:
    search = cdarts(CELL, warm_up=0, epochs=2)
    before = copies(search.store)
    search.begin_iteration()
    assert search.evaluation.stages[0][0].genotype == CELL and search.evaluation.stem is search.supernet.stem
    assert all(torch.equal(stored, own) for stored, own in search.store.matching(search.evaluation))
    assert not changed(search.store, before)
    search.epoch()
    assert all(torch.equal(stored, own) for stored, own in search.store.matching(search.evaluation))
    assert changed(search.store, before)


# the cycle -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epochs", "share", "expected"), [(32, 0.0625, 2), (8, 0.0625, 0), (9, 0.0625, 1), (1, 0.9, 0)]
)
def test_pretraining_is_a_share_of_the_iterations_and_never_all(epochs: int, share: float, expected: int) -> None:
    assert cdarts(epochs=epochs, pretrain=share, train_images=32).pretrain_iterations == expected


def test_pretraining_moves_the_search_network_alone() -> None:
    search = cdarts(epochs=4, pretrain=0.5)
    alpha, parts = search.alpha.detach().clone(), (search.supernet, search.store, search.introspection)
    before = [copies(part) for part in parts]
    metrics = [search.epoch() for _ in range(2)]
    moved = [changed(part, names) for part, names in zip(parts, before, strict=True)]
    assert moved[0] == set(before[0]) and moved[1:] == [set(), set()]
    assert torch.equal(search.alpha, alpha) and {"train_loss", "valid_loss", "entropy"} <= set(metrics[0])
    search.epoch()
    assert not torch.equal(search.alpha, alpha) and changed(search.store, before[1])


def test_warm_up_moves_the_evaluation_network_and_the_stem_alone() -> None:
    search = cdarts(CELL, warm_up=2)
    alpha, supernet, introspection = search.alpha.clone(), copies(search.supernet), copies(search.introspection)
    search.begin_iteration()
    assert torch.equal(search.alpha, alpha) and not changed(search.introspection, introspection)
    assert changed(search.supernet, supernet) == {"stem.0.weight", "stem.1.weight", "stem.1.bias"}
    pairs = list(search.store.matching(search.evaluation))
    assert pairs and not any(torch.equal(stored, own) for stored, own in pairs)
    assert len(search.evaluation_optimizer.state) == len(list(search.evaluation.parameters()))


def test_optimisers_start_anew_in_every_iteration_but_not_in_pretraining() -> None:
    search = cdarts(epochs=4, pretrain=0.5)
    momenta = []
    for _ in range(4):
        search.epoch()
        steps = search.architecture_optimizer.state.get(search.alpha, {}).get("step", 0)
        momenta.append((search.weight_optimizer.state[search.weights[-1]]["momentum_buffer"], int(steps)))
    assert [steps for _, steps in momenta] == [0, 0, 2, 2], "batches an epoch, not more"
    assert momenta[0][0] is momenta[1][0] and momenta[1][0] is not momenta[2][0] is not momenta[3][0]


@pytest.mark.parametrize("cell", [DEAD_CONVOLUTION, Genotype((NONE,) * 6)])
def test_a_cell_with_parts_that_lead_nowhere_is_no_obstacle(cell: Genotype) -> None:
    search = cdarts(cell)
    before, alpha = copies(search.store), search.alpha.detach().clone()
    search.epoch()
    moved = changed(search.store, before)
    assert search.alpha.isfinite().all() and not torch.equal(search.alpha, alpha)
    assert "classifier.bias" in moved
    assert not any("nodes.0.conv_3x3" in name for name in moved)


def test_gradient_of_the_evaluation_network_is_clipped() -> None:
    search = cdarts(CELL, warm_up=0, weight_decay=0.0, grad_clip=0.5)
    search.begin_iteration()
    before = [weight.detach().clone() for weight in search.evaluation_weights]
    search.evaluation_step(1e4 * search.joint_loss(batch_of(search))[0], search.alpha)
    change = [(new.detach() - old).flatten() for new, old in zip(search.evaluation_weights, before, strict=True)]
    assert float(torch.cat(change).norm()) == pytest.approx(0.08 * 0.5, rel=1e-3)
    assert float(search.alpha.grad.norm()) > 0.5, "alpha is not clipped"


def test_learning_rate_is_constant_or_a_cosine_for_both_networks() -> None:
    for schedule, expected in (("constant", [0.08] * 3), ("cosine", [0.08, 0.06025, 0.02075])):
        search = cdarts(schedule=schedule, train_images=32)
        rates = []
        for _ in range(3):
            rates.append((search.epoch()["learning_rate"], search.evaluation_optimizer.param_groups[0]["lr"]))
        assert [rate for rate, _ in rates] == pytest.approx(expected) == [rate for _, rate in rates]


def test_resume_carries_the_momentum_of_pretraining_and_the_store() -> None:
    def state_after_four_of_five(interrupted: bool) -> dict[str, Tensor]:
        settings: dict[str, Any] = {"epochs": 5, "pretrain": 0.4, "fixed_heads": False, "train_images": 32}
        trial = tiny_trial("cdarts", **settings)
        for _ in range(4):
            trial.advance()
            if interrupted:
                file = io.BytesIO()
                torch.save(trial.state_dict(), file)
                file.seek(0)
                trial = tiny_trial("cdarts", **settings)
                trial.load_state_dict(torch.load(file, weights_only=True))
        search = trial.search
        assert isinstance(search, Cdarts)
        modules = (search.supernet, search.store, search.introspection)
        return {"alpha": search.alpha.detach()} | {
            f"{number}.{name}": value
            for number, part in enumerate(modules)
            for name, value in part.state_dict().items()
        }

    whole, parts = state_after_four_of_five(interrupted=False), state_after_four_of_five(interrupted=True)
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
