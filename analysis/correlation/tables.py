"""The correlations as a table, for a page and for a terminal."""

from __future__ import annotations

import math

import pandas as pd

from analysis.correlation.correlate import Correlation, mean_over_groups
from analysis.pages.table import Table
from analysis.pages.words import UNKNOWN, interval, number
from analysis.results.architectures import Architectures
from analysis.statistics.estimate import Estimate
from analysis.statistics.rank_correlation import TOP

_SIDES = ("higher is better", "lower is better")


def side(source: Architectures, column: str) -> str:
    """``val_loss, lower is better``."""
    return f"{source.titles[column]}, {_SIDES[column in source.lower]}"


def correlations(source: Architectures, found: list[Correlation]) -> Table:
    """One row an x and group, and the means over groups."""
    rows, shown = [], []
    for place, one in enumerate(found):
        rows.append(_row(one))
        shown.append(_shown(source, one))
        last = place + 1 == len(found) or found[place + 1].x != one.x
        if last and (means := mean_over_groups(found, one.x)):
            tau, rho, groups = means
            title = f"mean of {groups} groups"
            rows.append({"x": one.x, "group": title, "tau": tau, "rho": rho})
            blank = dict.fromkeys(list(shown[-1]), UNKNOWN)
            shown.append(blank | {"x": shown[-1]["x"], "group": title, "τ-b": number(tau), "ρ": number(rho)})
    frames = pd.DataFrame(shown), pd.DataFrame(rows)
    if source.groups is None:
        frames = frames[0].drop(columns="group"), frames[1].drop(columns="group")
    top = f"{100 * TOP:g} %"
    caption = (
        f"With {side(source, found[0].y)}; above 0, x orders the n architectures as that does. τ-b: Kendall's, ρ: "
        f"Spearman's, with the {found[0].interval} over architectures, each on its own (jackknife on Fisher's z). Top "
        f"{top}: of the truly best {top}, how many are among those that x puts first; {top} by chance. Missing: rows "
        "that lack either value."
    )
    caption += " ↓: lower is better." if {one.x for one in found} & source.lower else ""
    return Table("correlations", "Rank correlations", caption, *frames)


def _shown(source: Architectures, one: Correlation) -> dict[str, str]:
    top = UNKNOWN if math.isnan(one.precision) or one.note else f"{number(100 * one.precision, 0)} % of {one.top}"
    return {
        "x": f"{source.titles[one.x]}{' ↓' if one.x in source.lower else ''}",
        "group": one.group,
        "n": str(len(one.pairs)),
        "missing": str(one.missing),
        "τ-b": _estimate(one.tau),
        "ρ": _estimate(one.rho),
        f"top {100 * TOP:g} %": top,
    }


def _estimate(one: Estimate) -> str:
    return number(one.estimate) + ("" if math.isnan(one.low) else f" {interval(one.low, one.high)}")


def _row(one: Correlation) -> dict[str, object]:
    return {
        "x": one.x,
        "group": one.group,
        "architectures": len(one.pairs),
        "rows": one.rows,
        "rows without a pair": one.missing,
        "tau": one.tau.estimate,
        "tau_lo": one.tau.low,
        "tau_hi": one.tau.high,
        "rho": one.rho.estimate,
        "rho_lo": one.rho.low,
        "rho_hi": one.rho.high,
        "top precision": one.precision,
        "top": one.top,
        "tied in x": one.ties[0],
        "tied in y": one.ties[1],
        "note": one.note or one.tau.note,
    }
