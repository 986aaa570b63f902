"""The page of rank correlations: which columns order architectures as the truth does, and how surely."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from analysis.correlation.correlate import Correlation, mean_over_groups
from analysis.correlation.figures import scatter
from analysis.correlation.tables import correlations, side
from analysis.pages import style
from analysis.pages.files import check_output
from analysis.pages.page import Page, Section, write_page
from analysis.pages.words import counted, interval, listed, number
from analysis.results.architectures import Architectures
from analysis.statistics.rank_correlation import TOP

_METHODS = {
    "Architecture": "The unit, one dot: a row of a table, or what its rows average to where --architecture names them; "
    "of a study a derived cell, averaged over the trials that derived it. Rows that lack either value are left out and "
    "counted.",
    "Kendall's τ-b": "Agreeing less disagreeing pairs of architectures, of all pairs, corrected for ties. 0.6 says "
    "that of two architectures x puts the better one first in 80 % of cases.",
    "Spearman's ρ": "Correlation of the ranks, ties at their mean rank. It is larger than τ of the same architectures; "
    "compare each with its own kind.",
    "Interval": "The {level}. Over architectures, taken as a random sample of those that are meant: Student's t on the "
    "scale of Fisher's z, with the jackknife's standard error. It assumes nothing of the values. None below five "
    "architectures, or where all pairs are in one order.",
    f"Top {100 * TOP:g} %": "How many of the truly best tenth are in the tenth that x puts first; ties at the border "
    "count in part. A fact about these architectures, without an interval.",
    "Mean of groups": "Each group counts once. No interval: groups, such as data sets, share their architectures.",
}


def write_correlation(source: Architectures, found: list[Correlation], output: Path) -> Path:
    """Write the page at ``output`` (.html) and its files beside it. Raises ConfigError; see page.write_page."""
    output = check_output(output)
    x = list(dict.fromkeys(one.x for one in found))
    with style.style():
        plots = [scatter(source, found, name) for name in x]
    lead = "Whether a high correlation is that of all architectures, or of a few far from the others."
    methods = {name: text.replace("{level}", found[0].interval) for name, text in _METHODS.items()}
    page = Page(
        kind="NAS rank correlation report",
        name=source.name,
        measure=f"Rank correlation with {side(source, found[0].y)}.",
        tally={
            "columns": len(x),
            **({"groups": len({one.group for one in found})} if source.groups is not None else {}),
            "architectures": max(len(one.pairs) for one in found),
            "missing pairs": sum(one.missing for one in found),
        },
        findings=findings(source, found),
        cautions=cautions(source, found),
        glance=correlations(source, found),
        sections=[
            Section("scatter", "Architectures", lead, plots),
            Section("methods", "Method: what each number is", definitions=methods),
            Section("provenance", "Provenance", texts={"Source": json.dumps(source.about, indent=2)}),
        ],
    )
    return write_page(page, output)


def findings(source: Architectures, found: list[Correlation]) -> list[str]:
    """One sentence a column."""
    sentences = []
    for name in dict.fromkeys(one.x for one in found):
        own = [one for one in found if one.x == name and not one.note]
        if means := mean_over_groups(found, name):
            lowest, highest = (choice(own, key=lambda one: one.tau.estimate) for choice in (min, max))
            sentences.append(
                f"{source.titles[name]}: mean τ-b {number(means[0])} over {means[2]} groups, from "
                f"{number(lowest.tau.estimate)} ({lowest.group}) to {number(highest.tau.estimate)} ({highest.group})."
            )
        else:
            sentences.append(f"{source.titles[name]}: {_told(own[0])}.")
    return sentences


def _told(one: Correlation) -> str:
    of = f"{f'{one.group}, ' if one.group else ''}{counted(len(one.pairs), 'architecture')}"
    if np.isnan(one.tau.low):
        return f"τ-b {number(one.tau.estimate)} ({of}; no interval: {one.tau.note})"
    verdict = (
        "orders them as y does" if one.tau.low > 0 else "orders them the other way round" if one.tau.high < 0
        else "not shown to order them at all"
    )  # fmt: skip
    return f"τ-b {number(one.tau.estimate)} {interval(one.tau.low, one.tau.high)}, {verdict} ({of})"


def cautions(source: Architectures, found: list[Correlation]) -> list[str]:
    """What the numbers do not say."""
    said = [
        f"No correlation of {source.titles[one.x]}{f' in {one.group}' if one.group else ''}: {one.note}."
        for one in found
        if one.note
    ]
    missing = Counter[str]()
    for one in found:
        missing[source.titles[one.x]] += one.missing
    if parts := [f"{name} ({counted(count, 'row')})" for name, count in missing.items() if count]:
        said.append(f"Left out, since one of the two values is missing: {listed(parts)}. They may be the bad ones.")
    ties: dict[str, float] = {}
    for one in found:
        for name, share in zip((one.x, one.y), one.ties, strict=True):
            ties[name] = max(ties.get(name, 0.0), share)
    if parts := [f"{source.titles[name]} {number(100 * share)} %" for name, share in ties.items() if share > 5e-5]:
        said.append(
            f"Pairs that tie: {listed(parts)} at the most. τ-b and ρ correct for ties; other coefficients differ."
        )
    if source.pooled:
        said.append(
            f"Every {source.pooled} is in one list, so what lies between them counts, too: --by {source.pooled} keeps "
            "them apart."
        )
    said.append(
        "Where architectures were chosen, as searches do, their range is narrow, and the correlation is smaller than "
        "over all."
    )
    return said
