"""The figure of how many seeds a comparison needs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from analysis.comparison.compare import Comparisons
from analysis.comparison.figures import counts
from analysis.pages.figure import Plot
from analysis.pages.layout import Fixed
from analysis.pages.style import INK, MUTED
from analysis.pages.words import number
from analysis.statistics.power import POWER, planning_std, smallest_detectable_paired, smallest_detectable_unpaired


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
    sizes = np.unique(np.geomspace(3, max(200, 2 * now), 28).round().astype(int))
    effect = smallest_detectable_paired if kind else smallest_detectable_unpaired
    effects = np.array([effect(int(n), family=family, alpha=found.alpha) for n in sizes])
    sizes, effects = sizes[np.isfinite(effects)], effects[np.isfinite(effects)]
    figure = Figure(figsize=(5.2, 3.0), layout=Fixed())
    axes = figure.subplots()
    low, high = np.quantile(spreads, [0.25, 0.75])
    axes.fill_between(sizes, effects * low, effects * high, color="#0173b2", alpha=0.15, linewidth=0)
    axes.plot(sizes, effects * typical, color="#0173b2", linewidth=2)
    axes.axhline(found.margin, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
    end, side = (sizes[0], "left") if now**2 > sizes[0] * sizes[-1] else (sizes[-1], "right")  # away from "now"
    axes.text(end, found.margin, f" margin {found.margin:g} ", ha=side, va="bottom", fontsize=8, color=MUTED)
    axes.axvline(now, color=INK, linewidth=1)
    axes.annotate(f" now n = {now}", (now, 0.97), xycoords=("data", "axes fraction"), va="top", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="seeds of each arm", ylabel="smallest difference (points)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_locator(NullLocator())
    axes.set_xticks([n for n in (3, 5, 10, 20, 50, 100, 200, 500, 1000) if n <= sizes[-1]])
    axes.set_xlim(2.7, sizes[-1] * 1.05)
    what = "paired" if kind else "unpaired"
    return Plot(
        "seeds_needed",
        f"Smallest difference that a {what} t test detects with power {POWER:g} at level {found.alpha:g} over {family} "
        f"tests, by number of seeds, for the median spread of {len(pairs)} {what} comparisons (n = {counts(pairs)}), "
        f"upper 80 % limit of each; band: quartiles of the comparisons. An exact test needs {floor} seeds to reach its "
        "level at all.",
        f"Curve of the smallest detectable difference; at n = {now} it is "
        f"{number(float(np.interp(now, sizes, effects * typical)))} points.",
        figure,
        data=pd.DataFrame({"seeds": sizes, "smallest difference (points)": effects * typical}),
    )
