"""Methods read rows: on a space of two kinds of cells that they have never met, each does what it does on the first."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from test_conformance import IMAGE_CASES, SHORT, finish, name_of, result_of
from tiny_trials import tiny_trial
from twin_space import Twin, TwinSpace

from study.config import parse
from study.plan import Fingerprints, plan
from trainables.benchmarks.accuracies import MEAN_COLUMNS
from trainables.benchmarks.table import open_table
from trainables.errors import ConfigError
from trainables.methods import METHODS, diagnostics
from trainables.methods.beta_darts import beta_decay
from trainables.methods.differentiable import DifferentiableSearch
from trainables.records import epoch_rows, trial_row
from trainables.spaces import SPACES, space_named
from trainables.spec import Retrain
from trainables.trial import Trial

pytestmark = pytest.mark.trains


@pytest.fixture(autouse=True)
def _twin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(SPACES, "twin", TwinSpace())
    monkeypatch.setattr(diagnostics, "largest_eigenvalue", SHORT)
    yield


def offered(case: tuple[str, dict[str, Any]]) -> bool:
    method = METHODS[case[0]]
    return method.spaces(method.Config(**case[1])) is None


CASES = [case for case in IMAGE_CASES if offered(case)]


def begin(method: str, **config: Any) -> Trial:
    retrain = Retrain(epochs=1, channels=2, cells=1, batch_size=32)
    return tiny_trial(method, space="twin", cells=2, retrain=retrain, hessian_every=2, proxies=("synflow",), **config)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_method_searches_a_space_that_it_does_not_know(case: tuple[str, dict[str, Any]]) -> None:
    method, config = case
    trial, resumed = begin(method, **config), begin(method, **config)
    search = trial.search
    assert isinstance(search, DifferentiableSearch)
    before = search.alpha.detach().clone()
    trial.advance()
    file = io.BytesIO()
    torch.save(trial.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    result = finish(trial)
    assert finish(resumed) == result == result_of(trial)
    assert search.scores().shape == (6, 3) and len(search.alpha) == 6
    moved = (search.alpha != before).any(dim=1)
    assert moved.all() if search.learns_architecture else not moved.any(), (
        "the rows of both kinds of cells are searched"
    )
    assert isinstance(trial.genotype, Twin) and space_named("twin").parse(str(trial.genotype)) == trial.genotype
    assert trial.retrain_test_accuracy is not None and trial.proxies["synflow"] >= 0


def test_its_rows_claim_nothing_of_a_table_of_other_cells() -> None:
    trial = begin("darts")
    finish(trial)
    table = open_table(None)
    row = trial_row(trial.spec, "study", trial.record(), table)
    epochs = epoch_rows(trial.spec, trial.epochs, table)
    assert row["space"] == "twin" and row["genotype"] == str(trial.genotype) and row["epochs"] == 3
    assert all(each[name] is None for each in (row, *epochs) for name in MEAN_COLUMNS)


def test_a_method_that_cannot_search_a_space_is_refused_in_one_sentence() -> None:
    study = {"name": "x", "space": "twin", "dataset": "digits", "seeds": 1, "scale": {"channels": 4}}
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


def test_trials_of_two_spaces_are_two_trials() -> None:
    spec = begin("darts").spec
    assert spec.id != spec.model_copy(update={"space": "nas_bench_201"}).id


def test_beta_decay_is_a_sum_over_kinds_of_cells_of_means_over_their_edges() -> None:
    alpha = torch.randn(6, 3, dtype=torch.float64)
    first, second = (alpha[rows].logsumexp(1).mean() for rows in (slice(0, 2), slice(2, 6)))
    torch.testing.assert_close(beta_decay(alpha, (2, 4)), first + second)


def test_a_large_hessian_is_searched_for_its_eigenvalue_rather_than_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables.methods import robust_darts

    def eigenvalue() -> float:
        search = begin("robust_darts", order="first").search
        assert isinstance(search, robust_darts.RobustDarts)
        return search.eigenvalue()

    exact = eigenvalue()
    monkeypatch.setattr(robust_darts, "LARGEST_HESSIAN", 17)
    assert eigenvalue() == pytest.approx(exact, rel=0.02)


def test_edges_of_a_node_share_their_weight_in_each_kind_of_cell() -> None:
    search = begin("pc_darts", partial_channels=2, warm_up=0.0).search
    assert isinstance(search, DifferentiableSearch)
    weights = search.edge_weights()
    assert weights is not None
    torch.testing.assert_close(torch.stack([part.sum() for part in weights.split([1, 2, 1, 2])]), torch.ones(4))
