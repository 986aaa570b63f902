"""The generated pages are what the code generates."""

from __future__ import annotations

from pathlib import Path

from make_methods import PAGE, page


def test_the_methods_page_is_current() -> None:
    assert PAGE.resolve() == Path(__file__).parent.parent / "docs/methods.md"
    assert PAGE.read_text() == page(), "run: python docs/make_methods.py"
