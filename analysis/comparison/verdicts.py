"""From the numbers of one comparison to a verdict and a sentence: one rule table, the first rule that holds.

    undecided      no test is possible, or none could reach its level with these seeds
    equivalent     both one-sided tests exclude a difference as large as the margin, whether it is 0 or not
    better, worse  the primary test rejects equality
    inconclusive   none of these

All p-values are after Holm's correction over the declared family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from analysis.pages.words import equals, number
from analysis.statistics.estimate import ALPHA, Estimate


class Verdict(StrEnum):
    """What may be said of A against B."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent within the margin"
    INCONCLUSIVE = "inconclusive"
    UNDECIDED = "cannot be decided at this n"


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on."""

    difference: float
    """Mean of A less mean of B, points."""
    p: float
    """Of equality, adjusted; NaN where the test cannot be made."""
    equivalence_p: float
    """Of a difference at least as large as the margin, adjusted; NaN where the test cannot be made."""
    reachable: bool
    """Whether any data of this size could have rejected equality."""

    @property
    def differs(self) -> bool:
        return self.p <= ALPHA


RULES: tuple[tuple[Verdict, Callable[[Evidence], bool]], ...] = (
    (Verdict.UNDECIDED, lambda e: not (e.p >= 0) or not (e.reachable or e.differs)),
    (Verdict.EQUIVALENT, lambda e: e.equivalence_p <= ALPHA),
    (Verdict.BETTER, lambda e: e.differs and e.difference > 0),
    (Verdict.WORSE, lambda e: e.differs and e.difference < 0),
    (Verdict.INCONCLUSIVE, lambda e: True),
)


def judge(evidence: Evidence) -> Verdict:
    """The verdict of the first rule that holds."""
    return next(verdict for verdict, holds in RULES if holds(evidence))


@dataclass(frozen=True)
class Wording:
    """The parts of a sentence."""

    a: str
    b: str
    what: str
    margin: float
    seeds: str
    """``10 paired seeds`` or ``5 and 4 seeds, unpaired``."""
    test: str
    """``sign-flip`` or ``permutation``."""
    family: int
    limit: str
    """Why nothing can be decided; empty elsewhere."""


def sentence(verdict: Verdict, evidence: Evidence, difference: Estimate, words: Wording) -> str:
    """The verdict in one or two sentences, with the difference, its interval, n, the test and the family."""
    holm = f", Holm over {words.family}" if words.family > 1 else ""
    known = [interval_words(difference), words.seeds]
    tested = ", ".join([*known, f"{words.test} p {equals(evidence.p)}{holm}"])
    size = number(abs(difference.estimate))
    if verdict is Verdict.BETTER:
        return f"{words.a} beats {words.b} by {size} points on {words.what} ({tested})."
    if verdict is Verdict.WORSE:
        return f"{words.a} falls short of {words.b} by {size} points on {words.what} ({tested})."
    signed = number(difference.estimate)
    if verdict is Verdict.EQUIVALENT:
        small = f" The difference is not 0 ({words.test} p {equals(evidence.p)}{holm}), but small."
        return (
            f"{words.a} and {words.b} are equivalent within {words.margin:g} points on {words.what}: difference "
            f"{signed} ({', '.join(known)}, equivalence p {equals(evidence.equivalence_p)}{holm})."
            f"{small if evidence.differs else ''}"
        )
    if verdict is Verdict.INCONCLUSIVE:
        return (
            f"{words.a} against {words.b} on {words.what} is inconclusive: difference {signed} points ({tested}). "
            f"Neither a difference nor equivalence within {words.margin:g} points is shown."
        )
    shown = "" if difference.n == 0 else f" The difference is {signed} points ({', '.join(known)})."
    return f"{words.a} against {words.b} on {words.what} cannot be decided: {words.limit}.{shown}"


def interval_words(difference: Estimate) -> str:
    """``95 % interval 0.10 to 0.70``."""
    if not difference.low <= difference.high:
        return "no interval"
    return f"95 % interval {number(difference.low)} to {number(difference.high)}"
