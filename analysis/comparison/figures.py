"""The figures of the differences between arms: intervals, probabilities, the matrix of all pairs, paired seeds.

Colour is never the only code: rows carry names, verdicts have shapes of their own, lines have labels or markers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from analysis.comparison.compare import Comparisons
from analysis.comparison.pair import Comparison
from analysis.comparison.verdicts import Verdict
from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed, panels, text_width
from analysis.pages.style import GRID, INK, MUTED, row_centres, wrapped
from analysis.pages.words import number, p_value
from analysis.results import accuracies

MOST_ROWS = 40
SLOPES = 6
_SHAPES = {
    Verdict.BETTER: (">", "#0173b2"),
    Verdict.WORSE: ("<", "#d55e00"),
    Verdict.LEADS: (">", "#0173b2"),
    Verdict.TRAILS: ("<", "#d55e00"),
    Verdict.NEGLIGIBLE: ("s", "#029e73"),
    Verdict.EQUIVALENT: ("s", "#029e73"),
    Verdict.INCONCLUSIVE: ("o", MUTED),
    Verdict.UNDECIDED: ("d", MUTED),
}
_OPEN = (Verdict.LEADS, Verdict.TRAILS, Verdict.NEGLIGIBLE, Verdict.UNDECIDED)
"""Drawn hollow."""


def drawn(found: Comparisons) -> list[Comparison]:
    """The comparisons that fit a figure: all, or those of the largest and the smallest differences."""
    if len(found.pairs) <= MOST_ROWS:
        return found.pairs
    order = sorted(found.pairs, key=lambda pair: -pair.difference.estimate)
    kept = {id(pair) for pair in [*order[: MOST_ROWS // 2], *order[-MOST_ROWS // 2 :]]}
    return [pair for pair in found.pairs if id(pair) in kept]


def forest(found: Comparisons) -> Plot:
    """Differences with their intervals, the margin shaded, the adjusted p beside each row."""
    pairs = drawn(found)
    tests = ["no test" if not pair.p >= 0 else f"p {p_value(pair.p)}" for pair in pairs]
    layout = Fixed(right=text_width(tests, 8) + 0.08, legend="top")
    figure, axes, rows = labelled_rows([pair.name for pair in pairs], 6.6, layout)
    margin = found.margin
    axes.axvspan(-margin, margin, color=MUTED, alpha=0.14, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.9)
    for row, pair, test in zip(rows, pairs, tests, strict=True):
        shape, colour = _SHAPES[pair.verdict]
        d = pair.difference
        if d.low <= d.high:
            axes.hlines(row, d.low, d.high, color=colour, linewidth=1.6)
        open_ = {"markerfacecolor": "none"} if pair.verdict in _OPEN else {}
        axes.plot(d.estimate, row, shape, color=colour, markersize=6, **open_)  # type: ignore[arg-type]
        axes.annotate(test, (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=MUTED)
    bent = _symmetric_log(axes, [v for pair in pairs for v in (pair.difference.low, pair.difference.high)], margin)
    axes.set_xlabel(found.axis)
    _legend(figure, pairs)
    data = _frame(pairs, {"difference": lambda p: p.difference})
    decided = [pair for pair in pairs if pair.verdict not in (Verdict.INCONCLUSIVE, Verdict.UNDECIDED)]
    alternative = f"Forest plot of {len(pairs)} differences of mean {found.title}. {len(decided)} have a verdict."
    return Plot(
        "differences",
        f"Differences of mean {found.title}, {accuracies.direction(found.column)}, n = {counts(pairs)}. Bars: "
        f"{found.interval}s (Student t of paired "
        f"differences, Welch where unpaired). Grey band: margin ±{margin:g} points. p: sign-flip, or permutation where "
        f"unpaired, two-sided, Holm over {found.family} tests.{bent}{_left_out(found)}",
        alternative,
        figure,
        wide=True,
        data=data,
    )


def improvement(found: Comparisons) -> Plot:
    """How often A is better with its interval, and the lines of chance and of a meaningful improvement."""
    pairs = drawn(found)
    figure, axes, rows = labelled_rows([pair.name for pair in pairs], 5.6)
    for at, dash in ((0.5, "-"), (0.75, (0, (4, 2)))):
        axes.axvline(at, color=INK if at == 0.5 else MUTED, linewidth=0.9, linestyle=dash)
    for row, pair in zip(rows, pairs, strict=True):
        shape, colour = _SHAPES[pair.verdict]
        found_p = pair.improvement
        if found_p.low <= found_p.high:
            axes.hlines(row, found_p.low, found_p.high, color=colour, linewidth=1.6)
        axes.plot(found_p.estimate, row, shape, color=colour, markersize=6)
    axes.set(xlim=(-0.02, 1.02), xlabel=f"{found.chance}: how often A is better")
    highest = max(pairs, key=lambda pair: pair.improvement.estimate)
    return Plot(
        "probability_of_improvement",
        f"Probability that A does better than B in {found.title}, n = {counts(pairs)}. Bars: "
        f"{found.interval}s, exact binomial over common seeds, Newcombe where unpaired. "
        f"Solid line: no difference. Dashed: 0.75, from which an improvement is worth speaking of "
        f"if the interval also lies above 0.5.{_left_out(found)}",
        f"Interval plot of {len(pairs)} probabilities. Highest: {highest.name}, "
        f"{number(highest.improvement.estimate, 2)}.",
        figure,
        data=_frame(pairs, {"p_a_better": lambda p: p.improvement}),
    )


def matrix(found: Comparisons) -> Plot:
    """Every pair in one square: the difference, and the adjusted p below it."""
    names = [arm.name for arm in found.arms]
    k = len(names)
    values, texts = np.full((k, k), np.nan), [[""] * k for _ in range(k)]
    for pair in found.pairs:
        i, j = names.index(pair.a.name), names.index(pair.b.name)
        d = pair.difference.estimate
        for row, column, sign in ((i, j, 1), (j, i, -1)):
            values[row, column] = sign * d
            test = "no test" if not pair.p >= 0 else f"p {p_value(pair.p)}"
            texts[row][column] = f"{'+' if sign * d > 0 else ''}{number(sign * d)}\n{test}"
    size = 1.4 + 0.82 * k
    figure = Figure(figsize=(size + 0.9, 0.55 * k + 1.5), layout=Fixed())
    axes = figure.subplots()
    limit = max(float(np.nan_to_num(np.abs(values)).max()), 1e-9)
    axes.imshow(np.sign(values) * np.abs(values / limit) ** 0.5, cmap="PuOr_r", vmin=-1.25, vmax=1.25, aspect="auto")
    for i in range(k):
        for j in range(k):
            dark = i != j and abs(values[i, j] / limit) ** 0.5 > 0.85
            # These stay dark or white in both themes: they stand on the cell's own colour.
            axes.text(j, i, texts[i][j], ha="center", va="center", fontsize=7, color="#ffffff" if dark else "#000000")
    axes.set_xticks(range(k), [wrapped(name, 13) for name in names])
    axes.set_yticks(range(k), [wrapped(name, 22) for name in names])
    axes.grid(False)
    axes.set_facecolor(GRID)
    axes.tick_params(length=0, labelsize=8)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="B", ylabel="A")
    return Plot(
        "pairwise_matrix",
        f"{found.difference} in mean {found.title} (points), arms in order of their means, n = {counts(found.pairs)}; "
        "p: sign-flip "
        f"or permutation test, two-sided, Holm over {found.family} tests. Intervals are in the figure before.",
        f"Matrix of the {len(found.pairs)} pairwise differences of {k} arms, from {names[0]} to {names[-1]}.",
        figure,
        wide=True,
        data=pd.DataFrame(values, columns=names).assign(a=names),
    )


def slopes(found: Comparisons) -> Plot | None:
    """One line a common seed from B to A, for the comparisons of the smallest p; None where nothing is paired."""
    pairs = sorted((pair for pair in found.pairs if pair.paired and pair.n > 1), key=lambda pair: pair.primary.p)
    pairs = pairs[:SLOPES]
    if not pairs:
        return None
    columns, unit = min(len(pairs), 3), accuracies.unit(found.column)
    figure = Figure(figsize=(2.9 * columns + 0.3, 2.2 * -(-len(pairs) // columns) + 0.3), layout=Fixed())
    grid = panels(figure, len(pairs), columns)
    parts = []
    for axes, pair in zip(grid, pairs, strict=True):
        seeds = np.intersect1d(pair.a.seeds[pair.a.known], pair.b.seeds[pair.b.known])
        a, b = (arm.recorded[np.isin(arm.seeds, seeds)] for arm in (pair.a, pair.b))
        better = pair.a.sign * (a - b)
        for up, style, colour in ((better > 0, "-", "#0173b2"), (a == b, ":", MUTED), (better < 0, "--", "#d55e00")):
            axes.plot([0, 1], np.stack([b[up], a[up]]), linestyle=style, color=colour, linewidth=1, marker="o",
                      markersize=3.5)  # fmt: skip
        axes.set_xticks([0, 1], [wrapped(pair.b.name, 18), wrapped(pair.a.name, 18)])
        axes.tick_params(axis="x", labelsize=8)
        axes.set_xlim(-0.25, 1.25)
        axes.grid(False, axis="x")
        axes.yaxis.set_major_locator(MaxNLocator(5))
        parts.append(pd.DataFrame({"a": pair.a.name, "b": pair.b.name, "seed": seeds, f"a{unit}": a, f"b{unit}": b}))
    figure.supylabel(accuracies.axis(found.column, upright=True), fontsize=9)
    return Plot(
        "paired_seeds",
        "Each line is one common seed, from B on the left to A on the right: solid where A is better, dashed where it "
        f"is worse; n = {counts(pairs)}. The {len(pairs)} paired comparisons of the smallest p are drawn. No interval: "
        "these are the data.",
        f"Slope plots of {len(pairs)} paired comparisons, one line a seed.",
        figure,
        wide=True,
        data=pd.concat(parts, ignore_index=True),
    )


def labelled_rows(labels: list[str], inches: float, layout: Fixed | None = None) -> tuple[Figure, Axes, np.ndarray]:
    """A figure of the given width, as tall as its row labels need."""
    shown = [wrapped(label, 44) for label in labels]
    padded = [label if "\n" in label else f"{label}\n" for label in shown]
    rows = row_centres(padded)
    height = 0.32 if any("\n" in label for label in shown) else 0.24
    figure = Figure(figsize=(inches, 0.95 + height * (rows[-1] + 1)), layout=layout or Fixed())
    axes = figure.subplots()
    axes.set_yticks(rows, shown)
    axes.set_ylim(rows[-1] + 0.7, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    return figure, axes, rows


def counts(pairs: list[Comparison]) -> str:
    def span(values: list[int]) -> str:
        return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"

    tied = [pair.n for pair in pairs if pair.paired]
    free = [pair.n for pair in pairs if not pair.paired]
    parts = [f"{span(tied)} common seeds ({len(tied)} paired)"] if tied else []
    parts += [f"{span(free)} seeds in the smaller arm ({len(free)} unpaired)"] if free else []
    return ", ".join(parts)


def _symmetric_log(axes: Axes, ends: list[float], margin: float) -> str:
    """Linear within the margin and logarithmic beyond where some intervals are many times as wide; says so."""
    widest = np.nanmax(np.abs([*ends, margin])) if len(ends) else margin
    if widest > 20 * margin:
        axes.set_xscale("symlog", linthresh=margin, linscale=0.6)
        ticks = [t for t in (1, 2, 5, 10, 20, 50, 100) if margin < t <= widest * 1.1]
        ticks = ticks if len(ticks) <= 4 else ticks[:: -(-len(ticks) // 4)]
        axes.set_xticks([*(-t for t in ticks[::-1]), 0, *ticks])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}".replace("-", "−")))
        axes.xaxis.set_minor_locator(NullLocator())
        return " The axis is logarithmic beyond the margin."
    return ""


def _legend(figure: Figure, pairs: list[Comparison]) -> None:
    axes = figure.axes[0]
    present = [verdict for verdict in Verdict if any(pair.verdict is verdict for pair in pairs)]
    for verdict in present:
        shape, colour = _SHAPES[verdict]
        fill = "none" if verdict in _OPEN else colour
        axes.plot([], [], shape, color=colour, markerfacecolor=fill, markersize=6, label=str(verdict))
    figure.legend(loc="upper center", ncols=min(len(present), 3), frameon=False, fontsize=8, handletextpad=0.2,
                  columnspacing=1.2)  # fmt: skip


def _frame(pairs: list[Comparison], named: dict) -> pd.DataFrame:
    rows = []
    for pair in pairs:
        row: dict[str, object] = {"a": pair.a.name, "b": pair.b.name, "n": pair.n, "paired": pair.paired}
        for name, get in named.items():
            estimate = get(pair)
            row |= {name: estimate.estimate, "low": estimate.low, "high": estimate.high}
        rows.append(row | {"p_holm": pair.p, "verdict": str(pair.verdict)})
    return pd.DataFrame(rows)


def _left_out(found: Comparisons) -> str:
    if len(found.pairs) <= MOST_ROWS:
        return ""
    half = MOST_ROWS // 2
    return f" Of {len(found.pairs)} comparisons, those of the {half} largest and {half} smallest differences are drawn."
