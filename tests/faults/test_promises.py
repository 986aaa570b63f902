"""docs/reliability.md names a test for each promise, and every drill here is promised there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PROMISED = set(re.findall(r"`(test_\w+)`", (HERE.parent.parent / "docs/reliability.md").read_text()))


def names(folder: Path) -> set[str]:
    """Of the tests under a folder, but for those of this file."""
    texts = [path.read_text() for path in folder.rglob("test_*.py") if path != Path(__file__)]
    return {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


def test_every_promise_is_tested() -> None:
    assert PROMISED and not PROMISED - names(HERE.parent)


def test_every_drill_is_promised() -> None:
    assert not names(HERE) - PROMISED
