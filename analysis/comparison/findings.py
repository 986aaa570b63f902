"""The sentences of a comparison report: what was compared, the verdicts, and what must be kept in mind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.comparison.compare import Comparisons
from analysis.comparison.verdicts import Verdict
from analysis.pages.words import counted, interval, listed, number
from analysis.results import accuracies
from analysis.statistics.estimate import ALPHA, Estimate

MOST_SENTENCES = 6
_FIRST = tuple(Verdict)


def findings(found: Comparisons, claim: str, gains: Sequence[Estimate]) -> list[str]:
    """What was compared, how it came out in numbers, and the decided comparisons first, in words.

    ``claim`` says whether seeds are paired, and why; ``gains`` are the relative improvements of all pairs, percent.
    """
    tied = sum(pair.paired for pair in found.pairs)
    if found.claimed and tied < len(found.pairs):
        reasons = list(dict.fromkeys(pair.reason for pair in found.pairs if not pair.paired))
        claim += f" Not so {counted(len(found.pairs) - tied, 'comparison')}: {'; '.join(reasons[:3])}."
    tally = [f"{found.count(verdict)} {verdict}" for verdict in _FIRST if found.count(verdict)]
    testable = [pair for pair in found.pairs if pair.verdict is not Verdict.UNDECIDED]
    ordered = sorted(testable, key=lambda pair: (_FIRST.index(pair.verdict), pair.p)) or found.pairs[:1]
    said = ordered[:MOST_SENTENCES]
    rest = len(found.pairs) - len(said)
    at = "" if found.alpha == ALPHA else f", level {found.alpha:g}"
    made = f"a family of {counted(found.family, 'test')}" if found.family else "no test could be made"
    return [
        f"{counted(len(found.pairs), 'comparison')} of {len(found.arms)} arms on {found.title}, margin "
        f"{found.margin:g} points{at}: {listed(tally, len(tally))}.",
        *([f"{found.declared.choice} Holm's correction: {made}."] if found.declared.declared else []),
        claim,
        *([_gains(found, gains)] if found.declared.baselines else []),
        *(pair.sentence for pair in said),
        *([f"Below the tables, the other {counted(rest, 'comparison')} in words."] if rest else []),
    ]


def _gains(found: Comparisons, gains: Sequence[Estimate]) -> str:
    """``Over its own baseline darts gains 0.84 % [0.20, 1.48] and enas −0.30 % [-1.00, 0.40].``"""
    said = listed(
        f"{pair.a.name} {number(gain.estimate, 2)} % {interval(gain.low, gain.high, 2)}"
        for pair, gain in zip(found.pairs, gains, strict=True)
    )
    return f"Relative improvement over the own baseline, {found.interval}s: {said}."


def cautions(found: Comparisons, trials: pd.DataFrame) -> list[str]:
    """What must not be concluded."""
    family = found.declared
    notes = [family.choice] if not (family.every_pair or family.declared) else []
    if family.declared:
        notes.append(
            "That these pairs were chosen before anybody looked at the results is the word of whoever chose them: of "
            "pairs picked afterwards, p-values are too small."
        )
    if found.unnamed:
        notes.append(f"In no declared pair, and not looked at: {listed(arm.name for arm in found.unnamed)}.")
    if family.picked:
        notes.append(
            f"Chance widens the lead of {found.arms[0].name}: its differences and intervals know nothing of the pick."
        )
    if found.without:
        names = listed(arm.name for arm in found.without)
        notes.append(f"Not compared, because no trial ended with a value: {names}.")
    lost = [arm for arm in found.arms if arm.lost]
    if lost:
        counts = listed(f"{arm.name} ({arm.lost} of {len(arm.values)})" for arm in lost)
        notes.append(
            f"Trials without a result: {counts}. They are left out, where seeds are paired with their "
            "partners, never given a value: "
            "differences speak of the trials that ended, and flatter a method that fails."
        )
    if absent := [arm for arm in [*found.arms, *found.without] if arm.absent]:
        counts = listed(f"{arm.name} ({arm.absent} of {len(arm.values) + arm.absent})" for arm in absent)
        notes.append(
            f"Seeds of the others without a row: {counts}. Whether these runs were never made, or were lost or left "
            "out because they failed, the records do not say."
        )
    if stuck := [p for p in found.pairs if p.verdict is Verdict.UNDECIDED and not p.limit]:
        needed = max(pair.attainable.needed_n for pair in stuck)
        notes.append(
            f"{counted(len(stuck), 'comparison')} cannot be decided whatever the difference: {needed} seeds an arm are "
            f"needed before an exact test of this family of {found.family:,} can reach {found.alpha:g}."
        )
    if barred := [p for p in found.pairs if p.verdict is Verdict.UNDECIDED and p.limit]:
        reasons = list(dict.fromkeys(pair.limit for pair in barred))
        notes.append(f"{counted(len(barred), 'comparison')} could not be tested: {'; '.join(reasons[:3])}.")
    if torn := [p for p in found.pairs if p.p <= found.alpha and p.difference.low <= 0 <= p.difference.high]:
        notes.append(
            f"The test tells these apart although the interval of their difference holds 0: "
            f"{listed(pair.name for pair in torn)}. Some seeds lie so far from the others that the t interval, which "
            "expects normal values, is too wide; the Hodges-Lehmann shift resists them."
        )
    values = np.concatenate([arm.values[arm.known] for arm in found.arms])
    if found.margin >= np.ptp(values) > 0:
        notes.append(
            f"The margin of {found.margin:g} is wider than all values lie apart ({number(float(np.ptp(values)), 4)}): "
            "whatever is called equivalent follows from that; choose --margin in the unit of the values."
        )
    notes += _unequal(trials)
    if found.column == accuracies.RETRAIN:
        notes.append("Each cell was retrained once: differences mix search seeds with the noise of one training.")
    return notes


def _unequal(trials: pd.DataFrame) -> list[str]:
    trained = trials[trials["protocol"].notna()]
    differing = [c for c in ("epochs", "channels", "cells", "batch_size") if trained[c].nunique() > 1]
    notes = []
    if differing:
        notes.append(f"The searches differ in {listed(c.replace('_', ' ') for c in differing)}: not at equal budget.")
    settings = trials.groupby("method")["config"].nunique()
    if (settings > 1).any():
        notes.append(
            f"{listed(map(str, settings[settings > 1].index))}: settings of one method are arms of their own, and "
            "the best of them is picked by the seeds that it is compared on."
        )
    return notes
