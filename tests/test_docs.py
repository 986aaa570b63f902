"""The generated pages are what the code generates."""

from __future__ import annotations

from pathlib import Path

from make_methods import PAGE, measured, page

from trainables.methods import METHODS


def test_the_methods_page_is_current() -> None:
    assert PAGE.resolve() == Path(__file__).parent.parent / "docs/methods.md"
    assert PAGE.read_text() == page(), "run: python docs/make_methods.py"


def test_every_method_that_trains_has_a_measured_cost_near_its_estimate() -> None:
    costs = measured()
    for name, method in METHODS.items():
        if method.needs(method.Config()) == "images":
            ratio = next(float(cost) for config, cost in costs[name] if not config or name == "zarts")
            estimate = method.relative_cost(method.Config())
            assert 0.5 < estimate / ratio < 2, f"{name}: estimate {estimate:.2f}, measured {ratio:.2f}"
