"""TPE on the table: where its proposals come from, and that only stream and history determine them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_table_search import RUGGED, run, searcher

from trainables.spaces.nas_bench_201 import NUM_CELLS, Genotype

pytestmark = pytest.mark.trains

SLOPE = np.array([float(sum(Genotype.from_index(index).operations)) for index in range(NUM_CELLS)])
"""Every edge wants the last operation: what a model that takes edges one by one can learn."""


def resumed(search: Any, **settings: Any) -> Any:
    """A new search at the state of ``search``, as a trial restores it."""
    other = searcher("tpe", **settings)
    other.context.streams.load_state_dict(search.context.streams.state_dict())
    other.load_state_dict(search.state_dict())
    return other


def beyond_chance(cells: list[int]) -> float:
    """How many standard errors the mean slope of cells lies above that of as many random cells."""
    return float((SLOPE[cells].mean() - SLOPE.mean()) / (SLOPE.std() / len(cells) ** 0.5))


@pytest.mark.parametrize("multivariate", [False, True])
def test_a_history_told_again_continues_as_if_never_interrupted(multivariate: bool) -> None:
    settings: dict[str, Any] = {"queries": 24, "startup": 6, "multivariate": multivariate}
    uninterrupted = run(searcher("tpe", **settings))
    search = searcher("tpe", **settings)
    for _ in range(24):
        search = resumed(search, **settings)
        search.epoch()
    assert search.queried == uninterrupted
    assert [trial.value for trial in search.study.trials] == [RUGGED[cell] for cell in uninterrupted]


def test_the_signal_matters_only_after_the_startup() -> None:
    one, other = (run(searcher("tpe", signal=s, queries=40, startup=15)) for s in (SLOPE, -SLOPE))
    assert one[:15] == other[:15] and one[15:] != other[15:]
    assert beyond_chance(one[15:]) > 4 and beyond_chance(other[15:]) < -4


@pytest.mark.parametrize("multivariate", [False, True])
def test_proposals_climb_a_separable_signal_and_random_search_does_not(multivariate: bool) -> None:
    proposals = run(searcher("tpe", signal=SLOPE, queries=60, multivariate=multivariate))
    assert abs(beyond_chance(proposals[:10])) < 4 < beyond_chance(proposals[10:])
    assert abs(beyond_chance(run(searcher("random_search", signal=SLOPE, queries=60)))) < 4


def test_more_candidates_follow_the_model_more_closely() -> None:
    timid, bold = (
        np.mean([SLOPE[run(searcher("tpe", SLOPE, seed, queries=40, candidates=n))[10:]].mean() for seed in range(3)])
        for n in (1, 24)
    )
    assert bold > timid + 1
