"""Methods read rows: on a space of two kinds of cells that they have never met, each does what it does on the first."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from test_conformance import IMAGE_CASES, SHORT, finish, name_of, result_of
from tiny_trials import tiny_trial
from twin_space import TwinSpace

from study.loading import parse
from study.plan import Fingerprints, plan
from trainables.benchmarks.accuracies import MEAN_COLUMNS
from trainables.benchmarks.table import open_table
from trainables.errors import ConfigError
from trainables.methods import METHODS, diagnostics, robust_darts
from trainables.methods.beta_darts import beta_decay
from trainables.methods.differentiable import DifferentiableSearch
from trainables.methods.hessian import largest_eigenvalue
from trainables.records import epoch_rows, trial_row
from trainables.spaces import SPACES, space_named
from trainables.spec import Retrain
from trainables.trial import Trial

pytestmark = pytest.mark.trains


@pytest.fixture(autouse=True)
def _twin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(SPACES, "twin", TwinSpace())
    monkeypatch.setattr(diagnostics, "largest_eigenvalue", SHORT)
    monkeypatch.setattr(robust_darts, "largest_eigenvalue", partial(largest_eigenvalue, iterations=2))
    yield


def offered(case: tuple[str, dict[str, Any]]) -> bool:
    method = METHODS[case[0]]
    return method.spaces(method.Config(**case[1])) is None


CASES = [case for case in IMAGE_CASES if offered(case)]
FEW = [case for case in CASES if case[0] == "gaea" or case == next(first for first in CASES if first[0] == case[0])]
"""on a space of large networks: of each method one case, of GAEA all, which reads rows in more than one way"""


def begin(method: str, space: str = "twin", **config: Any) -> Trial:
    if space == "darts":  # a large network: each step counts
        return tiny_trial(method, space=space, cells=3, epochs=1, train_images=32, **config)
    retrain = Retrain(epochs=1, channels=2, cells=2, batch_size=32)
    return tiny_trial(
        method, space=space, cells=2, epochs=2, retrain=retrain, hessian_every=2, proxies=("synflow",), **config
    )


def searched(trial: Trial, space: str) -> None:
    """Run a trial to its end: the rows of both kinds of cells move, and an architecture of the space comes out."""
    search = trial.search
    assert isinstance(search, DifferentiableSearch)
    before = search.alpha.detach().clone()
    while not trial.finished:
        trial.advance()
    shape = space_named(space).shape
    assert search.scores().shape == shape and len(search.alpha) == shape[0]
    moved = (search.alpha != before).any(dim=1)
    assert moved.all() if search.learns_architecture else not moved.any()
    assert trial.genotype is not None and space_named(space).parse(str(trial.genotype)) == trial.genotype


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_method_searches_a_space_that_it_does_not_know(case: tuple[str, dict[str, Any]]) -> None:
    method, config = case
    trial, resumed = begin(method, **config), begin(method, **config)
    trial.advance()
    file = io.BytesIO()
    torch.save(trial.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    searched(trial, "twin")
    assert finish(resumed) == result_of(trial)
    assert trial.retrain_test_accuracy is not None and trial.proxies["synflow"] >= 0


@pytest.mark.slow
@pytest.mark.parametrize("case", FEW, ids=name_of)
def test_a_method_searches_the_space_of_darts(case: tuple[str, dict[str, Any]]) -> None:
    searched(begin(case[0], "darts", **case[1]), "darts")


def test_its_rows_claim_nothing_of_a_table_of_other_cells() -> None:
    trial = begin("darts")
    finish(trial)
    table = open_table(None)
    row = trial_row(trial.spec, "study", trial.record(), table)
    epochs = epoch_rows(trial.spec, trial.epochs, table)
    assert row["space"] == "twin" and row["genotype"] == str(trial.genotype) and row["epochs"] == 2
    assert all(each[name] is None for each in (row, *epochs) for name in MEAN_COLUMNS)


def test_a_method_that_cannot_search_a_space_is_refused_in_one_sentence() -> None:
    study = {"name": "x", "space": "twin", "dataset": "digits", "seeds": 1}
    study["scale"] = {"channels": 4, "cells": 2, "epochs": 2, "batch_size": 16}
    known = Fingerprints("a" * 16, {200: "b" * 16})
    with pytest.raises(ConfigError) as refused:
        plan(parse(study | {"methods": {"darts": {}, "cdarts": {}}}), known)
    assert str(refused.value) == (
        "cdarts here searches nas_bench_201 only, but the study's space is twin; leave it out of this study, or choose "
        "another space"
    )
    for method, settings in (("drnas", {"progressive": True}), ("lambda_darts", {}), ("local_search", {})):
        with pytest.raises(ConfigError, match=f"{method} here searches nas_bench_201 only"):
            plan(parse(study | {"methods": {method: settings}}), known)
    assert len(plan(parse(study | {"methods": {"drnas": {}, "gaea": {}}}), known).trials) == 2


def test_a_random_cell_needs_no_table_in_any_space() -> None:
    trial = begin("random_search", "darts")
    finish(trial)
    assert str(space_named("darts").parse(str(trial.genotype))) == str(trial.genotype)
    assert trial.genotype != begin("random_search", "darts", seed=1).search.space.random(torch.Generator())


def test_a_scale_that_no_paper_states_is_asked_for_whole() -> None:
    study = {"name": "x", "space": "darts", "dataset": "digits", "seeds": 1, "methods": {"gdas": {}}}
    known = Fingerprints("a" * 16)
    with pytest.raises(ConfigError) as refused:
        plan(parse(study | {"scale": {"channels": 4, "epochs": 3}}), known)
    assert str(refused.value) == (
        "gdas has no published scale on darts, so the study must say it whole, but scale.cells, scale.batch_size is "
        "not there; write it down"
    )
    scale = {"channels": 4, "cells": 2, "epochs": 3, "batch_size": 16}
    with pytest.raises(ConfigError, match=r"a network of darts has at least 3 cells, but scale\.cells is 2"):
        plan(parse(study | {"scale": scale}), known)
    small = {"methods": {"random_search": {}}, "evaluate": {"retrain": {"cells": 2}}}
    with pytest.raises(ConfigError, match=r"at least 3 cells, but evaluate\.retrain\.cells is 2"):
        plan(parse(study | small), known)
    (trial,) = plan(parse(study | {"methods": {"darts": {}}}), known).trials
    assert trial.scale is not None and (trial.scale.cells, trial.scale.epochs) == (8, 50)


def test_trials_of_two_spaces_are_two_trials() -> None:
    spec = begin("darts").spec
    assert spec.id != spec.model_copy(update={"space": "nas_bench_201"}).id


def test_beta_decay_is_a_sum_over_kinds_of_cells_of_means_over_their_edges() -> None:
    alpha = torch.randn(6, 3, dtype=torch.float64)
    first, second = (alpha[rows].logsumexp(1).mean() for rows in (slice(0, 2), slice(2, 6)))
    torch.testing.assert_close(beta_decay(alpha, (2, 4)), first + second)


def test_a_large_hessian_is_searched_for_its_eigenvalue_rather_than_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    def eigenvalue() -> float:
        search = begin("robust_darts", order="first").search
        assert isinstance(search, robust_darts.RobustDarts)
        return search.eigenvalue()

    exact = eigenvalue()
    monkeypatch.setattr(robust_darts, "LARGEST_HESSIAN", 17)
    monkeypatch.setattr(robust_darts, "largest_eigenvalue", largest_eigenvalue)
    assert eigenvalue() == pytest.approx(exact, rel=0.02)


def test_edges_of_a_node_share_their_weight_in_each_kind_of_cell() -> None:
    search = begin("pc_darts", partial_channels=2, warm_up=0.0).search
    assert isinstance(search, DifferentiableSearch)
    weights = search.edge_weights()
    assert weights is not None
    torch.testing.assert_close(torch.stack([part.sum() for part in weights.split([1, 2, 1, 2])]), torch.ones(4))
