"""Figures: what is drawn where, without overlap, from 2 to 20 variants and 1 to 1,000 seeds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from drawn_texts import misplaced
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.pages import style
from analysis.robustness import drawings
from analysis.robustness.courses.curves import Course, Curves, collected
from analysis.robustness.summary import summarise

COLUMN = "cifar10_test_accuracy"


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with style.style():
        yield


def arms(variants: int, seeds: int, *, collapsed: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    names = [f"method_{i} (arch_lr={10.0**-i:g}{', temperature=3' * (i % 4)})" for i in range(variants)]
    frame = pd.DataFrame({"variant": np.repeat(names, seeds), "seed": np.tile(np.arange(seeds), variants)})
    frame[COLUMN] = 93 + rng.normal(0, 0.3, len(frame))
    if collapsed:
        frame.loc[::7, COLUMN] = 10.0
    return frame.assign(status="ok", variant=pd.Categorical(frame["variant"], names, ordered=True))


def curve(variants: int, seeds: int) -> Curves:
    """Of seed s, s + 10 / epoch at the epochs 1, 2 and 4."""
    frame = arms(variants, seeds)
    frame["trial_id"] = frame.index.astype(str)
    at = np.array([1, 2, 4])
    parts = frame.groupby("variant", observed=True)["seed"]
    courses = (
        Course(name, at, np.add.outer(10.0 / at, part.to_numpy()), part.index.to_numpy()) for name, part in parts
    )
    return collected(courses, frame)


@pytest.mark.parametrize(("variants", "seeds"), [(2, 1), (2, 10), (20, 5), (3, 1000)])
def test_row_labels_never_overlap(variants: int, seeds: int) -> None:
    trials = arms(variants, seeds)
    figure = drawings.strip_figure(trials, summarise(trials, COLUMN), COLUMN, "accuracy (%)", 94.0)
    boxes = sorted((label.get_window_extent() for label in labels(figure)), key=lambda box: box.y0)
    assert len(boxes) == variants
    assert all(below.y1 <= above.y0 + 0.5 for below, above in pairwise(boxes))
    assert boxes[0].x0 >= 0


@pytest.mark.parametrize(("variants", "seeds"), [(2, 1), (5, 3), (20, 5), (3, 1000)])
def test_no_text_is_cut_off_or_covers_another(variants: int, seeds: int) -> None:
    trials, found = arms(variants, seeds), curve(variants, min(seeds, 20))
    strip = drawings.strip_figure(trials, summarise(trials, COLUMN), COLUMN, "accuracy (%)", 94.0)
    courses = drawings.curves_figure(found.lines, found.summary, logarithmic=True, x="epochs", y="regret")
    assert misplaced(strip) == [] and misplaced(courses) == []


def labels(figure: Figure) -> list:
    FigureCanvasAgg(figure).draw()
    return figure.axes[0].get_yticklabels()


def test_every_seed_is_a_dot_and_boxes_need_ten() -> None:
    for seeds, boxes in ((9, 0), (10, 2)):
        axes = Figure().subplots()
        trials = arms(2, seeds)
        assert drawings.seed_strip(trials, summarise(trials, COLUMN), COLUMN, axes) is axes
        dots = np.vstack([c.get_offsets() for c in axes.collections if len(c.get_offsets()) > 1])
        assert sorted(dots[:, 0]) == sorted(trials[COLUMN])
        assert np.abs(dots[:, 1, None] - axes.get_yticks()).min(axis=1).max() <= 0.2
        assert len(axes.patches) == boxes


def test_collapsed_runs_put_the_axis_on_a_scale_that_keeps_the_others_apart() -> None:
    trials = arms(2, 20, collapsed=True)
    summary = summarise(trials, COLUMN)
    axes = drawings.strip_figure(trials, summary, COLUMN, "accuracy (%)", 94.0).axes[0]
    assert drawings.is_logarithmic(summary, 94.0)
    pixels = axes.transData.transform([(10, 0), (92, 0), (94, 0)])
    left, middle, right = axes.transAxes.inverted().transform(pixels)[:, 0]
    assert 0 < left < 0.15 and right - middle > 0.15 and right <= 1
    ticks = axes.get_xticks()
    assert len(ticks) >= 5 and (np.diff(np.sort(ticks)) > 0).all() and max(ticks) <= 94


def test_crowds_become_an_image_so_that_the_page_stays_small() -> None:
    trials = arms(2, 1000)
    axes = drawings.seed_strip(trials, summarise(trials, COLUMN), COLUMN, Figure().subplots())
    assert any(c.get_rasterized() for c in axes.collections)


def test_single_seed_has_no_interval() -> None:
    trials = arms(2, 1)
    axes = drawings.seed_strip(trials, summarise(trials, COLUMN), COLUMN, Figure().subplots())
    assert not [segment for container in axes.containers for segment in container.lines[2][0].get_segments()]


def test_curves_have_one_panel_a_variant_and_every_seed_a_line() -> None:
    found = curve(5, 3)
    figure = drawings.curves_figure(found.lines, found.summary, logarithmic=True, x="epochs", y="regret")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == 5
    assert all(len(axes.get_lines()) == 3 + 1 for axes in panels)
    assert len({axes.get_ylim() for axes in panels}) == 1
    np.testing.assert_allclose(panels[0].get_lines()[-1].get_ydata(), [1 + 10, 1 + 5, 1 + 2.5])


def test_many_seeds_become_a_band() -> None:
    found = curve(2, drawings.LINES_UP_TO + 1)
    figure = drawings.curves_figure(found.lines, found.summary, logarithmic=False, x="epochs", y="share")
    assert all(len(axes.get_lines()) == 1 for axes in figure.axes)


def test_looks_are_distinct_and_depend_on_names_alone() -> None:
    names = [f"m{i:02}" for i in range(20)]
    found = style.looks(names)
    assert len(set(found.values())) == 20
    assert style.looks(names[::-1]) == found


def test_dollar_signs_in_a_setting_are_no_formula() -> None:
    trials = arms(2, 3)
    trials["variant"] = trials["variant"].cat.rename_categories([r"a ($\frac{$)", "b ($x$)"])
    figure = drawings.strip_figure(trials, summarise(trials, COLUMN), COLUMN, "accuracy (%)", None)
    assert "$" in labels(figure)[0].get_text()


@pytest.mark.parametrize(
    ("label", "width", "lines"),
    [
        ("regularized_evolution", 13, ["regularized_", "evolution"]),
        ("svge (vae_graphs=2000, 8 more)", 22, ["svge (vae_graphs=2000,", "8 more)"]),
        ("reinforce (policy_lr=0.1)", 18, ["reinforce", "(policy_lr=0.1)"]),
        ("unbreakableword", 10, ["unbreakabl", "eword"]),
        ("_", 5, ["_"]),
        ("a_ b, regularized_evolution", 14, ["a_ b,", "regularized_", "evolution"]),
    ],
)
def test_long_labels_break_at_spaces_then_at_underscores(label: str, width: int, lines: list[str]) -> None:
    assert style.wrapped(label, width).split("\n") == lines
