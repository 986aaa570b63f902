"""How trials are cut into batches, and how many of them the hosts of a cluster have room for."""

from __future__ import annotations

from typing import Any

import pytest

from study.config import Resources
from study.running.hosts import Host, to_come
from study.running.packing import BATCH_S, gangs, pack, pack_by_share, slots_of
from trainables.errors import ConfigError
from trainables.spec import DatasetSpec, Scale, TrialSpec

GPU_HOST: Host = {"CPU": 8, "GPU": 1}


def test_packing_fills_slots_and_balances() -> None:
    assert pack([], 4) == []
    short = [(object(), 0.1)] * 10
    assert [len(b) for b in pack(short, 4)] == [3, 3, 2, 2]  # type: ignore[arg-type]
    long = [(object(), BATCH_S * 2)] * 5
    assert [len(b) for b in pack(long, 2)] == [1] * 5  # type: ignore[arg-type]
    mixed = pack([("a", 100.0), *[("b", 1.0)] * 60], 2)  # type: ignore[list-item]
    assert mixed[0] == ["a"] and sum(map(len, mixed)) == 61


def test_slots_are_counted_host_by_host() -> None:
    assert slots_of(Resources(cpu=1), 0.0, [{"CPU": 2.0}]) == 2
    assert slots_of(Resources(cpu=1, gpu=0.25), 0.25, [{"CPU": 16.0, "GPU": 2.0}, {"CPU": 64.0}]) == 8
    assert slots_of(Resources(cpu=3), 0.0, [{"CPU": 4.0}, {"CPU": 4.0}, {"CPU": 2.0}]) == 2


def test_a_trial_that_fits_on_no_host_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"asks for cpu: 1, gpu: 0\.25, but .* \(the most on one is cpu: 2, gpu: 0\)"):
        slots_of(Resources(gpu=0.25), 0.25, [{"CPU": 2.0}])
    with pytest.raises(ConfigError, match=r"asks for cpu: 3, memory_gib: 4, .* cpu: 2, memory_gib: 8\)"):
        slots_of(Resources(cpu=3, memory_gib=4), 0.0, [{"CPU": 2.0, "memory": 8 * 2**30}] * 2)


def autoscaled(**workers: dict[str, Any]) -> dict[str, Any]:
    head = {"resources": {"CPU": 0}, "max_workers": 0}
    return {"head_node_type": "head", "max_workers": 8, "available_node_types": {"head": head, **workers}}


def test_an_autoscaler_may_start_what_is_not_up_yet() -> None:
    gpu = {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 4}
    cpu = {"resources": {"CPU": 16}}
    head: Host = {"CPU": 0, "node:__internal_head__": 1.0}
    assert to_come(autoscaled(gpu=gpu), [head]) == [GPU_HOST] * 4
    assert to_come(autoscaled(gpu=gpu), [head, {"CPU": 8.0, "GPU": 1.0, "node:10.0.0.7": 1.0}]) == [GPU_HOST] * 3
    assert to_come(autoscaled(gpu=gpu, cpu=cpu), [head]) == [GPU_HOST] * 4 + [{"CPU": 16}] * 8
    assert to_come({}, [head]) == []


def spec(method: str, seed: int, **values: float) -> TrialSpec:
    return TrialSpec(
        method=method, method_version=1, hyperparameters={"order": "first", **values}, space="nas_bench_201",
        dataset=DatasetSpec(name="digits"), dataset_fingerprint=None, signal_fingerprint=None, scale=Scale(),
        retrain=None, seed=seed,
    )  # fmt: skip


def test_trials_together_are_of_one_kind_as_far_as_there_are_enough() -> None:
    kinds = [("darts", 0.1), ("darts", 0.2), ("drnas", 0.1)]
    trials = [spec(method, seed, weight_lr=rate) for method, rate in kinds for seed in range(3)]
    costs = [(trial, 100.0) for trial in trials]
    groups = [[trial.method for trial in group] for group, _ in gangs(costs, 4)]
    assert groups == [["darts"] * 4, ["darts", "darts", "drnas", "drnas"], ["drnas"]]
    assert gangs(costs, 1) == [([trial], 100.0) for trial in trials]
    (share, batch), *others = pack_by_share(costs, lambda trial: 1.0, {1.0: 1}, 4)
    assert share == 1.0 and len(batch) == 4 and sum(len(batch) for _, batch in others) == 5


def test_a_share_is_not_measured_for_trials_together() -> None:
    with pytest.raises(ValueError, match="give gpu: 1"):
        Resources(gpu="auto", together=2)
