"""The generated pages are what the code generates."""

from __future__ import annotations

from conftest import ROOT
from make_methods import PAGE, page


def test_the_methods_page_is_current() -> None:
    assert PAGE.resolve() == ROOT / "docs/methods.md"
    assert PAGE.read_text() == page(), "run: python docs/make_methods.py"
