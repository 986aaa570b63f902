"""Whoever waits for storage is told so."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from study.store import waiting
from study.store.files import Files


def test_storage_that_is_silent_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "QUIET_S", 0.0)
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.001)
    said: list[str] = []
    told, looked_again = threading.Event(), threading.Event()

    def say(sentence: str) -> None:
        said.append(sentence)
        told.set()

    with waiting.telling(say):
        assert Files(str(tmp_path)).attempt(told.wait, 60)
        looked_again.wait(0.02)
    assert said == [f"waiting for storage: {tmp_path} does not answer yet"]
    assert waiting.QUIET_S + waiting.LOOK_EVERY_S < 5


def test_storage_that_answers_is_not_mentioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.001)
    said: list[str] = []
    with waiting.telling(said.append):
        Files(str(tmp_path)).listing("trials")
    assert said == [] and not waiting._under_way
