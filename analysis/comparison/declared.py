"""Which pairs are compared: those that the user declared, or those that a rule takes where nobody did.

A pair is written ``A:B``, several of them ``A:B,C:D``, in names as the report shows them. Such names hold colons and
commas themselves (``drnas (arch_lr=0.1, wd=0)``), so a text is never cut at them but read against the names there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from analysis.comparison.pairing import Arm
from analysis.pages.words import counted, listed
from trainables.errors import ConfigError, choose, shown

ALL_PAIRS_UP_TO = 7
"""21 pairs: ten seeds can decide at most 25 tests under Holm's correction."""
BASELINE = "random_search"

Names = Mapping[str, Sequence[Arm]]


@dataclass(frozen=True)
class Wanted:
    """What the user asked to compare: everything with ``against``, or the ``pairs`` A:B, or with ``baselines`` M:B."""

    against: str | None = None
    pairs: Sequence[str] = ()
    baselines: Sequence[str] = ()

    def __post_init__(self) -> None:
        given = [
            option
            for option, value in (
                ("--against", self.against is not None),
                ("--pairs", self.pairs),
                ("--baseline-of", self.baselines),
            )
            if value
        ]
        if len(given) > 1:
            raise ConfigError(
                f"one option says which pairs are compared, but got {listed(given)}; keep one of them: --pairs takes "
                "any pairs"
            )


@dataclass(frozen=True)
class Family:
    """The pairs whose p-values are corrected together, each with the arm first that differences speak for."""

    pairs: list[tuple[Arm, Arm]]
    choice: str
    """Which pairs these are, and why, in words."""
    every_pair: bool = False
    picked: bool = False
    """Whether the reference was picked from the data."""
    declared: bool = False
    """Whether the user wrote the pairs down one by one."""
    baselines: bool = False
    """Whether the second of each pair is the baseline of the first."""


def family(every: Sequence[Arm], wanted: Wanted) -> Family:
    """The family of arms ``every``, best mean first. Raises ConfigError where ``wanted`` names no arms to compare."""
    known = [arm for arm in every if arm.n]
    if wanted.pairs or wanted.baselines:
        option = "--pairs" if wanted.pairs else "--baseline-of"
        pairs = declared_pairs(every, option, [*wanted.pairs, *wanted.baselines])
        what = "each of a method and its baseline" if wanted.baselines else "no others"
        choice = f"The user declared {counted(len(pairs), 'pair')} with {option}, {what}."
        return Family(pairs, choice, declared=True, baselines=bool(wanted.baselines))
    if wanted.against is not None:
        control = _one_arm("--against", wanted.against, _names(known))
        return Family([(arm, control) for arm in known if arm is not control], f"Every arm against {control.name}.")
    if len(known) <= ALL_PAIRS_UP_TO:
        return Family(list(combinations(known, 2)), f"All pairs of the {len(known)} arms.", every_pair=True)
    return _with_the_best(known)


def _with_the_best(known: Sequence[Arm]) -> Family:
    best = known[0]
    highest = "highest" if best.sign > 0 else "lowest"
    baseline = next((arm for arm in known[1:] if arm.method == BASELINE), None)
    pairs = [(best, arm) for arm in known[1:]]
    with_baseline = ""
    if baseline is not None:
        pairs += [(arm, baseline) for arm in known[1:] if arm is not baseline]
        with_baseline = f", and every arm with {baseline.name}"
    choice = (
        f"Compared are {best.name}, which was picked because it has the {highest} mean, with every "
        f"other{with_baseline}. "
        f"The pick looked at the data, so p-values are corrected for all {comb(len(known), 2):,} pairs of the "
        f"{len(known)} arms; a reference named with --against is corrected for {len(known) - 1} only."
    )
    return Family(pairs, choice, picked=True)


