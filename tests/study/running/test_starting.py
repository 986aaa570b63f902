"""How a run begins: Ray that is slow or absent, what lies in the user's folder, workers that cannot be set up."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drills
import pytest
import ray
from faulty_s3 import free_port
from ray_head import Cluster
from rich.console import Console

from study.running import runner
from trainables.errors import ConfigError
from trainables.trial import Surroundings

RunStudy = Any

SLOW = "The current node timed out during startup. This could happen because\nsome of the raylet failed to startup"


def start(monkeypatch: pytest.MonkeyPatch, address: str | None, failing: int) -> tuple[str, int]:
    """What is said while Ray fails to start so many times, and how often it was tried."""
    tries: list[dict[str, Any]] = []

    def init(**options: Any) -> str:
        tries.append(options)
        if len(tries) <= failing:
            raise Exception(SLOW)
        return "context"

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(runner, "SECOND_TRY_AFTER_S", 0.0)
    shown = io.StringIO()
    assert runner._connect(address, Console(file=shown, width=500), {}) == "context"
    return shown.getvalue(), len(tries)


def test_a_ray_that_starts_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(monkeypatch, None, 0) == ("starting Ray …\n", 1)


def test_a_ray_that_is_slow_gets_one_more_try(monkeypatch: pytest.MonkeyPatch) -> None:
    said, tries = start(monkeypatch, None, 1)
    assert tries == 2 and "Ray did not start (The current node timed out" in said and said.count("\n") == 2


def test_a_ray_that_does_not_start_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"twice it did not start on this machine \(The current.*--address") as raised:
        start(monkeypatch, None, 2)
    assert "\n" not in str(raised.value)


def test_a_cluster_that_does_not_answer_is_a_sentence_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens, or something else than Ray does; neither is tried a second time."""
    silent = f"127.0.0.1:{free_port()}"
    with pytest.raises(ConfigError, match=rf"--address must name a Ray cluster .* {silent} does not answer .*refused"):
        start(monkeypatch, silent, 0)
    with pytest.raises(ConfigError, match=r"--address must name a Ray cluster .* does not answer"):
        start(monkeypatch, "127.0.0.1:99999", 0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"{address} does not answer .The current node timed out"):
            start(monkeypatch, address, 1)


@pytest.mark.slow
def test_files_beside_the_user_shadow_nothing_on_a_cluster(
    table_study: dict[str, Any], run_study: RunStudy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same with a Ray of the user's own: test_runs.py."""
    drills.shadow(tmp_path)
    monkeypatch.chdir(tmp_path)
    table_study |= drills.ONE_WORKER | {"seeds": 1}
    code, said = run_study(drills.write_study(tmp_path, table_study), tmp_path / "store")
    assert code == 0 and "started anew" not in said, said


@pytest.mark.slow
def test_a_budget_that_is_over_at_once_ends_the_run_early(
    table_study: dict[str, Any], run_study: RunStudy, tmp_path: Path
) -> None:
    study = drills.write_study(tmp_path, table_study | drills.ONE_WORKER)
    code, said = run_study(study, tmp_path / "store", "--max-hours", "0")
    assert code == 3 and "--max-hours 0 is over" in said and "6 trials are left" in said, said


def unset() -> None:
    raise ModuleNotFoundError("No module named 'mine'")


class NotHere(Surroundings):
    """As of a host on which a package is missing: no worker can unpack it."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return unset, ()


@pytest.mark.slow
def test_workers_none_of_which_can_be_set_up_end_the_run(
    table_study: dict[str, Any], cluster: Cluster, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"3 of them could not even be set up \(ModuleNotFoundError: .*\); see that"):
        drills.run_here(table_study | drills.ONE_WORKER, tmp_path, cluster.address, NotHere())
