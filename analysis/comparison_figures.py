"""The figures of a comparison report: differences, probabilities, ranks, profiles and seeds needed.

Colour is never the only code: rows carry names, verdicts have shapes of their own, lines have labels or markers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from analysis.comparison import Comparison, Comparisons
from analysis.figures import Plot
from analysis.pairing import Arm, common_matrix
from analysis.plots import GRID, INK, MUTED, looks, row_centres, wrapped
from analysis.statistics.estimate import ALPHA
from analysis.statistics.power import POWER, planning_std, smallest_detectable_paired, smallest_detectable_unpaired
from analysis.statistics.probability import performance_profile
from analysis.statistics.ranks import Nemenyi, RankDistribution, rank_distribution
from analysis.tables import listed, number, p_value
from analysis.verdicts import Verdict

MOST_ROWS = 40
MOST_LINES = 8
SLOPES = 6
_SHAPES = {
    Verdict.BETTER: (">", "#0173b2"),
    Verdict.WORSE: ("<", "#d55e00"),
    Verdict.EQUIVALENT: ("s", "#029e73"),
    Verdict.INCONCLUSIVE: ("o", MUTED),
    Verdict.UNDECIDED: ("d", MUTED),
}


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
    figure, axes, rows = _rows([pair.name for pair in pairs], 6.6)
    margin = found.margin
    axes.axvspan(-margin, margin, color=MUTED, alpha=0.14, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.9)
    for row, pair in zip(rows, pairs, strict=True):
        shape, colour = _SHAPES[pair.verdict]
        d = pair.difference
        if d.low <= d.high:
            axes.hlines(row, d.low, d.high, color=colour, linewidth=1.6)
        open_ = {"markerfacecolor": "none"} if pair.verdict is Verdict.UNDECIDED else {}
        axes.plot(d.estimate, row, shape, color=colour, markersize=6, **open_)  # type: ignore[arg-type]
        p = "no test" if not pair.p >= 0 else f"p {p_value(pair.p)}"
        axes.annotate(p, (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=MUTED)
    bent = _symmetric_log(axes, [v for pair in pairs for v in (pair.difference.low, pair.difference.high)], margin)
    axes.set_xlabel("A − B (points)")
    _legend(axes, pairs)
    data = _frame(pairs, {"difference": lambda p: p.difference})
    decided = [pair for pair in pairs if pair.verdict not in (Verdict.INCONCLUSIVE, Verdict.UNDECIDED)]
    alternative = f"Forest plot of {len(pairs)} differences of mean {found.title}. {len(decided)} have a verdict."
    return Plot(
        "differences",
        f"Differences of mean {found.title}, n = {_counts(pairs)}. Bars: 95 % intervals (Student t of paired "
        f"differences, Welch where unpaired). Grey band: margin ±{margin:g} points. p: sign-flip, or permutation where "
        f"unpaired, two-sided, Holm over {found.family} tests.{bent}{_left_out(found)}",
        alternative,
        figure,
        wide=True,
        data=data,
    )


def improvement(found: Comparisons) -> Plot:
    """P(A > B) with its interval, and the lines of chance and of a meaningful improvement."""
    pairs = drawn(found)
    figure, axes, rows = _rows([pair.name for pair in pairs], 5.6)
    for at, dash in ((0.5, "-"), (0.75, (0, (4, 2)))):
        axes.axvline(at, color=INK if at == 0.5 else MUTED, linewidth=0.9, linestyle=dash)
    for row, pair in zip(rows, pairs, strict=True):
        shape, colour = _SHAPES[pair.verdict]
        found_p = pair.improvement
        if found_p.low <= found_p.high:
            axes.hlines(row, found_p.low, found_p.high, color=colour, linewidth=1.6)
        axes.plot(found_p.estimate, row, shape, color=colour, markersize=6)
    axes.set(xlim=(-0.02, 1.02), xlabel="P(A > B)")
    highest = max(pairs, key=lambda pair: pair.improvement.estimate)
    return Plot(
        "probability_of_improvement",
        f"Probability that A does better than B in {found.title}, n = {_counts(pairs)}. Bars: 95 % intervals, exact "
        "binomial over common seeds, Newcombe where unpaired. Solid line: no difference. Dashed: 0.75, from which an "
        f"improvement is worth speaking of if the interval also lies above 0.5.{_left_out(found)}",
        f"Interval plot of {len(pairs)} probabilities. Highest: {highest.name}, "
        f"{number(highest.improvement.estimate)}.",
        figure,
        data=_frame(pairs, {"p_a_above_b": lambda p: p.improvement}),
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
    figure = Figure(figsize=(size + 0.9, 0.55 * k + 1.5), layout="constrained")
    axes = figure.subplots()
    limit = max(float(np.nanmax(np.abs(values))), 1e-9)
    axes.imshow(np.sign(values) * np.abs(values / limit) ** 0.5, cmap="PuOr_r", vmin=-1.25, vmax=1.25, aspect="auto")
    for i in range(k):
        for j in range(k):
            dark = i != j and abs(values[i, j] / limit) ** 0.5 > 0.85
            # These stay dark or white in both themes: they stand on the cell's own colour.
            axes.text(j, i, texts[i][j], ha="center", va="center", fontsize=7, color="#ffffff" if dark else "#000000")
    axes.set_xticks(range(k), [wrapped(name, 13) for name in names], rotation=0, fontsize=7)
    axes.set_yticks(range(k), [wrapped(name, 22) for name in names], fontsize=8)
    axes.grid(False)
    axes.set_facecolor(GRID)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="B", ylabel="A")
    return Plot(
        "pairwise_matrix",
        f"A − B in mean {found.title} (points), arms in order of their means, n = {_counts(found.pairs)}; p: sign-flip "
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
    columns = min(len(pairs), 3)
    figure = Figure(figsize=(2.9 * columns + 0.3, 2.2 * -(-len(pairs) // columns) + 0.3), layout="constrained")
    grid = figure.subplots(-(-len(pairs) // columns), columns, squeeze=False)
    parts = []
    for axes, pair in zip(grid.flat, pairs, strict=False):
        seeds = np.intersect1d(pair.a.seeds[pair.a.known], pair.b.seeds[pair.b.known])
        a, b = (arm.values[np.isin(arm.seeds, seeds)] for arm in (pair.a, pair.b))
        for up, style, colour in ((a > b, "-", "#0173b2"), (a == b, ":", MUTED), (a < b, "--", "#d55e00")):
            axes.plot([0, 1], np.stack([b[up], a[up]]), linestyle=style, color=colour, linewidth=1, marker="o",
                      markersize=3.5)  # fmt: skip
        axes.set_xticks([0, 1], [wrapped(pair.b.name, 18), wrapped(pair.a.name, 18)], fontsize=8)
        axes.set_xlim(-0.25, 1.25)
        axes.grid(False, axis="x")
        axes.yaxis.set_major_locator(MaxNLocator(5))
        parts.append(pd.DataFrame({"a": pair.a.name, "b": pair.b.name, "seed": seeds, "a (%)": a, "b (%)": b}))
    for axes in grid.flat[len(pairs) :]:
        axes.set_visible(False)
    figure.supylabel(f"{found.title} (%)", fontsize=9)
    return Plot(
        "paired_seeds",
        f"Each line is one common seed, from B on the left to A on the right: solid where A is above, dashed "
        "where it is "
        f"below; n = {_counts(pairs)}. The {len(pairs)} paired comparisons of the smallest p are drawn. No interval: "
        "these are the data.",
        f"Slope plots of {len(pairs)} paired comparisons, one line a seed.",
        figure,
        wide=True,
        data=pd.concat(parts, ignore_index=True),
    )


def ranks(found: Comparisons, generator: np.random.Generator) -> tuple[Plot | None, str]:
    """How often each arm has each rank when the seeds are drawn again; None and the reason where there is none."""
    group = [arm for arm in found.arms if arm.n > 1][:MOST_ROWS]
    if len(group) < 2:
        return None, "fewer than two arms have two seeds"
    common = common_matrix(group)
    if common is not None and len(common[0]) >= 3:
        found_ranks: RankDistribution = rank_distribution(list(common[1].T), generator, paired=True)
    else:
        found_ranks = rank_distribution([arm.values for arm in group], generator, paired=False)
    names, share = [arm.name for arm in group], found_ranks.share
    figure, axes, rows = _rows(names, 1.9 + 0.42 * min(len(names), 14))
    k = len(names)
    heights = np.diff(np.append(rows - 0.5 * np.gradient(rows) if k > 1 else rows - 0.5, rows[-1] + 0.5))
    for i, row in enumerate(rows):
        for rank in range(k):
            if share[i, rank] >= 0.005:
                tone = float(share[i, rank])
                axes.barh(row, 1, max(heights.min(), 0.8), left=rank + 0.5, color="#0173b2", alpha=0.08 + 0.92 * tone,
                          linewidth=0)  # fmt: skip
                if k <= 14:
                    colour = "#ffffff" if tone > 0.55 else INK
                    axes.text(rank + 1, row, f"{100 * tone:.0f}", ha="center", va="center", fontsize=7.5, color=colour)
    axes.set(xlim=(0.5, k + 0.5), xlabel="rank (1 is best), % of resamples")
    axes.xaxis.set_major_locator(MaxNLocator(min(k, 14), integer=True, min_n_ticks=1))
    axes.grid(False)
    data = pd.DataFrame(share, columns=[f"rank {r + 1}" for r in range(k)])
    data.insert(0, "arm", names)
    first = int(np.argmax(share[:, 0]))
    return Plot(
        "rank_distribution",
        f"Share of bootstrap resamples in which an arm has each rank, n = {_range(group)} seeds an arm; "
        f"{found_ranks.method}. No interval or test: the spread of a row is what these seeds leave open. Few make "
        "it too narrow.",
        f"Rank distribution of {k} arms. {names[first]} is first in {100 * share[first, 0]:.0f} % of the resamples.",
        figure,
        data=data,
    ), ""


def critical_difference(names: list[str], found: Nemenyi, p: float, blocks: str) -> Plot:
    """Mean ranks on one axis; a bar joins arms that the Nemenyi test cannot tell apart."""
    order = np.argsort(found.mean_ranks, kind="stable")
    k = len(names)
    depth = -(-k // 2)
    bars = found.cliques
    figure = Figure(figsize=(8.2, 0.95 + 0.16 * len(bars) + 0.27 * depth), layout="constrained")
    axes = figure.subplots()
    start = 0.45 + 0.3 * len(bars)
    for place, i in enumerate(order):
        left = place < depth
        row = start + 0.55 * (place if left else k - 1 - place) + 0.3
        end = 0.75 if left else k + 0.25
        axes.plot(
            [found.mean_ranks[i], found.mean_ranks[i], end], [0, row, row], color=INK, linewidth=0.9, clip_on=False
        )
        text = f"{names[i]}  {number(found.mean_ranks[i])} " if left else f" {number(found.mean_ranks[i])}  {names[i]}"
        axes.text(end, row, text, ha="right" if left else "left", va="center", fontsize=8)
    for level, group in enumerate(bars):
        ends = found.mean_ranks[group].min() - 0.05, found.mean_ranks[group].max() + 0.05
        axes.plot(ends, [0.3 + 0.3 * level] * 2, color="#0173b2", linewidth=3.5, solid_capstyle="butt")
    axes.plot([1, 1 + found.critical_difference], [-0.75, -0.75], color=INK, linewidth=1.5, marker="|")
    axes.text(1 + found.critical_difference / 2, -0.85, f"critical difference {number(found.critical_difference)}",
              ha="center", va="bottom", fontsize=8)  # fmt: skip
    axes.set(xlim=(1 - 0.42 * k, k + 0.42 * k), ylim=(start + 0.55 * depth + 0.2, -1.6))
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    axes.plot([1, k], [0, 0], color=INK, linewidth=0.9)
    axes.set_xticks(range(1, k + 1) if k <= 20 else range(1, k + 1, -(-k // 20)))
    axes.tick_params(axis="x", pad=-14, length=3)
    axes.xaxis.set_ticks_position("none")
    for tick in axes.get_xticks():
        axes.text(tick, -0.18, f"{tick:g}", ha="center", va="bottom", fontsize=8, color=MUTED)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    data = pd.DataFrame({"arm": [names[i] for i in order], "mean rank": found.mean_ranks[order]})
    return Plot(
        "critical_difference",
        f"Mean ranks over n = {found.n} blocks ({blocks}); 1 is best. Bars join arms whose mean ranks differ by "
        f"no more than the critical difference of the Nemenyi test at level {ALPHA:g}. Friedman test: p "
        f"{p_value(p)}. No interval. The diagram depends on which arms are in it; the paired tests are the claim.",
        f"Critical-difference diagram of {k} arms; best mean rank {names[order[0]]} "
        f"{number(found.mean_ranks[order[0]])}.",
        figure,
        wide=True,
        data=data,
    )


def profile(found: Comparisons, generator: np.random.Generator) -> Plot:
    """The share of seeds above each accuracy, for the arms of the highest means."""
    group = found.arms[:MOST_LINES]
    values = np.concatenate([arm.values[arm.known] for arm in group])
    low, high = float(values.min()), float(values.max())
    taus = np.unique(np.concatenate([np.linspace(low - 0.02 * (high - low) - 0.1, high + 0.1, 200), values]))
    look = looks([arm.name for arm in found.arms])
    figure = Figure(figsize=(6.2, 3.3), layout="constrained")
    axes = figure.subplots()
    parts = []
    for place, arm in enumerate(group):
        curve = performance_profile(arm.values, taus, generator)
        style = ("-", "--", "-.", ":")[place % 4]
        axes.step(
            taus, curve.share, where="post", color=look[arm.name].colour, linestyle=style, label=wrapped(arm.name, 26)
        )
        if np.isfinite(curve.low).all():
            axes.fill_between(
                taus, curve.low, curve.high, step="post", color=look[arm.name].colour, alpha=0.1, linewidth=0
            )
        parts.append(pd.DataFrame({"arm": arm.name, "threshold (%)": taus, "share": curve.share, "low": curve.low,
                                   "high": curve.high}))  # fmt: skip
    axes.set(xlabel=f"{found.title} τ (%)", ylabel="share of seeds above τ", ylim=(-0.02, 1.03))
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    bands = "bands: pointwise 95 % percentile bootstrap intervals of whole seeds"
    some = (
        f" Of {len(found.arms)} arms the {MOST_LINES} of the highest means are drawn."
        if len(found.arms) > MOST_LINES
        else ""
    )
    return Plot(
        "performance_profile",
        f"Share of seeds above each {found.title}, n = {_range(group)} seeds an arm; {bands}, from five seeds "
        f"on.{some}",
        f"Performance profile of {listed(arm.name for arm in group)}.",
        figure,
        data=pd.concat(parts, ignore_index=True),
    )


def seeds_curve(found: Comparisons) -> Plot | None:
    """The smallest difference that n seeds detect, for the median spread; None where no spread is known."""
    kind = any(pair.paired for pair in found.pairs)
    pairs = [pair for pair in found.pairs if pair.paired is kind and pair.n > 1 and pair.spread > 0]
    if not pairs:
        return None
    family = max(found.family, 1)
    spreads = np.array([planning_std(pair.spread, pair.n) for pair in pairs])
    typical, now = float(np.median(spreads)), int(np.median([pair.n for pair in pairs]))
    floor = min(pairs, key=lambda pair: pair.n).attainable.needed_n
    counts = np.unique(np.geomspace(3, max(200, 2 * now), 28).round().astype(int))
    effect = smallest_detectable_paired if kind else smallest_detectable_unpaired
    effects = np.array([effect(int(n), family=family) for n in counts])
    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    axes = figure.subplots()
    low, high = np.quantile(spreads, [0.25, 0.75])
    axes.fill_between(counts, effects * low, effects * high, color="#0173b2", alpha=0.15, linewidth=0)
    axes.plot(counts, effects * typical, color="#0173b2", linewidth=2)
    axes.axhline(found.margin, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
    axes.text(counts[-1], found.margin, f"margin {found.margin:g} ", ha="right", va="bottom", fontsize=8, color=MUTED)
    axes.axvline(now, color=INK, linewidth=1)
    axes.annotate(f" now n = {now}", (now, 0.97), xycoords=("data", "axes fraction"), va="top", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="seeds of each arm", ylabel="smallest difference (points)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_locator(NullLocator())
    axes.set_xticks([n for n in (3, 5, 10, 20, 50, 100, 200, 500, 1000) if n <= counts[-1]])
    axes.set_xlim(2.7, counts[-1] * 1.05)
    what = "paired" if kind else "unpaired"
    return Plot(
        "seeds_needed",
        f"Smallest difference that a {what} t test detects with power {POWER:g} at level {ALPHA:g} over {family} "
        "tests, by "
        f"number of seeds, for the median spread of {len(pairs)} {what} comparisons (n = {_counts(pairs)}), upper 80 % "
        f"limit of each; band: quartiles of the comparisons. An exact test needs {floor} seeds to reach its level "
        "at all.",
        f"Curve of the smallest detectable difference; at n = {now} it is "
        f"{number(float(np.interp(now, counts, effects * typical)))} points.",
        figure,
        data=pd.DataFrame({"seeds": counts, "smallest difference (points)": effects * typical}),
    )


def _rows(labels: list[str], width: float) -> tuple[Figure, Axes, np.ndarray]:
    """A figure as tall as its row labels need."""
    shown = [wrapped(label, 44) for label in labels]
    padded = [label if "\n" in label else f"{label}\n" for label in shown]
    rows = row_centres(padded)
    figure = Figure(figsize=(width, 0.95 + 0.24 * (rows[-1] + 1)), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(rows, shown)
    axes.set_ylim(rows[-1] + 0.7, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    return figure, axes, rows


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


def _legend(axes: Axes, pairs: list[Comparison]) -> None:
    present = [verdict for verdict in Verdict if any(pair.verdict is verdict for pair in pairs)]
    for verdict in present:
        shape, colour = _SHAPES[verdict]
        fill = "none" if verdict is Verdict.UNDECIDED else colour
        axes.plot([], [], shape, color=colour, markerfacecolor=fill, markersize=6, label=str(verdict))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(present), frameon=False, fontsize=8,
                handletextpad=0.2, columnspacing=1.2)  # fmt: skip


def _frame(pairs: list[Comparison], named: dict) -> pd.DataFrame:
    rows = []
    for pair in pairs:
        row: dict[str, object] = {"a": pair.a.name, "b": pair.b.name, "n": pair.n, "paired": pair.paired}
        for name, get in named.items():
            estimate = get(pair)
            row |= {name: estimate.estimate, "low": estimate.low, "high": estimate.high}
        rows.append(row | {"p_holm": pair.p, "verdict": str(pair.verdict)})
    return pd.DataFrame(rows)


def _counts(pairs: list[Comparison]) -> str:
    def span(values: list[int]) -> str:
        return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"

    tied = [pair.n for pair in pairs if pair.paired]
    free = [pair.n for pair in pairs if not pair.paired]
    parts = [f"{span(tied)} common seeds ({len(tied)} paired)"] if tied else []
    parts += [f"{span(free)} seeds in the smaller arm ({len(free)} unpaired)"] if free else []
    return ", ".join(parts)


def _range(group: list[Arm]) -> str:
    counts = [arm.n for arm in group]
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _left_out(found: Comparisons) -> str:
    if len(found.pairs) <= MOST_ROWS:
        return ""
    half = MOST_ROWS // 2
    return f" Of {len(found.pairs)} comparisons, those of the {half} largest and {half} smallest differences are drawn."
