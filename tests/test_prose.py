"""Sentences that are written over several lines of code read as one: at every seam there is one space."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SEAM = re.compile(r"""(\\?[^\\"\n])"\n\s*[rf]*"([^"\n])""")
"""Between two strings that Python joins: the last character of one (or its escape), and the first of the next."""


def faults(code: str) -> list[str]:
    """The line of each seam with two spaces, or with none between what ends and what begins like a word."""
    found = []
    for seam in SEAM.finditer(code):
        left, right = seam.groups()
        doubled = left in (" ", r"\n") and right == " "
        missing = re.fullmatch(r"[\w.,;:!?%)}]", left) and re.fullmatch(r"\w", right)
        if doubled or missing:
            found.append(code[code.rfind("\n", 0, seam.start()) + 1 : seam.start(1) + 1].strip())
    return found


@pytest.mark.parametrize(
    ("first", "second", "faulty"),
    [
        ("one ", "two", False),
        ("one", " {two}", False),
        ("one ", " two", True),
        ("one.", "Two", True),
        ("one {two}", "three", True),
        (r"one\n", "two", False),
        ("<p>", "<b>", False),
    ],
)
def test_a_faulty_seam_is_found(first: str, second: str, faulty: bool) -> None:
    assert bool(faults(f'say(\n    "{first}"\n    f"{second}"\n)')) is faulty


@pytest.mark.parametrize("folder", ["study", "trainables", "analysis"])
def test_no_sentence_loses_or_doubles_a_space(folder: str) -> None:
    found = {str(path): faults(path.read_text()) for path in (ROOT / folder).rglob("*.py")}
    assert found and not {path: lines for path, lines in found.items() if lines}
