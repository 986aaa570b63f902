"""The figures of all arms together: the distribution of their ranks, mean ranks, performance profiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.comparison.compare import Comparisons
from analysis.comparison.figures import MOST_ROWS, labelled_rows
from analysis.comparison.pairing import Arm, common_matrix
from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed, text_width
from analysis.pages.style import INK, MUTED, looks, wrapped
from analysis.pages.words import listed, number, p_value
from analysis.results import accuracies
from analysis.statistics.estimate import percent
from analysis.statistics.probability import performance_profile
from analysis.statistics.ranks import Nemenyi, RankDistribution, rank_distribution

MOST_LINES = 8
MOST_STEPS = 2_000
"""Steps of a profile that are drawn where they are; of more values, so many quantiles."""


def ranks(found: Comparisons, generator: np.random.Generator) -> tuple[Plot | None, str]:
    """How often each arm has each rank when the seeds are drawn again; None and the reason where there is none."""
    group = [arm for arm in found.arms if arm.n > 1][:MOST_ROWS]
    if len(group) < 2:
        return None, "fewer than two arms have two seeds"
    common = common_matrix(group, found.claimed)
    if common is not None and len(common[0]) >= 3:
        found_ranks: RankDistribution = rank_distribution(list(common[1].T), generator, paired=True)
    else:
        found_ranks = rank_distribution([arm.values for arm in group], generator, paired=False)
    names, share = [arm.name for arm in group], found_ranks.share
    figure, axes, rows = labelled_rows(names, 1.9 + 0.42 * min(len(names), 14))
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


def critical_difference(names: list[str], found: Nemenyi, p: float, blocks: str, alpha: float) -> Plot:
    """Mean ranks on one axis; a bar joins arms that the Nemenyi test cannot tell apart."""
    order = np.argsort(found.mean_ranks, kind="stable")
    k = len(names)
    depth = -(-k // 2)
    bars = found.cliques
    means = [number(found.mean_ranks[i], 2) for i in order]
    shown = [wrapped(names[i], 40) for i in order]
    texts = [f"{name}  {mean}" for name, mean in zip(shown[:depth], means[:depth], strict=True)]
    texts += [f"{mean}  {name}" for name, mean in zip(shown[depth:], means[depth:], strict=True)]
    layout = Fixed(left=text_width(texts[:depth], 8) + 0.05, right=text_width(texts[depth:], 8) + 0.05)
    figure = Figure(figsize=(8.2, 0.95 + 0.16 * len(bars) + 0.27 * depth), layout=layout)
    axes = figure.subplots()
    start = 0.45 + 0.3 * len(bars)
    for place, i in enumerate(order):
        left = place < depth
        row = start + 0.55 * (place if left else k - 1 - place) + 0.3
        end = 0.75 if left else k + 0.25
        axes.plot(
            [found.mean_ranks[i], found.mean_ranks[i], end], [0, row, row], color=INK, linewidth=0.9, clip_on=False
        )
        axes.annotate(texts[place], (end, row), (-3 if left else 3, 0), textcoords="offset points",
                      ha="right" if left else "left", va="center", fontsize=8, annotation_clip=False)  # fmt: skip
    for level, group in enumerate(bars):
        ends = found.mean_ranks[group].min() - 0.05, found.mean_ranks[group].max() + 0.05
        axes.plot(ends, [0.3 + 0.3 * level] * 2, color="#0173b2", linewidth=3.5, solid_capstyle="butt")
    axes.plot([1, 1 + found.critical_difference], [-0.75, -0.75], color=INK, linewidth=1.5, marker="|")
    axes.text(1 + found.critical_difference / 2, -0.85, f"critical difference {number(found.critical_difference, 2)}",
              ha="center", va="bottom", fontsize=8)  # fmt: skip
    axes.set(xlim=(0.75, k + 0.25), ylim=(start + 0.55 * depth + 0.2, -1.6))
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
        f"no more than the critical difference of the Nemenyi test at level {alpha:g}. Friedman test: p "
        f"{p_value(p)}. No interval. The diagram depends on which arms are in it; the paired tests are the claim.",
        f"Critical-difference diagram of {k} arms; best mean rank {names[order[0]]} "
        f"{number(found.mean_ranks[order[0]], 2)}.",
        figure,
        wide=True,
        data=data,
    )


def profile(found: Comparisons) -> Plot:
    """The share of seeds above each accuracy, or below each value of which less is better, for the best arms."""
    group = found.arms[:MOST_LINES]
    sign, beyond = accuracies.sign(found.column), "below" if accuracies.lower_is_better(found.column) else "above"
    values = np.concatenate([arm.values[arm.known] for arm in group])
    low, high = float(values.min()), float(values.max())
    steps = values if len(values) <= MOST_STEPS else np.quantile(values, np.linspace(0, 1, MOST_STEPS))
    taus = np.unique(np.concatenate([np.linspace(low - 0.02 * (high - low) - 0.1, high + 0.1, 200), steps]))
    look = looks([arm.name for arm in found.arms])
    figure = Figure(figsize=(6.2, 3.3), layout=Fixed(legend="right"))
    axes = figure.subplots()
    parts = []
    for place, arm in enumerate(group):
        curve = performance_profile(arm.values, taus, found.level)
        style = ("-", "--", "-.", ":")[place % 4]
        axes.step(
            sign * taus,
            curve.share,
            where="post",
            color=look[arm.name].colour,
            linestyle=style,
            label=wrapped(arm.name, 26),
        )
        if np.isfinite(curve.low).all():
            axes.fill_between(
                sign * taus, curve.low, curve.high, step="post", color=look[arm.name].colour, alpha=0.1, linewidth=0
            )
        columns = {f"threshold{accuracies.unit(found.column)}": sign * taus, "share": curve.share}
        parts.append(pd.DataFrame({"arm": arm.name, **columns, "low": curve.low, "high": curve.high}))
    axes.set(xlabel=f"τ: {accuracies.axis(found.column)}", ylabel=f"share of seeds {beyond} τ", ylim=(-0.02, 1.03))
    figure.legend(loc="center right", frameon=False, fontsize=8)
    bands = f"bands: pointwise {percent(found.level)} percentile bootstrap intervals of whole seeds"
    some = (
        f" Of {len(found.arms)} arms the {MOST_LINES} of the best means are drawn."
        if len(found.arms) > MOST_LINES
        else ""
    )
    return Plot(
        "performance_profile",
        f"Share of seeds {beyond} each {found.title}, n = {_range(group)} seeds an arm; {bands}, from five seeds "
        f"on.{some}",
        f"Performance profile of {listed(arm.name for arm in group)}.",
        figure,
        data=pd.concat(parts, ignore_index=True),
    )


def _range(group: list[Arm]) -> str:
    counts = [arm.n for arm in group]
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
