"""Named random streams: independent of each other, of the order of use and of the global generator."""

from __future__ import annotations

import io

import torch
from torch import Tensor, nn

from trainables.streams import Streams


def draw(streams: Streams, name: str) -> Tensor:
    return torch.randn(3, generator=streams(name))


def test_a_stream_depends_on_its_seed_and_name_only() -> None:
    one, other = Streams(7), Streams(7)
    draw(one, "b"), draw(one, "b")
    assert torch.equal(draw(one, "a"), draw(other, "a")), "whatever was drawn from other streams before"
    values = [draw(Streams(seed), name) for seed in (7, 8) for name in ("a", "b")]
    assert len({tuple(value.tolist()) for value in values}) == 4


def test_a_name_always_means_the_same_generator() -> None:
    streams = Streams(0)
    assert streams("a") is streams("a")
    assert not torch.equal(draw(streams, "a"), draw(streams, "a"))


def test_stream_seeds_never_change() -> None:
    """Recorded results are only repeatable as long as these hold."""
    assert Streams(0).seed_of("supernet.weights") == 677324529802219682
    assert Streams(1).seed_of("order.weights") == 2903527342841336095


def test_stream_seeds_fit_torch_and_do_not_collide() -> None:
    seeds = {Streams(seed).seed_of(name) for seed in range(1000) for name in ("supernet.weights", "order.weights")}
    assert len(seeds) == 2000 and all(0 <= seed < 2**63 for seed in seeds)


def test_saved_streams_go_on_where_they_stood() -> None:
    streams = Streams(3)
    draw(streams, "a")
    file = io.BytesIO()
    torch.save(streams.state_dict(), file)
    file.seek(0)
    restored = Streams(3)
    draw(restored, "b")
    restored.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(draw(restored, "a"), draw(streams, "a"))


def test_a_saved_position_is_not_moved_by_later_draws() -> None:
    streams = Streams(3)
    streams("a")
    state = streams.state_dict()
    first = draw(streams, "a")
    streams.load_state_dict(state)
    assert torch.equal(draw(streams, "a"), first)


def test_initial_weights_depend_on_the_stream_and_leave_the_global_generator() -> None:
    before = torch.get_rng_state()
    weights = []
    for seed, name in ((0, "a"), (0, "a"), (0, "b"), (1, "a")):
        torch.rand(5, generator=torch.Generator())
        with Streams(seed).initialising(name):
            weights.append(nn.Linear(4, 4).weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2]) and not torch.equal(weights[0], weights[3])
    assert torch.equal(torch.get_rng_state(), before)
