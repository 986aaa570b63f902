"""Columns -> rank correlations: one of each column x with y, in each group if there are groups.

One point is an architecture: where rows of one are to be averaged they are, within their group. Columns of which less
is better are turned around, so that above 0 always says that x orders architectures as y does.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.pages.words import counted, number
from analysis.results import level as levels
from analysis.results.architectures import Architectures
from analysis.statistics.estimate import ALPHA, Estimate, percent
from analysis.statistics.rank_correlation import TOP, kendall, spearman, tied_pairs, top_precision
from trainables.errors import ConfigError

FEWEST = 3
"""Architectures of which an order says anything."""


@dataclass(frozen=True, eq=False)
class Correlation:
    """x against y in one group."""

    x: str
    y: str
    group: str
    """Empty where there are no groups."""
    pairs: pd.DataFrame
    """Columns x and y as they stand, one row an architecture that has both."""
    rows: int
    """Rows that have both; more than architectures where some were averaged."""
    missing: int
    """Rows that lack either."""
    alpha: float
    """Intervals are of 1 - ``alpha``."""
    tau: Estimate
    rho: Estimate
    precision: float
    """Share of the truly best tenth among the tenth that x puts first."""
    ties: tuple[float, float]
    """Shares of the pairs that tie in x and in y."""
    note: str = ""
    """Why there is no correlation."""

    @property
    def interval(self) -> str:
        """``95 % interval``."""
        return f"{percent(1 - self.alpha)} interval"

    @property
    def top(self) -> int:
        return round(TOP * len(self.pairs))


def correlate(source: Architectures, x: list[str], y: str, alpha: float = ALPHA) -> list[Correlation]:
    """All correlations, by ``x`` as given and then by group, with intervals of 1 - ``alpha``.

    Raises ConfigError where there is none of one, or ``alpha`` is no level.
    """
    levels.checked(alpha)
    if y in x or len(set(x)) < len(x):
        twice = y if y in x else next(name for name in x if x.count(name) > 1)
        raise ConfigError(f"--x and --y name columns that differ, but {twice!r} is given twice; drop one")
    groups = [""] if source.groups is None else sorted(source.groups.unique())
    found = [_one(source, name, y, group, alpha) for name in x for group in groups]
    for name in x:
        own = [one for one in found if one.x == name]
        if all(one.note for one in own):
            raise ConfigError(
                f"a rank correlation needs {FEWEST} architectures and values that differ, but {name} with {y} of "
                f"{source.name} has none ({'; '.join(dict.fromkeys(one.note for one in own))}); name other columns"
            )
    return found


def mean_over_groups(found: list[Correlation], x: str) -> tuple[float, float, int] | None:
    """The means of tau and rho of ``x`` over its groups, and of how many; None below two."""
    own = [one for one in found if one.x == x and one.group and not one.note]
    if len(own) < 2:
        return None
    return (
        sum(one.tau.estimate for one in own) / len(own),
        sum(one.rho.estimate for one in own) / len(own),
        len(own),
    )


def _one(source: Architectures, x: str, y: str, group: str, alpha: float) -> Correlation:
    values = source.values[[x, y]]
    if source.groups is not None:
        values = values[source.groups == group]
    known = values.dropna()
    pairs = known if source.cells is None else known.groupby(source.cells[known.index]).mean()
    a, b = (-pairs[name] if name in source.lower else pairs[name] for name in (x, y))
    tau, rho = kendall(a, b, 1 - alpha), spearman(a, b, 1 - alpha)
    return Correlation(
        x, y, group, pairs, len(known), len(values) - len(known), alpha, tau, rho, top_precision(a, b),
        (tied_pairs(a), tied_pairs(b)), _why_not(pairs, source.titles),
    )  # fmt: skip


def _why_not(pairs: pd.DataFrame, titles: dict[str, str]) -> str:
    if len(pairs) < FEWEST:
        return f"{counted(len(pairs), 'architecture')} with both values"
    constant = [name for name in pairs if pairs[name].nunique() == 1]
    return f"{titles[constant[0]]} is {number(pairs[constant[0]].iloc[0])} throughout" if constant else ""
