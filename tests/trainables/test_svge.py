"""SVGe: cells as graphs, the autoencoder on them, the search in its latent space, and the budget of the whole."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from golden import golden
from torch import Tensor

from trainables.benchmarks.signal import Signal
from trainables.errors import ConfigError
from trainables.methods.graph_autoencoder import (
    GraphAutoencoder,
    Messages,
    beside_nodes,
    kl_divergence,
    reparameterise,
    step_targets,
)
from trainables.methods.latent_search import decode, propose
from trainables.methods.line_graph import (
    INPUT,
    NODES,
    OUTPUT,
    TYPES,
    adjacency,
    all_node_types,
    cells_of,
    node_types,
    reverse,
)
from trainables.methods.search_method import TableContext
from trainables.methods.svge import Svge
from trainables.spaces import space_named
from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype
from trainables.streams import Streams

pytestmark = pytest.mark.trains

RUGGED = np.random.default_rng(0).permutation(NUM_CELLS) / NUM_CELLS * 100
SMALL = {"hidden": 24, "latent": 16, "vae_lr": 0.01, "predictor_lr": 0.003}


def searcher(seed: int = 0, **hyperparameters: Any) -> Svge:
    context = TableContext(
        Streams(seed), torch.device("cpu"), space_named("nas_bench_201"), Signal(RUGGED, np.full(NUM_CELLS, 2.0))
    )
    return Svge(Svge.Config.parse("svge", SMALL | hyperparameters), context)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def autoencoder() -> GraphAutoencoder:
    with Streams(0).initialising("autoencoder"):
        return GraphAutoencoder(6, 8, adjacency())


# cells as graphs -------------------------------------------------------------------------------------------------


def graph_of(cell: str) -> Tensor:
    return node_types(torch.tensor([Genotype.from_string(cell).index]))


def by_target(links: Tensor) -> list[list[int]]:
    return links.mT.nonzero().flip(1).tolist()


def test_graph_of_a_cell_matches_golden() -> None:
    case = golden("svge.nb201_graph")
    types, links = graph_of(case.inputs["arch"]), adjacency()
    case.check(types[0], "node_atts")
    assert by_target(links) == case.expected["edges_sorted"]
    for step in case.expected["decoder_steps"]:
        target, into = step_targets(types, links[None], step["v"])
        assert (target.item(), into[0].tolist()) == (step["att"], step["edges"])


def test_reversed_graph_matches_golden() -> None:
    case = golden("svge.nb201_graph_reverse")
    case.check(graph_of(case.inputs["arch"])[0].flip(0), "node_atts_rev")
    assert by_target(reverse(adjacency())) == case.expected["edges_rev_sorted"]
    assert torch.equal(reverse(reverse(adjacency())), adjacency())


def test_every_cell_comes_back_from_its_graph() -> None:
    everything = all_node_types()
    assert cells_of(everything, adjacency().expand(NUM_CELLS, -1, -1)) == list(range(NUM_CELLS))


def test_graphs_that_are_no_cells_are_told() -> None:
    types, links = node_types(torch.arange(7)), adjacency().repeat(7, 1, 1)
    types[0, 3], types[1, 6], types[2, 7], types[3, 0] = INPUT, OUTPUT, 6, 6
    links[4, 0, 1], links[5, 1, 2] = 0, 1
    assert cells_of(types, links) == [None] * 6 + [6]


# the autoencoder -------------------------------------------------------------------------------------------------


def test_latent_and_divergence_match_golden() -> None:
    case = golden("svge.vae")
    mean, log_variance = case.tensor("mu"), case.tensor("logvar")
    case.check(kl_divergence(mean, log_variance), "kl")
    case.check(reparameterise(mean, log_variance, case.tensor("eps")), "z")


def test_graph_vectors_stand_beside_their_own_nodes() -> None:
    case = golden("svge.repeat_order")
    graphs = torch.arange(case.inputs["B"])[:, None]
    beside = beside_nodes(graphs, case.inputs["idx"])
    assert beside.shape == (2, 3, 1)
    case.check(beside.flatten(), "rows_of_h")
    case.check(graphs.repeat(case.inputs["idx"], 1).flatten(), "rows_of_repeated_h_G")


def test_messages_are_summed_link_by_link() -> None:
    torch.manual_seed(0)
    layer, h, links = Messages(4), torch.randn(2, NODES, 4), adjacency()
    expected = torch.zeros_like(h)
    for graph in range(2):
        for node in range(NODES):
            total = torch.zeros(8)
            for source in links[:, node].nonzero()[:, 0]:
                total += layer.message(torch.cat([h[graph, source], h[graph, node]]))
            expected[graph, node] = layer.update(total, h[graph, node])
    torch.testing.assert_close(layer(h, links.expand(2, -1, -1)), expected)


def test_a_graph_is_read_and_written_alike_in_any_company() -> None:
    model, types = autoencoder(), node_types(torch.tensor([5, 7000, 15624, 5]))
    means, order = model.encode(types)[0], torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(means[0], means[3])
    torch.testing.assert_close(model.encode(types[order])[0], means[order])
    links = adjacency().expand(4, -1, -1)
    together = model.decoder.losses(types, links, means)
    alone = torch.cat([model.decoder.losses(types[i : i + 1], links[:1], means[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone)
    assert len(set(together[:3].tolist())) == 3


def test_probabilities_of_all_types_sum_to_one() -> None:
    """Graphs of two nodes differ in one type alone, and their loss is its negative log probability."""
    types = torch.stack([torch.full((len(TYPES),), INPUT), torch.arange(len(TYPES))], dim=1)
    links, z = torch.tensor([[0.0, 1], [0, 0]]).expand(len(TYPES), -1, -1), torch.randn(8, generator=generator())
    probability = (-autoencoder().decoder.losses(types, links, z.expand(len(TYPES), -1))).exp()
    assert probability.sum().item() == pytest.approx(1, abs=1e-6)
    assert probability.std() > 1e-3


def test_generation_follows_the_loss() -> None:
    """Drawn second types have the frequencies that the loss says, and a graph that has stopped gets no more links."""
    model, draws = autoencoder(), 4000
    z = torch.randn(8, generator=generator())
    first = torch.full((draws,), INPUT)
    types, links = model.decoder.generate(first, torch.full_like(first, OUTPUT), z.expand(draws, -1), 4, generator())
    pairs = torch.stack([first[: len(TYPES)], torch.arange(len(TYPES))], dim=1)
    link = torch.tensor([[0.0, 1], [0, 0]]).expand(len(TYPES), -1, -1)
    expected = draws * (-model.decoder.losses(pairs, link, z.expand(len(TYPES), -1))).exp().detach()
    counts = torch.bincount(types[:, 1], minlength=len(TYPES))
    assert ((counts - expected).abs() < 5 * expected.sqrt()).all()
    stopped = types[:, 1] == OUTPUT
    assert stopped.any() and (types[stopped, 1:] == OUTPUT).all() and (links[stopped, :, 2:] == 0).all()
    assert (types[:, -1] == OUTPUT).all() and (links[:, 0, 1] == 1).all()
    assert (links[~stopped, :2, 2].mean() - 0.5).abs() < 0.4 and links.tril().sum() == 0


LEARNED = {
    "vae_graphs": 10,
    "vae_epochs": 400,
    "predictor_epochs": 400,
    "labelled": 5,
    "queries": 9,
    "batch_queries": 2,
    "latent": 128,
    "predictor_lr": 0.0005,
}


@pytest.fixture(scope="module")
def learned() -> dict[str, Any]:
    """The state of a search after phase 1, nine cells learned by heart.

    When a seed gets there is chaotic; that it does is not, unless the schedule takes a slow start for a plateau. Of 46
    seeds the last took 186 epochs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainables.methods.svge.PLATEAU_EPOCHS", LEARNED["vae_epochs"])
        search = searcher(**LEARNED)
    first = search.epoch()["train_loss"]
    while search.epoch()["train_loss"] > 0.01 * first:
        assert search.epochs_done < LEARNED["vae_epochs"]
    search.epochs_done = LEARNED["vae_epochs"]
    return search.state_dict()


