"""Progressive DrNAS: pruned operations, widened supernets, and what is carried from one stage to the next."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from golden import golden
from reference_supernet import ReferenceSupernet
from tiny_trials import tiny_trial
from torch import Tensor, nn

from trainables.errors import ConfigError
from trainables.methods.dirichlet import SampleDirichlet
from trainables.methods.drnas import KEPT, Drnas, concentration, masked, prune, stage_of
from trainables.spaces.nas_bench_201 import EDGES
from trainables.spaces.nas_bench_201.genotype import CONV_1X1, CONV_3X3
from trainables.spaces.nas_bench_201.mixtures import OUTGOING
from trainables.spaces.nas_bench_201.supernet import NodeCandidates, Supernet
from trainables.spaces.nas_bench_201.widening import (
    ChannelMap,
    draw_channels,
    draw_widening,
    widen_convolution,
    widen_features,
    widened,
)
from trainables.spec import Scale
from trainables.streams import Streams

pytestmark = pytest.mark.trains

MASK = torch.tensor([[True, False, True, True, False]] * 6)


def progressive(**settings: Any) -> Drnas:
    search = tiny_trial("drnas", **{"progressive": True, "partial_channels": 2} | settings).search
    assert isinstance(search, Drnas)
    return search


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def alpha(seed: int = 0) -> Tensor:
    return torch.randn(6, 5, generator=generator(seed), dtype=torch.float64)


# pruning ---------------------------------------------------------------------------------------------------------


def test_pruning_twice_matches_golden() -> None:
    case = golden("drnas.prune")
    pruned, mask = prune(case.tensor("alpha"), case.inputs["keep1"], None)
    case.check(pruned, "alpha_after_1")
    assert mask.tolist() == case.expected["mask_1"]
    pruned, mask = prune(pruned + case.tensor("delta"), case.inputs["keep2"], mask)
    case.check(pruned, "alpha_after_2")
    assert mask.tolist() == case.expected["mask_2"]


def test_masked_weights_match_golden() -> None:
    case = golden("drnas.masked_weights")
    mask = torch.tensor(case.inputs["mask"])
    case.check(masked(case.tensor("alpha").softmax(-1), mask), "softmax_masked")
    case.check(masked(case.tensor("x"), mask), "x_masked")


def test_masked_samples_follow_the_dirichlet_of_the_kept() -> None:
    c, mask = torch.tensor([0.5, 1.0, 1.5, 3.0, 0.2]), MASK[0]
    p = masked(SampleDirichlet.apply(c.expand(40_000, -1), generator()), mask)
    kept = c[mask]
    mean = kept / kept.sum()
    torch.testing.assert_close(p.mean(0)[mask], mean, rtol=0, atol=0.005)
    torch.testing.assert_close(p.var(0)[mask], mean * (1 - mean) / (kept.sum() + 1), rtol=0.05, atol=0)
    assert not p[:, ~mask].any()


def test_masked_samples_carry_no_gradient_to_the_pruned() -> None:
    parameters = alpha().requires_grad_()
    p = masked(SampleDirichlet.apply(concentration(parameters), generator()), MASK)
    (gradient,) = torch.autograd.grad((p * alpha(seed=1)).sum(), parameters)
    assert gradient[~MASK].abs().max() < 1e-12 and gradient[MASK].abs().median() > 1e-2


@pytest.mark.parametrize("regulariser", ["l2", "kl"])
def test_pruned_operations_are_neither_mixed_nor_derived(regulariser: str) -> None:
    search = progressive(regulariser=regulariser, arch_lr=0.1, epochs=3)
    for _ in range(2):
        search.epoch()
    assert search.mask is not None and (search.mask.sum(1) == KEPT).all()
    with torch.no_grad():
        search.alpha[~search.mask] = 50.0
    for weights in (search.scores(), search.mixing(), search.mixing()):
        assert not weights[~search.mask].any()
        torch.testing.assert_close(weights.sum(1), torch.ones(6))
    metrics = search.epoch()
    assert all(search.mask[edge, o] for edge, o in enumerate(search.derive().operations))
    assert 0 <= metrics["entropy"] <= 1


# widening --------------------------------------------------------------------------------------------------------


def test_widening_matches_golden() -> None:
    case = golden("drnas.net2wider")
    same, grown = torch.tensor([[0, 1]]), torch.tensor([[0, 1, *case.inputs["index"]]])
    weight = case.tensor("conv_weight_2x2")[:, :, None, None]
    case.check(widen_convolution(weight, ChannelMap(same, grown))[:, :, 0, 0], "after_in")
    case.check(widen_convolution(weight, ChannelMap(grown, grown))[:, :, 0, 0], "after_out")
    for name in ("bn_mean", "bn_var"):
        case.check(widen_features(case.tensor(name), grown), name)


def test_new_channels_repeat_old_ones_edge_by_edge() -> None:
    channels = draw_channels(3, 4, 64, generator())
    assert torch.equal(channels[:, :4], torch.arange(4).expand(3, -1))
    assert all(row[4:].unique().tolist() == [0, 1, 2, 3] for row in channels)
    assert not torch.equal(channels[0], channels[1]) and not torch.equal(channels[1], channels[2])
    assert torch.equal(channels, draw_channels(3, 4, 64, generator()))
    assert not torch.equal(channels, draw_channels(3, 4, 64, generator(1)))


def trained(channels: int, partial: int) -> Supernet:
    """A supernet in float64 whose running statistics are not at their initial values."""
    torch.manual_seed(channels)
    supernet = Supernet(channels, 1, in_channels=2, classes=3, partial=partial).double()
    supernet(torch.randn(8, 2, 5, 5, dtype=torch.float64), alpha().softmax(1))
    return supernet


def test_widening_to_the_same_width_is_the_identity() -> None:
    supernet = trained(4, partial=2)
    state, maps = supernet.state_dict(), draw_widening(supernet, copy.deepcopy(supernet), generator())
    assert len(maps) == 3 * 3 * 2, "two convolutions on each of three nodes in each of three cells"
    same = widened(state, maps)
    assert list(same) == list(state) and all(torch.equal(same[name], state[name]) for name in state)


@pytest.mark.parametrize("training", [True, False], ids=["batch_statistics", "running_statistics"])
@pytest.mark.parametrize("partial", [2, 4])
def test_widened_forward_is_that_of_single_candidates_widened_one_by_one(partial: int, training: bool) -> None:
    """The reference keeps every edge's candidates apart; its channels are copied one at a time, by the maps."""
    narrow, wide = trained(4, partial), trained(4, 1)
    maps = draw_widening(narrow, wide, generator())
    wide.load_state_dict(widened(narrow.state_dict(), maps))
    reference = ReferenceSupernet(4, 1, in_channels=2, classes=3).double()
    skeleton = {name: value for name, value in narrow.state_dict().items() if not name.startswith("stages.")}
    reference.load_state_dict(skeleton, strict=False)
    for s, stage in enumerate(narrow.stages):
        for n, node in enumerate(stage[0].nodes):
            for operation, kernel in ((CONV_1X1, "1x1"), (CONV_3X3, "3x3")):
                channel_map = maps[f"stages.{s}.0.nodes.{n}.conv_{kernel}"]
                for k, edge in enumerate(OUTGOING[n]):
                    grow_one(node, kernel, k, reference.stages[s][0].edges[edge][operation], channel_map)
    images = torch.randn(4, 2, 5, 5, generator=generator(), dtype=torch.float64)
    mixing = alpha(seed=2).softmax(1)
    wide.train(training), reference.train(training)
    torch.testing.assert_close(wide(images, mixing), reference(images, mixing))


