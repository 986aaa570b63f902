"""What a trial is expected to take: hours that a dry run announces, and the load that batches are packed by."""

from __future__ import annotations

from typing import Any

import pytest

from study import estimate
from study.estimate import Estimator
from trainables.methods import method_named
from trainables.records import changed
from trainables.spec import DatasetSpec, Retrain, Scale, TrialSpec
from trainables.trial import Surroundings

SMALL = Scale(channels=2, cells=1, epochs=2, batch_size=32)
MINUTE_S, HOUR_S = 60.0, 3600.0


def spec(method: str, config: dict[str, Any] | None = None, scale: Scale | None = None, **changes: Any) -> TrialSpec:
    cls = method_named(method)
    values: dict[str, Any] = {
        "hyperparameters": cls.Config.parse(method, config or {}).model_dump(),
        "dataset": DatasetSpec(name="cifar10") if scale is None else DatasetSpec(name="digits", train_images=256),
        "retrain": None,
    }
    return TrialSpec(
        method=method, method_version=cls.version, space="nas_bench_201", dataset_fingerprint=None,
        signal_fingerprint=None, scale=scale, seed=0, **values | changes,
    )  # fmt: skip


def seconds(trial: TrialSpec, finished: list[dict[str, Any]] | None = None) -> float:
    return Estimator(finished or [], Surroundings()).seconds(trial, changed(trial))


@pytest.mark.parametrize(
    ("method", "config", "least_s", "most_s"),
    [
        ("random_search", {"queries": 150}, 0, 1),
        ("regularized_evolution", {}, 0, 1),
        ("tpe", {}, 0.3, 10),
        ("svge", {}, 1 * HOUR_S, 24 * HOUR_S),
        ("svge", {"vae_graphs": 2000, "vae_epochs": 20, "queries": 1000}, 1 * MINUTE_S, 60 * MINUTE_S),
    ],
)
def test_searchers_of_the_table_differ_by_orders_of_magnitude(
    method: str, config: dict[str, Any], least_s: float, most_s: float
) -> None:
    """The bounds hold on any machine."""
    assert least_s <= seconds(spec(method, config)) <= most_s


def test_a_search_costs_its_steps_and_what_the_method_adds() -> None:
    once = seconds(spec("darts", scale=SMALL))
    assert seconds(spec("darts", scale=SMALL.model_copy(update={"epochs": 20}))) > 3 * once
    assert seconds(spec("darts", {"order": "second"}, SMALL)) > 1.2 * once
    assert seconds(spec("darts", scale=SMALL, retrain=Retrain(epochs=20, channels=4, cells=1, batch_size=32))) > once


def test_a_huge_network_is_not_measured_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run has to end, whatever it is asked about."""
    measured = []

    def step_s(*size: object) -> float:
        measured.append(size[1:4])
        return 1.0

    monkeypatch.setattr(estimate, "_supernet_step_s", step_s)
    one = seconds(spec("darts", scale=Scale(channels=64, cells=8, epochs=1, batch_size=64)))
    huge = seconds(spec("darts", scale=Scale(channels=512, cells=80, epochs=1, batch_size=64)))
    assert measured == [(64, 8, 64)] * 2
    assert huge - estimate.START_S == pytest.approx(640 * (one - estimate.START_S))


def test_finished_trials_say_what_the_next_will_take() -> None:
    trial = spec("darts", scale=SMALL)
    row = {"method": "darts", "config": changed(trial), "status": "ok", "search_wall_s": 40.0, "retrain_wall_s": None}
    others = [row | {"status": "failed", "search_wall_s": 1.0}, row | {"config": "order=second", "search_wall_s": 9.0}]
    assert seconds(trial, [row, row | {"search_wall_s": 50.0, "retrain_wall_s": 10.0}, *others]) == 50.0
