"""The generated pages are what the code generates."""

from __future__ import annotations

from pathlib import Path

from make_methods import PAGE, measured, page

from trainables.methods import METHODS


def test_the_methods_page_is_current() -> None:
    assert PAGE.resolve() == Path(__file__).parent.parent / "docs/methods.md"
    assert PAGE.read_text() == page(), "run: python docs/make_methods.py"


def test_every_method_has_a_measured_cost() -> None:
    costs = measured()
    assert set(costs) == set(METHODS), "run: python speed/method_cost.py"
    assert all(float(cost) > 0 for ratios in costs.values() for _, cost in ratios)
