"""The sentences of a sensitivity report: one rule table for each question, the first rule that holds speaks."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

from analysis.pages.words import equals, listed, number
from analysis.sensitivity.numbers import Tunability
from analysis.sensitivity.study import MethodSensitivity, Sensitivity, largest
from analysis.statistics.estimate import percent

EPS = 1.0
"""Points below the best within which a setting is called good."""
NOISY = 0.5
"""Share of the variance between settings, made by seeds alone, from which importances mean little."""

_TUNING: tuple[tuple[Callable[[Tunability], bool], str], ...] = (
    (
        lambda t: isnan(t.gap.estimate),
        "One seed cannot tell what tuning gains: at most {naive} points look gained.",
    ),
    (lambda t: t.gap.low > 0, "Tuning gains {gap} points over the default ({interval})."),
    (
        lambda t: t.gap.high < 0,
        "The settings that tuning picks are worse than the default by {loss} points ({interval}).",
    ),
    (
        lambda t: t.gap.low <= 0 <= t.gap.high,
        "Tuning is not shown to gain anything over the default: {gap} points ({interval}).",
    ),
    (lambda t: True, "Tuning gains {gap} points over the default; too few seeds for an interval."),
)


def findings(found: Sensitivity, name: str) -> list[str]:
    """What the study varied, what matters, what tuning is worth, and how broad the good region is."""
    return [
        _what_was_varied(found, name),
        *_variance(found),
        *(
            sentence
            for one in found.methods
            for sentence in (_importance(one), _tuning(one), _breadth(one))
            if sentence
        ),
        *_stability(found),
        *_transfer(found),
    ]


def cautions(found: Sensitivity) -> list[str]:
    """What must not be concluded."""
    notes = []
    if thin := [f"{one.name} ({one.settings.n})" for one in found.methods if one.settings.n < 3]:
        notes.append(f"Too few seeds for intervals: {listed(thin)}. Below two, nothing can be chosen and scored apart.")
    for one in found.methods:
        s = one.settings
        if s.failed:
            runs = int(s.recorded.sum())
            notes.append(f"{s.failed} of {runs} trials of {one.name} gave no result; means are over the others.")
        if s.shared_seeds and (absent := int((~s.recorded).sum())):
            notes.append(f"{absent} of {s.recorded.size} settings times seeds of {one.name} have no trial.")
        if not s.is_full_grid:
            how = "" if s.is_complete else "; importances and curves are of a surrogate"
            notes.append(
                f"The {len(s.table)} settings of {one.name} are no full grid with a value for every seed{how}."
            )
        noise = one.ped_anova.noise
        if noise >= NOISY:
            notes.append(
                f"Seeds alone make {number(100 * noise, 0)} % of the variance between the settings of {one.name}: more "
                "seeds, rather than more settings, would tell more."
            )
        if one.default is None:
            notes.append(f"No default of {one.name} is known among its settings: nothing is said of tuning it.")
    if found.unknown:
        notes.append(f"No {found.title} is known of {listed(found.unknown)}: nothing is said of them; see --column.")
    if found.constant:
        notes.append(f"One setting only, so nothing to analyse: {listed(found.constant)}.")
    if len(found.methods) > 1:
        notes.append("Methods are comparable in robustness only as far as their ranges are equally wide.")
    return notes


def _what_was_varied(found: Sensitivity, name: str) -> str:
    parts = []
    for one in found.methods:
        s = one.settings
        kind = "full grid" if s.is_full_grid else "no full grid"
        seeds = f"{s.n} seed{'s' if s.n > 1 else ''}"
        parts.append(f"{one.name} ({len(s.table):,} settings of {listed(s.names)}, {seeds}, {kind})")
    return f"Study {name}, {found.title}: {listed(parts)}."


def _variance(found: Sensitivity) -> list[str]:
    table = found.variance.table
    if table.empty or table["share"].isna().any():
        return [f"Variance could not be divided: {found.variance.note}."] if found.variance.note else []
    shares = [f"{row.component} {number(100 * row.share, 0)} %" for row in table.itertuples()]
    return [f"Of all variance: {listed(shares)}."]


def _importance(one: MethodSensitivity) -> str:
    """Exact or fANOVA where there is one, PED-ANOVA elsewhere."""
    found = one.importances or one.ped_anova
    top = largest(found)
    if isnan(top["importance"]):
        return f"{one.name}: importances could not be computed ({found.note})."
    if not (found.table["p"] <= one.alpha).any():
        if found.smallest_p > one.alpha:
            return (
                f"{one.name}: no hyperparameter could be shown to matter; {top['hyperparameter']} is first "
                f"({found.evaluator}; the smallest p of its shuffles is {number(found.smallest_p, 4)}, Holm)."
            )
        tested = "nothing is left to test it against" if isnan(top["p"]) else f"p {equals(top['p'])}, Holm"
        return (
            f"{one.name}: no hyperparameter is shown to matter; {top['hyperparameter']} is first "
            f"({found.evaluator}; {tested})."
        )
    others = [row.hyperparameter for row in found.table.iloc[1:].itertuples() if row.p <= one.alpha]
    beside = f" {listed(others)} {'matters' if len(others) == 1 else 'matter'}, too." if others else ""
    if found is one.ped_anova:
        return (
            f"{one.name}: {top['hyperparameter']} decides most whether a setting is among the best (PED-ANOVA, p "
            f"{equals(top['p'])}, Holm).{beside}"
        )
    share = number(100 * top["importance"], 0)
    bounds = (
        f", {percent(1 - one.alpha)} interval {number(100 * top['low'], 0)} to {number(100 * top['high'], 0)} %"
        if top["low"] <= top["high"]
        else ""
    )
    return (
        f"{one.name}: {top['hyperparameter']} alone explains {share} % of the variance between settings "
        f"({found.evaluator}{bounds}; F test p {equals(top['p'])}, Holm).{beside}"
    )


def _tuning(one: MethodSensitivity) -> str:
    if one.tunability is None:
        return ""
    t = one.tunability
    text = next(text for holds, text in _TUNING if holds(t))
    words = {
        "gap": number(t.gap.estimate),
        "loss": number(-t.gap.estimate),
        "naive": number(t.naive_gap),
        "interval": f"{percent(1 - one.alpha)} interval {number(t.gap.low)} to {number(t.gap.high)}, chosen and scored "
        "on different seeds",
    }
    return f"{one.name}: {text.format(**words)}"


def _breadth(one: MethodSensitivity) -> str:
    share = one.profile.share(EPS)
    return (
        f"{one.name}: {number(100 * share, 0)} % of the settings lie within {EPS:g} point of its best, the worst "
        f"{number(one.profile.worst_gap)} points from it."
    )


def _stability(found: Sensitivity) -> list[str]:
    if found.stability is None or found.stability.table.empty:
        return []
    table = found.stability.table
    ends = []
    for k in (table["k"].min(), table["k"].max()):
        top = table[table["k"] == k].sort_values("first", ascending=False, kind="stable").iloc[0]
        ends.append((int(k), str(top["method"]), float(top["first"])))
    (one, leader, often), (most, winner, then) = ends
    change = "still" if leader == winner else "but"
    return [
        f"With one random setting each, {leader} is first in {number(100 * often, 0)} % of simulated studies; with the "
        f"best of {most}, {change} {winner}, in {number(100 * then, 0)} %."
        if most > one
        else f"{leader} is first in {number(100 * often, 0)} % of simulated studies."
    ]


def _transfer(found: Sensitivity) -> list[str]:
    said = []
    for name, one in found.transfers.items():
        known = one.regret.dropna(subset="regret")
        if known.empty:
            continue
        worst = known.loc[known["regret"].idxmax()]
        said.append(
            f"{name}: the best setting of one data set loses at most {number(worst['regret'])} points on another "
            f"({worst['source']} to {worst['target']})."
        )
    return said
