"""Shared fixtures: the command line in this process, a Ray cluster of the session's own, studies of seconds."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ray_head import Cluster

NasStudy = Callable[..., tuple[int, str, str]]
RunStudy = Callable[..., tuple[int, str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow begins first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True, scope="session")
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the benchmark table of this session's own, so that no test depends on an earlier one's leftovers.

    Ray's workers are not nice: on a busy machine they get as much as the tests that wait for them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("NAS_STUDY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("NAS_STUDY_BENCHMARK", raising=False)
        patch.delenv("NAS_STUDY_DATA", raising=False)
        yield


@pytest.fixture(scope="session")
def fonts_cut_once() -> Iterator[None]:
    """What fonts are embedded in PDFs is looked for once, not in each figure."""
    import pdf_fonts

    with pdf_fonts.cut_once():
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One for all tests that need a Ray, but not one of their own.

    It asks for a token of its own: without one nobody gets in, whatever tokens lie about on this machine.
    """
    from ray._raylet import AuthenticationTokenLoader, Config
    from ray_head import Cluster

    def read_environment() -> None:
        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        read_environment()
        found = Cluster()
        yield found
        found.close()
    read_environment()


@pytest.fixture
def nas_study(fonts_cut_once: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> NasStudy:
    """Run ``nas-study ...`` in this process: (exit code, stdout, stderr)."""
    from study import cli

    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nas-study", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def run_study(nas_study: NasStudy, cluster: Cluster) -> RunStudy:
    """``nas-study run`` in this process, on the session's cluster: (exit code, all that it said)."""

    def call(study: Path, store: Path, *options: str) -> tuple[int, str]:
        code, *said = nas_study("run", str(study), "--store", str(store), "--address", cluster.address, *options)
        return code, "".join(said)

    return call


@pytest.fixture
def tiny_study() -> dict[str, Any]:
    """A study of real searches on digits whose trials take about three seconds each."""
    return {
        "name": "tiny",
        "dataset": {"name": "digits", "train_images": 512},
        "scale": {"channels": 4, "cells": 1, "epochs": 16, "batch_size": 32},
        "methods": {"darts": {}, "drnas": {}},
        "seeds": 2,
    }


@pytest.fixture
def table_study() -> dict[str, Any]:
    """A study that only queries the table: trials take milliseconds."""
    return {
        "name": "table",
        "dataset": "cifar10",
        "methods": {"random_search": {"queries": 5}, "regularized_evolution": {"queries": 15}},
        "seeds": 3,
    }
