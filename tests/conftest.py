"""Shared fixtures: where the real data lies, and studies small enough for seconds."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The benchmark table's cache of this test session, so that no test depends on an earlier one's leftovers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_STUDY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("NAS_STUDY_BENCHMARK", raising=False)
        patch.delenv("NAS_STUDY_DATA", raising=False)
        yield


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
