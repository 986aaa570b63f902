"""Every figure of every report: no text is cut off at the edge of the canvas, and none covers another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from drawn_texts import drawn_texts, misplaced
from matplotlib.figure import Figure
from synthetic_store import genotype, trial

from analysis import Results
from analysis.comparison import report as comparison
from analysis.comparison.across import on_each
from analysis.comparison.compare import compare
from analysis.pages import layout, style
from analysis.pages.page import Section
from analysis.robustness.sections import Options
from analysis.robustness.sections import build as robustness_sections
from analysis.sensitivity.sections import build as sensitivity_sections
from analysis.sensitivity.study import analyse

COLUMN = "cifar10_test_accuracy"
Study = Callable[..., Results]


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with style.style():
        yield


def wrong(sections: list[Section]) -> dict[str, list[str]]:
    """Figure -> what is wrong with it."""
    found = {plot.name: misplaced(plot.figure) for section in sections for plot in section.plots}
    assert len(found) >= 3
    return {name: troubles for name, troubles in found.items() if troubles}


def arms(count: int, seeds: int, config: str) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)
    return [
        trial(f"m{arm}", seed, genotype=genotype(seed + arm), config=config if arm % 2 else "")
        | {COLUMN: 93 - 0.3 * arm + generator.normal(0, 0.1)}
        for arm in range(count)
        for seed in range(seeds)
    ]


def grid(method: str, rates: tuple[float, ...], decays: tuple[float, ...]) -> list[dict[str, Any]]:
    generator = np.random.default_rng(1)
    return [
        trial(method, seed, genotype=genotype(seed), config=f"lr={rate}, wd={decay}",
              **{"hp.arch_lr": rate, "hp.arch_weight_decay": decay, "hp.order": order})
        | {COLUMN: 93 - 2 * abs(np.log10(rate / 3e-4)) + generator.normal(0, 0.1),
           "cifar100_test_accuracy": 70 + generator.normal()}
        for rate in rates for decay in decays for order in ("first", "second_finite_difference") for seed in range(3)
    ]  # fmt: skip


def test_a_hard_study(results: Results) -> None:
    assert wrong(robustness_sections(results, Options())) == {}


@pytest.mark.parametrize(
    ("count", "seeds", "config"),
    [
        (2, 3, ""),
        (8, 6, "arch_lr=0.001, temperature=3"),
        (14, 3, "arch_learning_rate=0.0003, arch_weight_decay=0.001, temperature=3"),
    ],
)
def test_arms_compared(study: Study, count: int, seeds: int, config: str) -> None:
    trials = study(arms(count, seeds, config)).trials
    found = compare(trials, COLUMN)
    assert wrong(comparison.build(found, on_each(found, trials), trials, np.random.default_rng(0))) == {}


@pytest.mark.parametrize("levels", [2, 6])
def test_hyperparameters(study: Study, levels: int) -> None:
    rates = tuple(float(f"{rate:.3g}") for rate in np.geomspace(1e-4, 1e-2, levels))
    rows = [row for method in ("darts", "regularized_evolution_of_old") for row in grid(method, rates, rates[:3])]
    found = analyse(study(rows).trials, COLUMN)
    assert wrong(sensitivity_sections(found)) == {}


def test_the_check_sees_what_is_wrong() -> None:
    figure = Figure(figsize=(3, 2))
    figure.text(0.9, 0.5, "beyond the edge")
    figure.text(0.1, 0.5, "below")
    figure.text(0.12, 0.5, "above")
    assert misplaced(figure) == ["cut off: beyond the edge", "cover each other: below / above"]
    assert [text.words for text in drawn_texts(figure)] == ["beyond the edge", "below", "above"]


def test_a_settled_figure_keeps_its_places() -> None:
    figure = Figure(figsize=(3, 2), layout=layout.Fixed())
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1000])
    axes.set(xlabel="x", ylabel="y", title="title")
    layout.settle(figure)
    before = axes.get_position().bounds
    assert misplaced(figure) == [] and axes.get_position().bounds == before
    layout.settle(figure)


def test_a_panel_is_left_something_however_long_the_labels() -> None:
    figure = Figure(figsize=(3, 2), layout=layout.Fixed())
    figure.subplots().set_yticks([0], ["a label as long as it can be, and then some more words to make it longer"])
    layout.settle(figure)
    assert figure.axes[0].get_position().width > 0


def test_panels_share_limits_and_label_the_outer_ones_alone() -> None:
    figure = Figure(layout=layout.Fixed())
    grid = layout.panels(figure, 5, 3)
    for place, axes in enumerate(grid):
        axes.plot([0, 1 + place], [0, 10 * place])
    layout.common_limits(grid, "x")
    layout.common_limits(grid, "y")
    assert len({(*axes.get_xlim(), *axes.get_ylim()) for axes in grid}) == 1
    assert [axes.yaxis.get_tick_params()["labelleft"] for axes in grid] == [True, False, False, True, False]
    assert [axes.xaxis.get_tick_params()["labelbottom"] for axes in grid] == [False, False, True, True, True]
