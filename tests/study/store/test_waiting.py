"""Whoever waits for storage is told so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from study import cli
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


def test_a_command_says_on_stderr_what_it_waits_for(
    nas_study: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()

    def telling(say: Callable[[str], None]) -> AbstractContextManager[None]:
        return waiting.telling(lambda sentence: (say(sentence), told.set())[0])

    monkeypatch.setattr(waiting, "QUIET_S", 0.0)
    monkeypatch.setattr(cli, "telling", telling)
    monkeypatch.setattr(Files, "folders", lambda self: self.attempt(told.wait, 60) and [])
    code, out, err = nas_study("status", str(tmp_path))
    assert code == 2 and out == "" and err.startswith(f"waiting for storage: {tmp_path} does not answer yet\nerror: ")


def test_storage_that_answers_is_not_mentioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.001)
    said: list[str] = []
    with waiting.telling(said.append):
        Files(str(tmp_path)).listing("trials")
    assert said == [] and not waiting._under_way
