"""Replaying a recorded step is running it: to the last bit, for every method that says that its steps are alike."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest
import torch
from tape import HostLooks, Tape
from test_conformance import IMAGE_CASES, Mirrored, finish, name_of
from tiny_trials import tiny_trial

from trainables.methods import METHODS
from trainables.methods.adam_architecture import AdamSearch
from trainables.methods.differentiable import DifferentiableSearch
from trainables.methods.recording import CudaGraphs, repeat
from trainables.streams import Streams
from trainables.trial import Trial

pytestmark = [pytest.mark.slow, pytest.mark.trains]

STEPS_DIFFER = {
    "gaea-variant=gdas-arch_lr=0.01-entropy=0.01": "the host runs the sampled path",
    "gdas": "the host runs the sampled path",
    "idarts-inner_steps=2-terms=0-protocol=P1": "an architecture step every second weight step",
    "enas-controller_steps=2-samples=3-candidates=5": "the host draws the cell",
    "oles-window=1": "the host counts the comparisons, and decides",
    "oles-window=2-threshold=0.7-compared=validation": "the host counts the comparisons, and decides",
    "setn-candidates=5": "the host draws the cell",
    "random_ws-candidates=5": "the host draws the cell",
    "random_ws-selection=randomnas-screened=12-statistics=running": "the host draws the cell",
    "zarts-warm_up=0.0-interval=1-fine_tune_steps=2": "an architecture step draws batches of its own",
    "zarts-warm_up=0.0-interval=1-fine_tune_steps=1-optimizer=rs": "an architecture step draws batches of its own",
    "zarts-warm_up=0.0-interval=1-fine_tune_steps=1-optimizer=gld-samples=4": "draws batches of its own",
}
"""Searches that run step by step on every device, and why."""


@pytest.fixture(autouse=True)
def adam_counts_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does on a GPU (see ``trial_of``); on a CPU torch's Adam counts where the host reads."""
    monkeypatch.setattr(sys.modules["torch.optim.adam"], "_get_capturable_supported_devices", lambda: ["cpu"])


def trial_of(case: tuple[str, dict[str, Any]], tape: Tape | None = None) -> Trial:
    """A tiny trial of four or eight steps an epoch, on a recorder if one is given."""
    method, config = case
    trial = tiny_trial(method, batch_size=8, surroundings=Mirrored(), **config)
    trial.search.context = dataclasses.replace(trial.search.context, recorder=tape)
    if isinstance(trial.search, AdamSearch):
        trial.search.architecture_optimizer.param_groups[0]["capturable"] = True
    return trial


def alike(case: tuple[str, dict[str, Any]]) -> bool:
    method = METHODS[case[0]]
    assert issubclass(method, DifferentiableSearch)
    return method.steps_are_alike(method.Config.parse(*case))


def test_which_searches_are_recorded() -> None:
    assert {name_of(case) for case in IMAGE_CASES if not alike(case)} == set(STEPS_DIFFER)


@pytest.mark.parametrize("case", [c for c in IMAGE_CASES if alike(c)], ids=name_of)
def test_replayed_steps_give_the_same_bits(case: Any) -> None:
    tape = Tape()
    trial = trial_of(case, tape)
    assert finish(trial) == finish(trial_of(case))
    assert tape.recorded == len(trial.epochs) and tape.replayed >= 2 * tape.recorded


@pytest.mark.parametrize("case", [c for c in IMAGE_CASES if not alike(c)], ids=name_of)
def test_steps_that_differ_cannot_be_replayed(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that none is left out that could be recorded."""
    monkeypatch.setattr(METHODS[case[0]], "steps_are_alike", classmethod(lambda cls, config: True))
    try:
        result = finish(trial_of(case, Tape()))
    except (RuntimeError, AssertionError):
        return
    assert result != finish(trial_of(case))


def test_the_first_step_runs_as_it_is_and_each_follows_its_advance() -> None:
    happened: list[str] = []

    class Counting:
        device = torch.device("cpu")

        def record(self, step: Any, generators: Any) -> Any:
            happened.append("recorded")
            return lambda: happened.append("replayed")

    def advance() -> None:
        happened.append("advanced")

    repeat(lambda: happened.append("ran"), 3, advance, Counting(), Streams(0))
    assert happened == ["advanced", "ran", "advanced", "recorded", "replayed", "advanced", "replayed"]
    happened.clear()
    repeat(lambda: happened.append("ran"), 2, advance, None, Streams(0))
    assert happened == ["advanced", "ran", "advanced", "ran"]


def test_a_step_that_fails_while_it_is_recorded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of memory, for one, is answered by more of a GPU; that the recording broke is not the reason."""
    ended = []

    class Graph:
        def capture_begin(self, **_: Any) -> None: ...

        def capture_end(self) -> None:
            ended.append(True)
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    def fail() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        CudaGraphs(torch.device("cuda")).record(fail, [])
    assert ended


def test_a_recorded_step_may_not_look_at_a_value_nor_draw_from_an_unknown_generator() -> None:
    value, known, unknown = torch.zeros(()), torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)

    def look() -> None:
        value.add_(float(value))

    def draw() -> None:
        value.copy_(torch.rand((), generator=unknown))

    with pytest.raises(HostLooks):
        Tape().record(look, [])
    with pytest.raises(AssertionError, match="not recorded"):
        Tape().record(draw, [known])
