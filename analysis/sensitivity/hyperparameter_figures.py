"""The figures of one method's hyperparameters: importances, effects and interactions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed, common_limits, panels
from analysis.pages.style import INK, MUTED, wrapped
from analysis.pages.words import number
from analysis.results import accuracies
from analysis.results.accuracies import slug
from analysis.sensitivity.numbers import lines
from analysis.sensitivity.study import MethodSensitivity
from analysis.statistics.estimate import percent

BLUE, RED = "#0173b2", "#d55e00"
MOST_LINES = 60


def importance(one: MethodSensitivity) -> Plot | None:
    """Shares with seed whiskers, the null band and what no single hyperparameter explains."""
    found = one.importances
    if found is None or found.table["importance"].isna().all():
        return None
    table = found.table[found.table["hyperparameter"].isin(one.settings.names)].iloc[:12]
    names = [*table["hyperparameter"], "none of them alone"]
    shares = 100 * np.append(table["importance"], max(found.unexplained, 0.0))
    figure = Figure(figsize=(4.9, 0.9 + 0.32 * len(names)), layout=Fixed())
    axes = figure.subplots()
    rows = np.arange(len(names))
    axes.barh(rows[:-1], shares[:-1], color=BLUE, height=0.6)
    axes.barh(rows[-1], shares[-1], facecolor="none", edgecolor=MUTED, hatch="///", height=0.6, linewidth=0.8)
    whiskers = np.isfinite(table["low"].to_numpy(dtype=float))
    axes.hlines(
        rows[:-1][whiskers], 100 * table["low"][whiskers], 100 * table["high"][whiskers], color=INK, linewidth=1.5
    )
    null = 100 * table["null"].to_numpy(dtype=float)
    banded = bool(np.isfinite(null).any())
    axes.barh(rows[:-1], null, color=MUTED, alpha=0.3, height=0.86, zorder=0)
    axes.vlines(null, rows[:-1] - 0.43, rows[:-1] + 0.43, color=MUTED, linewidth=1)
    axes.set_yticks(rows, [wrapped(n) for n in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set(ylim=(len(names) - 0.4, -0.6), xlabel="% of the variance between settings", title=one.name)
    widest = np.nanmax([5 / 1.05, *shares, *(100 * table["high"].astype(float))])
    axes.set_xlim(0, 1.05 * float(widest))
    top = table.iloc[0]
    grey = f" Grey: what chance gives to one that does not matter, in {percent(1 - one.alpha)} of cases."
    return Plot(
        f"importance_{slug(one.name)}",
        f"Importance of the hyperparameters of {one.name}, n = {found.n} seeds, {found.settings:,} settings; "
        f"{found.method}.{grey if banded else ''} "
        "Hatched: interactions, and what a surrogate misses.",
        f"Bar chart of importances; largest {top['hyperparameter']}, {number(100 * top['importance'], 0)} %.",
        figure,
        data=found.table,
    )


def effects(one: MethodSensitivity) -> Plot | None:
    """The curve of every hyperparameter with its band; thin lines are combinations of the others."""
    if one.effects.table.empty:
        return None
    table, sign = one.recorded(one.effects.table, "mean"), accuracies.sign(one.column)
    names = list(one.settings.names)
    columns = min(len(names), 3)
    figure = Figure(figsize=(2.75 * columns + 0.3, 2.15 * -(-len(names) // columns) + 0.2), layout=Fixed())
    grid = panels(figure, len(names), columns)
    thin = False
    for axes, name, described in zip(grid, names, one.settings.hyperparameters, strict=True):
        rows = table[table["hyperparameter"] == name]
        at, ticks = _positions(rows["level"].tolist(), described.scale)
        if one.settings.is_full_grid and len(one.settings.table) // len(described.levels) <= MOST_LINES:
            thin = True
            for _, line in lines(one.settings, name).groupby("line"):
                axes.plot(at, sign * line["mean"], color=MUTED, linewidth=0.6, alpha=0.45)
        low, high = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float)
        axes.fill_between(at, low, high, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(at, rows["mean"], color=BLUE, linewidth=2, marker="o" if len(at) < 12 else None, markersize=4)
        if one.default is not None and one.default[name] in rows["level"].tolist():
            place = at[rows["level"].tolist().index(one.default[name])]
            axes.axvline(place, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
        _scale(axes, described.scale, at, ticks)
        axes.set_xlabel(name)
    common_limits(grid, "y")
    figure.supylabel(f"mean ({accuracies.direction(one.column)})", fontsize=9)
    for axes in grid if accuracies.percent(one.column) else ():
        axes.set_ylim(top=min(axes.get_ylim()[1], 101))  # a band may reach above 100 %, a method cannot
    ends = table.groupby("hyperparameter", sort=False)["mean"].agg(lambda m: m.max() - m.min())
    return Plot(
        f"effects_{slug(one.name)}",
        f"{one.name}: mean {one.settings.dataset}{accuracies.unit(one.column)}, {accuracies.direction(one.column)}, "
        "along each hyperparameter, averaged over the others, n = "
        f"{one.effects.n} seeds; {one.effects.method}."
        + (" Thin lines: each combination of the others." if thin else "")
        + (" Dashed: the default." if one.default is not None else ""),
        f"Main-effect curves; {ends.idxmax()} moves the mean most, by {number(ends.max())} points.",
        figure,
        wide=len(names) > 1,
        data=table,
    )


def surfaces(one: MethodSensitivity) -> Plot | None:
    """The mean over two hyperparameters, for the pairs that interact most."""
    drawn = {
        pair: replace(found, table=one.recorded(found.table, "mean"))
        for pair, found in one.surfaces.items()
        if not found.table.empty
    }
    if not drawn:
        return None
    figure = Figure(figsize=(3.1 * len(drawn) + 0.5, 2.6), layout=Fixed())
    values = np.concatenate([found.table["mean"].to_numpy(dtype=float) for found in drawn.values()])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    *grid, scale = figure.subplots(1, len(drawn) + 1, width_ratios=[*[1.0] * len(drawn), 0.05])
    image = None
    for axes, (pair, found) in zip(grid, drawn.items(), strict=True):
        first, second = (list(dict.fromkeys(found.table[c])) for c in ("first", "second"))
        cells = found.table["mean"].to_numpy(dtype=float).reshape(len(first), len(second))
        image = axes.imshow(cells, cmap="viridis", vmin=low, vmax=max(high, low + 1e-9), aspect="auto", origin="lower")
        axes.set_xticks(range(len(second)), [_text(v) for v in second])
        axes.set_yticks(range(len(first)), [_text(v) for v in first])
        axes.set(xlabel=pair[1], ylabel=pair[0])
        axes.grid(False)
        axes.tick_params(length=0, labelsize=7)
        axes.tick_params(axis="x", labelrotation=40 if len(second) > 4 else 0)
    figure.colorbar(image, cax=scale, label=f"mean{accuracies.unit(one.column)}, {accuracies.direction(one.column)}")  # type: ignore[arg-type]
    parts = [f.table.assign(pair=" × ".join(p)) for p, f in drawn.items()]
    strongest = max(drawn, key=lambda pair: float(np.abs(drawn[pair].table["interaction"].astype(float)).max()))
    return Plot(
        f"surfaces_{slug(one.name)}",
        f"{one.name}: mean {one.settings.dataset}, {accuracies.direction(one.column)}, over two hyperparameters, n = "
        f"{one.settings.n} seeds, averaged over "
        "all others. The pairs of the largest interactions of a full grid, else of the largest importances. Intervals "
        "of every cell are in the CSV.",
        f"Heat maps of {len(drawn)} pairs; {' and '.join(strongest)} interact most.",
        figure,
        wide=True,
        data=pd.concat(parts, ignore_index=True),
    )


def _positions(levels: list[object], scale: str) -> tuple[np.ndarray, list[str] | None]:
    if scale == "categorical":
        return np.arange(len(levels), dtype=float), [_text(level) for level in levels]
    return np.array(levels, dtype=float), None


def _scale(axes: Axes, scale: str, at: np.ndarray, ticks: list[str] | None) -> None:
    axes.tick_params(axis="x", labelsize=7)
    if ticks is not None:
        axes.set_xticks(at, [wrapped(tick, 10) for tick in ticks])
        axes.set_xlim(-0.4, len(at) - 0.6)
        return
    if scale == "log":
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    shown = at if len(at) <= 5 else at[np.unique(np.linspace(0, len(at) - 1, 4).round().astype(int))]
    axes.set_xticks(shown, [_text(v) for v in shown])


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