def declared_pairs(every: Sequence[Arm], option: str, texts: Sequence[str]) -> list[tuple[Arm, Arm]]:
    """The pairs that ``texts`` name, in that order. Raises ConfigError where one is no pair, or is there twice."""
    names = _names(every)
    found: list[tuple[Arm, Arm]] = []
    for written in (pair for text in texts for pair in read_pairs(option, text, names)):
        a, b = (_one_arm(option, name, names) for name in written)
        if without := next((arm for arm in (a, b) if not arm.n), None):
            raise ConfigError(
                f"{option}: no trial of {without.name} ended with a value, so it cannot be compared; leave it out"
            )
        if a is b:
            raise ConfigError(f"{option}: a pair is of two arms, but {a.name} is on both of its sides; name another")
        if any({a.name, b.name} == {one.name for one in pair} for pair in found):
            raise ConfigError(
                f"{option}: each pair is tested once, but {a.name} and {b.name} are given twice; drop one"
            )
        if option == "--baseline-of" and any(a is method for method, _ in found):
            raise ConfigError(f"{option}: each method has one baseline, but {a.name} has two; use --pairs for others")
        found.append((a, b))
    return found


def read_pairs(option: str, text: str, names: Names) -> list[tuple[str, str]]:
    """``A:B,C:D`` -> [("A", "B"), ("C", "D")]. Raises ConfigError unless ``names`` allow exactly one reading."""
    readings: dict[tuple[int, bool], list[tuple[str, ...]]] = {(0, False): [()]}
    whole: list[tuple[str, ...]] = []
    at, second = 0, False
    for state in ((place, side) for place in range(len(text) + 1) for side in (False, True)):
        begun = readings.pop(state, [])[:2]  # two readings are one too many already
        if not begun:
            continue
        at, second = state
        start = at + len(text[at:]) - len(text[at:].lstrip())
        for name in (name for name in names if text.startswith(name, start)):
            rest = text[start + len(name) :].lstrip()
            longer = [(*reading, name) for reading in begun]
            if not rest and second:
                whole += longer
            elif rest.startswith("," if second else ":"):
                readings.setdefault((len(text) - len(rest) + 1, not second), []).extend(longer)
    if not whole:
        raise ConfigError(_unread(option, text, at, second, names))
    if len(whole) > 1:
        one, other = (listed(" with ".join(pair) for pair in _in_twos(reading)) for reading in whole[:2])
        raise ConfigError(
            f"{option} {shown(text)} can be read as {one}, or as {other}; give each pair an option of its own, or "
            "choose names without colons"
        )
    return _in_twos(whole[0])


def _unread(option: str, text: str, at: int, second: bool, names: Names) -> str:
    """Why ``text`` from ``at``, which should begin with the first or ``second`` name of a pair, does not."""
    rest = text[at:].strip()
    alone = any(rest == name or rest[len(name) :].lstrip().startswith(",") for name in names if rest.startswith(name))
    if not rest or (not second and (alone or ":" not in rest)):
        return (
            f"{option} takes pairs of arms, A:B,C:D, but {shown(rest or text)} is none; write two arms with a colon "
            "between them"
        )
    name = rest.split("," if second else ":")[0].strip()
    return _unknown(option, name, names)


def _in_twos(names: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(names[::2], names[1::2], strict=True))


def _names(every: Sequence[Arm]) -> Names:
    """What arms may be called: by their labels, and by their method where no label is that."""
    names: dict[str, list[Arm]] = {}
    for arm in every:
        names.setdefault(arm.method, []).append(arm)
    return names | {arm.name: [arm] for arm in every}


def _unknown(option: str, given: str, names: Names) -> str:
    return f"{option}: {choose('arm', given, {arm.name for arms in names.values() for arm in arms})}"


def _one_arm(option: str, given: str, names: Names) -> Arm:
    if given not in names:
        raise ConfigError(_unknown(option, given, names))
    if len(names[given]) > 1:
        several = listed(arm.name for arm in names[given])
        raise ConfigError(f"{option} names one arm, but {given} has {len(names[given])}; name one of: {several}")
    return names[given][0]
