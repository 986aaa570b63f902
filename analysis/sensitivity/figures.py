"""The figures of a sensitivity report that show all methods together; captions name n and the interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed, panels
from analysis.pages.style import MUTED, looks, wrapped
from analysis.pages.words import listed, number
from analysis.results import accuracies
from analysis.results.accuracies import words
from analysis.sensitivity.hyperparameter_figures import BLUE, RED
from analysis.sensitivity.study import Sensitivity

_DASHES = ("-", "--", "-.", ":")
_TONES = ("#0173b2", "#de8f05", "#029e73", "#949494")


def variance(found: Sensitivity) -> Plot | None:
    """Shares of all variance in one stacked bar; None where they are unknown."""
    table = found.variance.table
    if table.empty or table["share"].isna().any():
        return None
    figure = Figure(figsize=(7.2, 1.7), layout=Fixed(legend="top"))
    axes = figure.subplots()
    left = 0.0
    for row, tone, hatch in zip(table.itertuples(), _TONES, ("", "//", "..", ""), strict=False):
        share = 100 * row.share
        axes.barh(0, share, left=left, color=tone, hatch=hatch, edgecolor="#ffffff", linewidth=0, height=0.6,
                  label=f"{row.component} {number(share, 0)} %")  # fmt: skip
        left += share
    axes.set(xlim=(0, 100), xlabel="% of all variance", yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(False)
    figure.legend(loc="upper left", ncols=4, frameon=False, fontsize=8)
    shares = [
        f"{r.component} {number(100 * r.share, 0)} % {_percent_bounds(r.low, r.high)}" for r in table.itertuples()
    ]
    return Plot(
        "variance_shares",
        f"Shares of the variance of {found.title}: {listed(shares)}; {found.variance.method}. n = {_seeds(found)}.",
        f"Stacked bar of variance shares: {listed(shares)}.",
        figure,
        wide=True,
        data=table,
    )


def profiles(found: Sensitivity) -> Plot:
    """The share of settings within eps of the best, one step line a method."""
    look = looks([one.name for one in found.methods])
    figure = Figure(figsize=(5.4, 3.2), layout=Fixed())
    axes = figure.subplots()
    for place, one in enumerate(found.methods):
        curve, colour = one.profile.curve, look[one.name].colour
        label = f"{wrapped(one.name)} (area {number(one.profile.auc.estimate, 2)})"
        axes.step(
            curve["eps"], 100 * curve["share"], where="post", color=colour, linestyle=_DASHES[place % 4], label=label
        )
        axes.fill_between(curve["eps"], 100 * curve["low"], 100 * curve["high"], step="post", color=colour, alpha=0.13,
                          linewidth=0)  # fmt: skip
        if curve["null"].notna().any():
            axes.step(curve["eps"], 100 * curve["null"], where="post", color=colour, linewidth=0.8, alpha=0.55)
    widest = max(one.profile.worst_gap for one in found.methods)
    axes.set(
        xlabel="ε (points from the best setting)", ylabel="% of settings", ylim=(-2, 102), xlim=(0, max(widest, 0.1))
    )
    if widest > 20:
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xticks([t for t in (0, 0.5, 1, 2, 5, 10, 20, 50) if t <= widest], minor=False)
        axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    first = found.methods[0].profile
    return Plot(
        "robustness_profile",
        f"Share of settings within ε points of the method's own best, n = {_seeds(found)}; {first.method}. Thin line "
        "of the same colour: settings that differ by their seeds alone.",
        "Robustness profiles. "
        + listed(f"{o.name}: {number(100 * o.profile.share(1.0), 0)} % within 1 point" for o in found.methods)
        + ".",
        figure,
        data=pd.concat([one.profile.curve.assign(method=one.name) for one in found.methods], ignore_index=True),
    )


def default_against_tuned(found: Sensitivity) -> Plot | None:
    """Default as a dot, tuned as a cross, and an arrow between; None where no default is known."""
    known = [one for one in found.methods if one.tunability is not None]
    if not known:
        return None
    sign, unit = accuracies.sign(found.column), accuracies.unit(found.column)
    figure = Figure(figsize=(5.2, 1.0 + 0.5 * len(known)), layout=Fixed(legend="top"))
    axes = figure.subplots()
    parts = []
    for row, one in enumerate(known):
        t = one.tunability
        assert t is not None
        start = sign * t.default_value.estimate
        gap = sign * (t.gap.estimate if np.isfinite(t.gap.estimate) else t.naive_gap)
        axes.annotate(
            "", (start + gap, row), (start, row), arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 1}
        )
        axes.hlines(row, start + sign * t.gap.low, start + sign * t.gap.high, color=RED, linewidth=1.6)
        axes.plot(start, row, "o", color=BLUE, markersize=7, label="default" if row == 0 else None)
        axes.plot(
            start + gap, row, "x", color=RED, markersize=8, markeredgewidth=2, label="tuned" if row == 0 else None
        )
        parts.append({"method": one.name, f"default{unit}": start, "gap (points)": t.gap.estimate, "gap low": t.gap.low,
                      "gap high": t.gap.high, "naive gap": t.naive_gap})  # fmt: skip
    axes.set_yticks(range(len(known)), [wrapped(one.name) for one in known])
    axes.set(ylim=(len(known) - 0.4, -0.6), xlabel=accuracies.axis(found.column))
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    figure.legend(loc="upper right", ncols=2, frameon=False, fontsize=8)
    return Plot(
        "default_tuned",
        f"Default (dot) and best setting (cross) of each method, {accuracies.direction(found.column)}, n = "
        f"{_seeds(found)}. Bar: {found.interval} of the gain "
        "(jackknife over seeds). The best is chosen on one half of the seeds and scored on the other, where there are "
        "two or more.",
        f"Dot plot of default and tuned {found.title} for {len(known)} methods.",
        figure,
        data=pd.DataFrame(parts),
    )


def budgets(found: Sensitivity) -> Plot:
    """Expected best of k random settings."""
    look = looks([one.name for one in found.methods])
    figure = Figure(figsize=(5.2, 3.0), layout=Fixed())
    axes = figure.subplots()
    curves = []
    for place, one in enumerate(found.methods):
        curve, colour = one.recorded(one.budget.table, "expected", "naive", "plug_in"), look[one.name].colour
        curves.append(curve.assign(method=one.name))
        known = curve["expected"].notna().any()
        axes.plot(curve["k"], curve["expected" if known else "naive"], color=colour, linestyle=_DASHES[place % 4],
                  marker=look[one.name].marker, markersize=4, markevery=max(len(curve) // 6, 1),
                  label=wrapped(one.name))  # fmt: skip
        axes.fill_between(curve["k"], curve["low"], curve["high"], color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="settings tried, k", ylabel=accuracies.axis(found.column, upright=True))
    if max(one.budget.settings for one in found.methods) > 30:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    falling = accuracies.lower_is_better(found.column)
    axes.legend(loc="upper right" if falling else "lower right", frameon=False, fontsize=8)
    first = found.methods[0]
    return Plot(
        "best_of_k",
        f"Expected {found.title} of the best of k random settings, {accuracies.direction(found.column)}, n = "
        f"{_seeds(found)}; {first.budget.method}"
        f"{'; ' + first.budget.note if first.budget.note else ''}.",
        f"Budget curves of {listed(one.name for one in found.methods)}.",
        figure,
        data=pd.concat(curves, ignore_index=True),
    )


def stability(found: Sensitivity) -> Plot | None:
    """How often each method is first when each is tuned with k settings."""
    if found.stability is None or found.stability.table.empty:
        return None
    table = found.stability.table
    look = looks([one.name for one in found.methods])
    figure = Figure(figsize=(5.2, 2.9), layout=Fixed())
    axes = figure.subplots()
    for place, (name, rows) in enumerate(table.groupby("method", sort=False)):
        axes.plot(rows["k"], 100 * rows["first"], color=look[str(name)].colour, linestyle=_DASHES[place % 4],
                  marker=look[str(name)].marker, markersize=4, label=wrapped(str(name)))  # fmt: skip
    axes.set(xlabel="settings tried with each method, k", ylabel="first, % of simulated studies", ylim=(-2, 102))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.legend(frameon=False, fontsize=8)
    return Plot(
        "rank_stability",
        f"How often each method is first when each is tuned with k random settings, n = {found.stability.n} seeds; "
        f"{found.stability.method}. No interval: shares of simulated studies.",
        f"Curves of how often each of {len(found.methods)} methods is first.",
        figure,
        data=table,
    )


def transfers(found: Sensitivity) -> Plot | None:
    """Regret on one data set of the best setting of another."""
    if not found.transfers:
        return None
    names = {words(column).title: words(column).dataset or words(column).title for column in found.datasets}
    columns = min(len(found.transfers), 3)
    figure = Figure(figsize=(3.3 * columns + 0.4, 2.9 * -(-len(found.transfers) // columns)), layout=Fixed())
    grid = panels(figure, len(found.transfers), columns)
    parts = []
    for axes, (name, one) in zip(grid, found.transfers.items(), strict=True):
        regret = one.regret.assign(shown=one.regret["regret"].fillna(one.regret["naive"]))
        square = regret.pivot(index="source", columns="target", values="shown")
        square = square.reindex(
            index=list(dict.fromkeys(regret["source"])), columns=list(dict.fromkeys(regret["source"]))
        )
        values = square.to_numpy(dtype=float)
        axes.imshow(np.nan_to_num(values), cmap="PuOr_r", vmin=-max(np.nanmax(np.abs(values)), 1e-9) * 1.6,
                    vmax=max(np.nanmax(np.abs(values)), 1e-9) * 1.6)  # fmt: skip
        for i, j in np.argwhere(np.isfinite(values)):
            axes.text(j, i, number(values[i, j]), ha="center", va="center", fontsize=8, color="#000000")
        short = [wrapped(names[label], 12) for label in square.columns]
        axes.set_xticks(range(len(short)), short)
        axes.set_yticks(range(len(short)), short)
        axes.set(xlabel="used on", ylabel="chosen on", title=name)
        axes.grid(False)
        axes.tick_params(length=0, labelsize=7)
        parts.append(one.regret.assign(method=name))
    first = next(iter(found.transfers.values()))
    return Plot(
        "transfer",
        f"Points lost on one data set with the best setting of another, n = {first.n} seeds; {first.method}. Intervals "
        "are in the table.",
        f"Transfer matrices of {listed(found.transfers)}.",
        figure,
        wide=len(found.transfers) > 1,
        data=pd.concat(parts, ignore_index=True),
    )


def _seeds(found: Sensitivity) -> str:
    counts = sorted({one.settings.n for one in found.methods})
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def _percent_bounds(low: float, high: float) -> str:
    return f"[{number(100 * low, 0)}, {number(100 * high, 0)}]" if low <= high else "(no interval)"