@torch.no_grad()
def grow_one(node: NodeCandidates, kernel: str, k: int, candidate: nn.Sequential, maps: ChannelMap) -> None:
    """Fill one wide candidate, channel by channel, from the node's k-th edge."""
    convolution, norm = getattr(node, f"conv_{kernel}"), getattr(node, f"norm_{kernel}")
    assert candidate[1].out_channels == maps.outputs.shape[1] > node.channels
    for to, source in enumerate(maps.outputs[k].tolist()):
        row = k * node.channels + source
        candidate[2].running_mean[to], candidate[2].running_var[to] = norm.running_mean[row], norm.running_var[row]
        for to_input, source_input in enumerate(maps.inputs[k].tolist()):
            candidate[1].weight[to, to_input] = convolution.weight[row, source_input]


# a search --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epochs", "boundary"), [(100, 50), (5, 2), (2, 1), (1, 1)])
def test_stages_halve_the_epochs(epochs: int, boundary: int) -> None:
    stages = [stage_of(epoch, epochs) for epoch in range(epochs)]
    assert stages[0] == range(boundary)
    assert stages == [range(boundary)] * boundary + [range(boundary, epochs)] * (epochs - boundary)


def test_the_paper_s_setting_rests_ten_epochs_in_each_stage() -> None:
    config, scale = Drnas.Config(), Drnas.published["nas_bench_201"]
    assert scale is not None and round(config.warm_up * len(stage_of(0, scale.epochs))) == 10