@pytest.mark.slow
def test_trained_cells_decode_to_themselves_and_then_learn_their_accuracies(learned: dict[str, Any]) -> None:
    """Over 46 seeds at least 0.69 of the cells came back, 0.92 after phase 2, which took 43 epochs at most."""
    search = searcher(**LEARNED)
    search.load_state_dict(copy.deepcopy(learned))

    def means(cells: Tensor) -> Tensor:
        return search.autoencoder.encode(search.types[cells])[0].detach()

    def error() -> float:
        predicted = 100 * search.predictor(means(search.labelled_cells))[:, 0].detach().numpy()
        return float(np.sqrt(np.mean((predicted - RUGGED[search.labelled_cells]) ** 2)))

    def back(cells: Tensor) -> float:
        return float(np.mean(np.array([search.draw(means(cells)) for _ in range(5)]) == cells.numpy()))

    assert back(search.training_cells) > 0.5
    before = error()
    while error() > 0.5 * before:
        assert search.epochs_done < LEARNED["vae_epochs"] + LEARNED["predictor_epochs"]
        search.epoch()
    assert back(search.labelled_cells) > 0.5


@pytest.mark.parametrize("phase", [0, 1])
def test_learning_rate_falls_to_a_tenth_when_the_loss_has_stalled_for_ten_epochs(phase: int) -> None:
    search = searcher(**LEARNED)
    weight = next(search.autoencoder.parameters())
    rates = [search.train(phase, search.labelled_cells, lambda _: 0 * weight.sum())["learning_rate"] for _ in range(24)]
    assert rates == pytest.approx([rates[0]] * 12 + [rates[0] / 10] * 11 + [rates[0] / 100])


