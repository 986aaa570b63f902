"""What the drills share: one study of real searches, and its rows as nothing disturbed them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drills
import driver
import pytest
from inline import Inline
from sabotage import Ledger


@pytest.fixture
def study() -> dict[str, Any]:
    """Four trials of ten short epochs, the last two of retraining."""
    return {
        "name": "tiny",
        "dataset": {"name": "digits", "train_images": 64},
        "scale": {"channels": 2, "cells": 1, "epochs": 8, "batch_size": 32},
        "methods": {"darts": {}, "drnas": {}},
        "seeds": 2,
        "evaluate": {"retrain": {"epochs": 2}},
    }


_undisturbed: list[drills.Rows] = []


@pytest.fixture
def undisturbed(study: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> drills.Rows:
    """The rows of ``study``, run in this process, once for all drills."""
    if not _undisturbed:
        folder = tmp_path_factory.mktemp("undisturbed")
        Inline(study, folder).run()
        _undisturbed.append(drills.rows(folder, "tiny"))
    return _undisturbed[0]


@pytest.fixture(autouse=True)
def _no_driver_stays() -> Iterator[None]:
    yield
    driver.kill_all()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")
