"""Both randomisation tests without a draw: how often each sum occurs over all flips or divisions, one seed at a time.

Accuracies of two decimals are whole numbers of hundredths, so 2**40 flips have a few thousand different sums, and the
distribution of the sum over the first seeds gives that over one more (Streitberg and Röhmel's shift algorithm). It is
kept as the distance below the largest sum there is, and no further than the observed sum: far tails are cheapest.

Values that lie on no such grid are put on one so fine that no sum moves by more than TOLERANCE standard deviations, and
the observed sum moves inwards by as much as any did. So p is never too small, and about 1 + z TOLERANCE times too large
at most, z being the observed sum in standard deviations; more where a few far values make most of the spread.

Source: Streitberg and Röhmel, "Exact distributions for permutation and rank tests", Statistical Software Newsletter
1986.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics.estimate import FloatArray

IntArray = npt.NDArray[np.int64]

TOLERANCE = 0.01
"""Standard deviations of the sum."""
LARGEST_WORK = 50_000_000
"""So many additions are made for one test, a tenth of a second; above, nothing is counted."""
STEP_WORK = 1_000
"""What one call of numpy costs, in additions."""
NOISE = 1e-6
"""Of the largest value: a smaller step is no grid, but what decimal numbers lack in binary."""


@dataclass(frozen=True)
class Count:
    """A p-value that was counted."""

    p: float
    step: float
    """Of the grid."""
    exact: bool
    """Whether the values lie on the grid."""

    def words(self, test: str) -> str:
        """``exact sign-flip test of 20 pairs``, or of what it is an upper bound."""
        return f"exact {test}" if self.exact else f"{test}, counted in steps of {self.step:.2g}"


def count_flips(differences: FloatArray, reached: float) -> Count | None:
    """P(|sum of ± ``differences`` [n]| >= ``reached``), all signs equally probable; None where that is too much work.

    ``reached`` is no larger than the largest sum there is.
    """
    d, n = np.abs(differences), len(differences)
    if not d.any():
        return Count(1.0, 0.0, exact=True)
    for step in (common_step(d), 2 * TOLERANCE * math.sqrt(d @ d) / n):
        scores, off = _on_grid(d, step)
        moved = float(np.abs(off).sum())
        room = math.floor((scores.sum() - (reached - moved) / step) / 2)
        if n * (room + STEP_WORK) <= LARGEST_WORK:
            return Count(min(1.0, 2 * flip_tail(scores, room)), step, moved < step / 4)
    return None


def count_divisions(pool: FloatArray, chosen: int, distance: float) -> Count | None:
    """P(the sum of ``chosen`` of ``pool`` [n] is ``distance`` or more from its expectation), all choices equal.

    None where that is too much work. ``distance`` is no larger than the largest there is.
    """
    n = len(pool)
    spread = float(pool.std()) * math.sqrt(chosen * (n - chosen) / max(n - 1, 1))
    if np.ptp(pool) == 0:
        return Count(1.0, 0.0, exact=True)
    equal = 2 * chosen == n  # what one arm lacks the other has, so both tails are one
    high, low = np.sort(pool - pool.min())[::-1], np.sort(pool.max() - pool)[::-1]
    for step in (common_step(high), 2 * TOLERANCE * spread / min(chosen, n - chosen)):
        sides, moved = [], 0.0
        for side in (high, low)[: 1 if equal else 2]:
            scores, off = _on_grid(side, step)
            most = float(np.sort(off)[-chosen:].sum())
            room = math.floor(scores[:chosen].sum() - (chosen * side.mean() + distance - most) / step)
            sides.append((scores, room))
            moved = max(moved, abs(most))
        if sum(chosen * (n - chosen) * (max(room, 0) + STEP_WORK) for _, room in sides) <= LARGEST_WORK:
            tails = sum(division_tail(scores, chosen, room) for scores, room in sides)
            return Count(min(1.0, tails * (2 if equal else 1)), step, moved < step / 4)
    return None


def flip_tail(scores: IntArray, room: int) -> float:
    """P(sum of ± ``scores`` is the largest there is less 2 ``room``, or above)."""
    mass = np.zeros(room + 1)
    mass[0] = 1.0
    for score in scores[scores > 0].tolist():
        mass *= 0.5
        if score <= room:
            mass[score:] += mass[: room + 1 - score].copy()
    return float(mass.sum())


def division_tail(scores: IntArray, chosen: int, room: int) -> float:
    """P(sum of ``chosen`` of ``scores`` [n], in descending order, is the largest there is less ``room``, or above).

    Seeds come in descending order. To pass one over costs its lead over the one that takes its place.
    """
    if room < 0:
        return 0.0
    n = len(scores)
    lead = scores.tolist()
    mass = np.zeros((chosen + 1, room + 1))  # of having chosen so many, at a cost
    mass[0, 0] = 1.0
    for seen in range(n):
        for taken in range(min(seen, chosen - 1), max(0, chosen - n + seen) - 1, -1):
            missing, rest = chosen - taken, n - seen
            here = mass[taken].copy()
            mass[taken + 1] += here * (missing / rest)
            mass[taken] = 0.0
            if missing < rest and (cost := lead[seen] - lead[seen + missing]) <= room:
                mass[taken, cost:] = here[: room + 1 - cost] * (1 - missing / rest)
    return float(mass[chosen].sum())


def common_step(values: FloatArray) -> float:
    """The largest number of which all ``values`` [n], not below 0 and not all 0, are multiples, by Euclid's algorithm.

    Where they have none it is of the order of NOISE times the largest.
    """
    largest = float(values.max())
    step = largest
    for value in np.unique(values).tolist():
        while value > NOISE * largest:
            step, value = value, abs(math.remainder(step, value))
        step = largest / round(largest / step)  # errors of the last digits do not add up
    return step


def _on_grid(values: FloatArray, step: float) -> tuple[IntArray, FloatArray]:
    """The nearest multiples of ``step``, and what ``values`` have beyond them."""
    scores = np.rint(values / step)
    return scores.astype(np.int64), values - scores * step
