"""From the numbers of one comparison to its verdict: one table of rules, the first that holds, one sentence each.

Two questions are asked of every pair, each by a test of its own: do the arms differ, and do they differ by less than
the margin? A third asks of arms that differ whether it is by more than the margin. No answer hides another: a
significant difference may be negligible, and arms may be equivalent where their seeds could never show a difference.

All p-values are after Holm's correction over the family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from analysis.pages.words import equals
from analysis.statistics.estimate import ALPHA


class Verdict(StrEnum):
    """What may be said of A against B, the most that is known first."""

    BETTER = "better by more than the margin"
    WORSE = "worse by more than the margin"
    LEADS = "better, size open"
    TRAILS = "worse, size open"
    NEGLIGIBLE = "different but negligible"
    EQUIVALENT = "equivalent within the margin"
    INCONCLUSIVE = "inconclusive"
    UNDECIDED = "cannot be decided"


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on; a p-value is NaN where its test cannot be made."""

    difference: float
    """Mean of A less mean of B, points."""
    p: float
    """Of equality."""
    equivalence_p: float
    """Of a difference at least as large as the margin."""
    beyond_p: float
    """Of a difference no larger than the margin, on the side that was observed."""
    reachable: bool
    """Whether any data of this size could have rejected equality."""
    alpha: float = ALPHA
    """The level of the family."""

    @property
    def differs(self) -> bool:
        return self.p <= self.alpha

    @property
    def small(self) -> bool:
        return self.equivalence_p <= self.alpha

    @property
    def large(self) -> bool:
        return self.beyond_p <= self.alpha


@dataclass(frozen=True)
class Rule:
    verdict: Verdict
    holds: Callable[[Evidence], bool]
    says: str
    """After the evidence; {a}, {b}, {margin} and {limit}, the reason why nothing can be decided."""


RULES = (
    Rule(
        Verdict.NEGLIGIBLE,
        lambda e: e.differs and e.small,
        "{a} and {b} differ, but by less than {margin} points: negligible",
    ),
    Rule(
        Verdict.BETTER,
        lambda e: e.differs and e.large and e.difference > 0,
        "{a} beats {b} by more than {margin} points",
    ),
    Rule(
        Verdict.WORSE,
        lambda e: e.differs and e.large and e.difference < 0,
        "{a} falls short of {b} by more than {margin} points",
    ),
    Rule(
        Verdict.LEADS,
        lambda e: e.differs and e.difference > 0,
        "{a} is better than {b}; whether by more than {margin} points is open",
    ),
    Rule(
        Verdict.TRAILS,
        lambda e: e.differs and e.difference < 0,
        "{a} is worse than {b}; whether by more than {margin} points is open",
    ),
    Rule(Verdict.EQUIVALENT, lambda e: e.small, "{a} and {b} are equivalent within {margin} points"),
    Rule(Verdict.UNDECIDED, lambda e: not (e.p >= 0 and e.reachable), "cannot be decided: {limit}"),
    Rule(
        Verdict.INCONCLUSIVE,
        lambda e: True,
        "inconclusive: neither a difference nor equivalence within {margin} points is shown",
    ),
)


def judge(evidence: Evidence) -> Rule:
    """The first rule that holds."""
    return next(rule for rule in RULES if rule.holds(evidence))


@dataclass(frozen=True)
class Wording:
    """The parts of a sentence that are no verdict."""

    a: str
    b: str
    what: str
    margin: float
    observed: str
    """``8 of 8 common seeds higher, by 2.90 points``."""
    known: tuple[str, ...]
    """What stands in brackets: the interval, and whether the seeds are paired."""
    test: str
    """``sign-flip`` or ``permutation``."""
    family: int
    limit: str


def sentence(rule: Rule, evidence: Evidence, words: Wording) -> str:
    """The evidence, then the verdict that follows from it."""
    holm = f", Holm over {words.family}" if words.family > 1 else ""
    tests = [f"{words.test} p {equals(evidence.p)}{holm}"] if evidence.p >= 0 else []
    if evidence.small:
        tests.append(f"equivalence p {equals(evidence.equivalence_p)}")
    said = rule.says.format(a=words.a, b=words.b, margin=f"{words.margin:g}", limit=words.limit)
    return (
        f"{words.a} against {words.b} on {words.what}: {words.observed} ({'; '.join([*words.known, *tests])}); {said}."
    )
