"""The sentences of a comparison report: what was compared, the verdicts, and what must be kept in mind."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.comparison.compare import Comparisons
from analysis.comparison.pairing import SHARED
from analysis.comparison.verdicts import Verdict
from analysis.pages.words import counted, listed, number
from analysis.results import accuracies

MOST_SENTENCES = 6
_FIRST = (Verdict.BETTER, Verdict.WORSE, Verdict.EQUIVALENT, Verdict.INCONCLUSIVE, Verdict.UNDECIDED)


def findings(found: Comparisons) -> list[str]:
    """What was compared, how it came out in numbers, and the decided comparisons first, in words."""
    tied = sum(pair.paired for pair in found.pairs)
    how = (
        "all paired by seed"
        if tied == len(found.pairs)
        else "none paired by seed"
        if tied == 0
        else f"{tied} paired by seed"
    )
    tally = [f"{found.count(verdict)} {verdict}" for verdict in _FIRST if found.count(verdict)]
    testable = [pair for pair in found.pairs if pair.verdict is not Verdict.UNDECIDED]
    ordered = sorted(testable, key=lambda pair: (_FIRST.index(pair.verdict), pair.p)) or found.pairs[:1]
    said = ordered[:MOST_SENTENCES]
    rest = len(found.pairs) - len(said)
    return [
        f"{counted(len(found.pairs), 'comparison')} of {len(found.arms)} arms on {found.title}, {how}: "
        f"{listed(tally)}.",
        *(pair.sentence for pair in said),
        *([f"Below the tables, the other {counted(rest, 'comparison')} in words."] if rest else []),
    ]


def cautions(found: Comparisons, trials: pd.DataFrame) -> list[str]:
    """What must not be concluded."""
    notes = [f"The pairs were declared before any test: {found.choice}"] if not found.every_pair else []
    if (
        not found.every_pair
        and found.pairs
        and all(pair.a is found.arms[0] for pair in found.pairs[: len(found.arms) - 1])
    ):
        notes.append(
            f"{found.arms[0].name} is the best by the same seeds that it is compared on: chance widens its lead, "
            "and Holm's correction does not know of the choice."
        )
    if found.without:
        names = listed(arm.name for arm in found.without)
        notes.append(f"Not compared, because no trial ended with a value: {names}.")
    lost = [arm for arm in found.arms if arm.lost]
    if lost:
        counts = listed(f"{arm.name} ({arm.lost} of {len(arm.values)})" for arm in lost)
        notes.append(
            f"Trials without a result: {counts}. They are left out with their partners, never given a value: "
            "differences speak of the trials that ended, and flatter a method that fails."
        )
    if absent := [arm for arm in [*found.arms, *found.without] if arm.absent]:
        counts = listed(f"{arm.name} ({arm.absent} of {len(arm.values) + arm.absent})" for arm in absent)
        notes.append(
            f"Seeds of the others without a row: {counts}. Whether these runs were never made, or were lost or left "
            "out "
            "because they failed, the records do not say."
        )
    if free := [pair for pair in found.pairs if not pair.paired]:
        reasons = list(dict.fromkeys(pair.reason for pair in free))
        notes.append(
            f"{counted(len(free), 'comparison')} unpaired: {'; '.join(reasons[:3])}. "
            "That needs more seeds for the same power."
        )
    if stuck := [pair for pair in found.pairs if pair.verdict is Verdict.UNDECIDED]:
        needed = max(pair.attainable.needed_n for pair in stuck)
        notes.append(
            f"{counted(len(stuck), 'comparison')} cannot be decided whatever the difference: {needed} seeds an arm are "
            f"needed before an exact test of this family of {len(found.pairs)} can reach 0.05."
        )
    if trials[list(SHARED[:-1])].isna().all(axis=None) and any(pair.paired for pair in found.pairs):
        notes.append("The table does not say what a seed draws: equal seeds are taken as common random numbers.")
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