def test_rounds_draw_new_cells_and_go_on_after_an_interruption(
    learned: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At points that are cells not labelled."""
    one = searcher(**LEARNED | {"predictor_epochs": 0})
    one.load_state_dict(copy.deepcopy(learned))
    unlabelled = one.autoencoder.encode(one.types[one.training_cells[5:]])[0].detach().double()
    monkeypatch.setattr("trainables.methods.svge.propose", lambda seen, *_: unlabelled[len(seen) - 5 :][:2])
    for _ in range(2):
        other = searcher(**LEARNED | {"predictor_epochs": 0})
        other.context.streams.load_state_dict(one.context.streams.state_dict())
        other.load_state_dict(copy.deepcopy(one.state_dict()))
        for search in (one, other):
            search.epoch()
        assert one.queried == other.queried and one.recorded == other.recorded
    assert len(one.queried) == len(set(one.queried)) == 9


# the search in the latent space ----------------------------------------------------------------------------------


def peak(points: Tensor) -> Tensor:
    """A smooth hill with its top at 0.7 in every dimension."""
    return -(points - 0.7).square().sum(-1)


def test_proposals_beat_random_points_and_depend_on_the_generator_alone() -> None:
    """Over 30 seeds at most 0.5 % of the draws at random had a better best point."""
    points, (low, high) = (
        torch.rand(40, 3, generator=generator()).double() * 2 - 1,
        torch.tensor([[-1.0], [1.0]]).double(),
    )
    before = torch.get_rng_state()
    proposed = [propose(points, peak(points), low.expand(3), high.expand(3), 4, generator()) for _ in range(2)]
    assert torch.equal(*proposed) and torch.equal(torch.get_rng_state(), before)
    assert proposed[0].shape == (4, 3) and (proposed[0] >= -1).all() and (proposed[0] <= 1).all()
    chance = torch.rand(1000, 4, 3, generator=generator()).double() * 2 - 1
    best_of_chance = peak(chance).amax(1)
    assert peak(proposed[0]).max() > best_of_chance.quantile(0.95)
    assert len({tuple(point) for point in proposed[0].tolist()}) == 4


def test_points_decode_to_new_cells_first() -> None:
    draws: list[list[int | None]] = [[7, None, 1, 4], [4, None, 2], [8, None]]
    asked: list[list[float]] = []

    def draw(points: Tensor) -> list[int | None]:
        asked.append(points.tolist())
        return draws[len(asked) - 1]

    assert decode(torch.arange(4.0), draw, queried=[7, 8, 1], attempts=3) == [7, None, 2, 4]
    assert asked == [[0, 1, 2, 3], [0, 1, 2], [0, 1]]


# the whole -------------------------------------------------------------------------------------------------------

BRIEF = {
    "vae_graphs": 20,
    "vae_epochs": 1,
    "predictor_epochs": 1,
    "labelled": 8,
    "queries": 13,
    "batch_queries": 3,
    "hidden": 4,
}


def run_with(monkeypatch: pytest.MonkeyPatch, draw: Any, **settings: Any) -> Svge:
    """A whole search at random points, whose decoder is replaced by ``draw``, a function of the number of points."""

    def anywhere(points: Tensor, values: Tensor, low: Tensor, high: Tensor, count: int, _: Any) -> Tensor:
        assert len(points) == len(values)
        return low + (high - low) * torch.rand(count, points.shape[1], generator=generator())

    monkeypatch.setattr("trainables.methods.svge.propose", anywhere)
    search = searcher(**BRIEF | settings)
    monkeypatch.setattr(search, "draw", lambda points: draw(len(points)))
    for _ in range(search.planned_epochs(search.config, None, search.space)):
        metrics = search.epoch()
        assert (metrics["queries"], metrics["simulated_s"]) == (len(search.queried), search.spent_s)
        assert search.current().index == max(search.queried, key=lambda cell: RUGGED[cell])
    return search


def test_every_query_is_a_new_cell_and_the_budget_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    random = generator()
    search = run_with(monkeypatch, lambda n: torch.randint(60, (n,), generator=random).tolist())
    assert search.planned_epochs(search.config, None, search.space) == 1 + 1 + 2
    assert len(search.queried) == len(set(search.queried)) == 13
    assert search.queried[:8] == search.labelled_cells.tolist()
    assert search.recorded == [RUGGED[cell] for cell in search.queried[8:]]
    assert search.spent_s == 2.0 * 13


def test_points_without_a_new_cell_cost_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = run_with(monkeypatch, lambda n: [None] * n, decode_attempts=3)
    assert len(nothing.queried) == 8 and nothing.recorded == [min(RUGGED[nothing.queried])] * 5
    known = nothing.queried[3]
    repeated = run_with(monkeypatch, lambda n: [known] * n, decode_attempts=3)
    assert repeated.queried == nothing.queried and repeated.recorded == [RUGGED[known]] * 5


def test_first_labelled_cells_do_not_depend_on_how_many_there_are() -> None:
    few, many = searcher(labelled=5), searcher(labelled=50)
    assert torch.equal(few.labelled_cells, many.labelled_cells[:5])
    assert not set(many.training_cells.tolist()) & set(many.held_out_cells.tolist())
    assert len(many.training_cells) == int(0.9 * NUM_CELLS)


def test_more_labelled_cells_than_there_can_be_are_refused() -> None:
    for values in ({"queries": 150}, {"vae_graphs": 1000, "labelled": 901}):
        with pytest.raises(ConfigError, match="lower labelled or raise the others"):
            Svge.Config.parse("svge", values)
