"""The generated pages are what the code generates."""

from __future__ import annotations

from pathlib import Path

from make_methods import PAGE, measured, page

from trainables.methods import METHODS


def test_the_methods_page_is_current() -> None:
    assert PAGE.resolve() == Path(__file__).parent.parent / "docs/methods.md"
    assert PAGE.read_text() == page(), "run: python docs/make_methods.py"


def test_every_method_that_trains_has_a_measured_cost() -> None:
    costs = measured()
    for name, method in METHODS.items():
        assert (name in costs) == (method.needs(method.Config()) == "images"), f"{name}: run speed/method_cost.py"
        assert all(float(cost) > 0 for _, cost in costs.get(name, []))