def test_alpha_rests_while_a_stage_warms_up() -> None:
    search, moved = progressive(epochs=8, warm_up=0.5), []
    for _ in range(8):
        before = search.alpha.detach().clone() if search.epochs_done != 4 else prune(search.alpha, KEPT, None)[0]
        search.epoch()
        moved.append(not torch.equal(search.alpha, before))
    assert moved == [False, False, True, True] * 2


def test_one_cosine_spans_both_stages() -> None:
    runs = [progressive(epochs=4), tiny_trial("drnas", epochs=4).search]
    rates = [[search.epoch()["learning_rate"] for _ in range(4)] for search in runs]
    assert rates[0] == rates[1]


def test_second_stage_carries_weights_statistics_momentum_and_moments_over() -> None:
    search = progressive(channels=4, partial_channels=4, epochs=2, arch_lr=0.1)
    search.epoch()
    narrow, names = search.supernet, dict(search.supernet.named_parameters())
    buffers = {name: search.weight_optimizer.state[weight]["momentum_buffer"] for name, weight in names.items()}
    pruned, mask = prune(search.alpha.detach().clone(), KEPT, None)
    assert search.architecture_optimizer is not None
    moments = copy.deepcopy(search.architecture_optimizer.state_dict())
    search.begin_last_stage()
    maps = draw_widening(narrow, search.supernet, Streams(0)("widening"))
    assert search.partial() == 2 and torch.equal(search.alpha, pruned)
    assert search.mask is not None and torch.equal(search.mask, mask)
    after = search.architecture_optimizer.state_dict()["state"][0]
    assert all(torch.equal(after[name], moment) for name, moment in moments["state"][0].items())
    assert after["step"] > 0 and search.weights == search.weight_optimizer.param_groups[0]["params"]
    for name, weight in search.supernet.named_parameters():
        momentum = search.weight_optimizer.state[weight]["momentum_buffer"]
        assert momentum.any(), name
        for new, old in ((weight.detach(), names[name].detach()), (momentum, buffers[name])):
            if ".nodes." not in name:
                assert torch.equal(new, old), name
                continue
            channels = maps[name.removesuffix(".weight")]
            wide, slim = channels.outputs.shape[1], old.shape[1]
            assert len(new) == wide * len(channels.outputs) and wide == 2 * slim
            for row in range(len(new)):
                edge, channel = divmod(row, wide)
                source = old[edge * slim + int(channels.outputs[edge, channel])]
                assert torch.equal(new[row], source[channels.inputs[edge]]), (name, row)


def test_without_momentum_there_is_none_to_carry() -> None:
    search = progressive(epochs=2, momentum=0.0)
    for _ in range(2):
        search.epoch()
    assert search.partial() == 1


def test_channels_that_k_does_not_divide_are_refused_before_and_when_a_search_begins() -> None:
    scale = Scale(channels=6)
    with pytest.raises(ConfigError, match="channels 6 and K = 4"):
        Drnas.check_scale(Drnas.Config(progressive=True), scale)
    Drnas.check_scale(Drnas.Config(progressive=True, partial_channels=2), scale)
    Drnas.check_scale(Drnas.Config(), scale)
    with pytest.raises(ConfigError, match="channels 2 and K = 4"):
        progressive(channels=2, partial_channels=4)


def test_plain_search_is_never_pruned() -> None:
    search = tiny_trial("drnas").search
    for _ in range(3):
        search.epoch()
    assert search.mask is None and search.partial() == 1
    assert search.alpha.shape == (len(EDGES), 5) and (search.alpha != 0).all()
