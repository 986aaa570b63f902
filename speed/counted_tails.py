"""How close the p-values of many seeds come to those of all flips or divisions: counted, and by the saddlepoint.

    python speed/counted_tails.py

Prints the two tables of docs/statistics.md: the lowest and the highest ratio of each to the p-value of enumeration,
where that can be gone through (17 to 19 pairs, arms of 2 to 250), and of the saddlepoint to a count with more work and
finer steps, where the reports ask for it: what they do not count, and p is small. Seeds are fixed. Two minutes of one
core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any
from unittest.mock import patch

import numpy as np

from analysis.statistics import counting
from analysis.statistics.estimate import FloatArray
from analysis.statistics.tails import approximate_divisions, approximate_flips

KINDS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "two decimals": lambda x: x.round(2),
    "whole numbers, tied": lambda x: x.round(),
    "two values": lambda x: (x > 0.5) * 1.0,
    "thirds of a hundredth": lambda x: (300 * x).round() / 300,
    "some collapse": lambda x: np.where(x < -0.8, x - 80, x).round(1),
    "on no grid": lambda x: x,
    "on no grid, some collapse": lambda x: np.where(x < -0.8, x - 80, x),
}
PAIRS, ARMS = (17, 18, 19), ((2, 250), (3, 60), (4, 30), (5, 20), (6, 15), (8, 12), (10, 10))
MANY_PAIRS, MANY_ARMS = (400, 800, 2_000), ((60, 60), (40, 120), (90, 90), (150, 150), (230, 230))
SHIFTS, DRAWS = (0.3, 0.8, 1.5), 3
"""The shifts are in standard deviations of a seed."""
FAR_SHIFTS, FAR_DRAWS = (3.5, 4.5, 6.0), 2
"""In standard errors of the mean difference."""
RARE = 1e-3
"""About what fewer than ten of 9,999 draws say: above it, the reports take their share."""
MORE_WORK, FINER = 3_000_000_000, counting.TOLERANCE / 10

Ratios = dict[str, list[float]]


def pair_cases(n: int, kind: str, shifts: tuple[float, ...], draws: int) -> Iterator[FloatArray]:
    """Differences that are not all 0."""
    for shift, draw in product(shifts, range(draws)):
        d = KINDS[kind](np.random.default_rng([n, draw]).normal(shift, 1, n)).round(10)
        if d.any():
            yield d


def arm_cases(sizes: tuple[int, int], kind: str, shifts: tuple[float, ...], draws: int) -> Iterator[FloatArray]:
    """The seeds of both arms less their mean, those of the first arm first; they are not all equal."""
    for shift, draw in product(shifts, range(draws)):
        generator = np.random.default_rng([*sizes, draw])
        arms = generator.normal(shift, 1, sizes[0]), generator.normal(0, 1, sizes[1])
        pool = np.concatenate([KINDS[kind](arm) for arm in arms])
        if np.ptp(pool):
            yield pool - pool.mean()


def enumerated_flips(d: FloatArray, reached: float) -> float:
    sums = np.zeros(1)
    for one in d:
        sums = np.concatenate([sums + one, sums - one])
    return float(np.mean(np.abs(sums) >= reached))


def enumerated_divisions(pool: FloatArray, chosen: int, reached: float) -> float:
    places = np.array(list(combinations(range(len(pool)), chosen)), dtype=np.uint8)
    return float(np.mean(np.abs(pool[places].sum(axis=1)) >= reached))


def reached_by(values: FloatArray, total: float) -> float:
    return abs(total) - 1e-9 * float(np.abs(values).sum())


def against_enumeration(kind: str) -> Ratios:
    found: Ratios = {"count, pairs": [], "count, arms": [], "saddlepoint, pairs": [], "saddlepoint, arms": []}
    for d in (d for n in PAIRS for d in pair_cases(n, kind, SHIFTS, DRAWS)):
        reached = reached_by(d, d.sum())
        truth, count = enumerated_flips(d, reached), counting.count_flips(d, reached)
        assert count
        found["count, pairs"].append(count.p / truth)
        found["saddlepoint, pairs"].append(approximate_flips(d, reached) / truth)
    for sizes in ARMS:
        for pool in arm_cases(sizes, kind, SHIFTS, DRAWS):
            n, reached = sizes[0], reached_by(pool, pool[: sizes[0]].sum())
            truth, count = enumerated_divisions(pool, n, reached), counting.count_divisions(pool, n, reached)
            assert count
            found["count, arms"].append(count.p / truth)
            found["saddlepoint, arms"].append(approximate_divisions(pool, n, reached) / truth)
    return found


def against_counts(kind: str) -> Ratios:
    found: Ratios = {"saddlepoint, pairs": [], "saddlepoint, arms": []}
    for n in MANY_PAIRS:
        for d in pair_cases(n, kind, tuple(shift / np.sqrt(n) for shift in FAR_SHIFTS), FAR_DRAWS):
            reached = reached_by(d, d.sum())
            if p := counted_with_more_work(counting.count_flips, d, reached):
                found["saddlepoint, pairs"].append(approximate_flips(d, reached) / p)
    for sizes in MANY_ARMS:
        error = np.sqrt(1 / sizes[0] + 1 / sizes[1])
        for pool in arm_cases(sizes, kind, tuple(shift * error for shift in FAR_SHIFTS), FAR_DRAWS):
            n, reached = sizes[0], reached_by(pool, pool[: sizes[0]].sum())
            if p := counted_with_more_work(counting.count_divisions, pool, n, reached):
                found["saddlepoint, arms"].append(approximate_divisions(pool, n, reached) / p)
    return found


def counted_with_more_work(count: Callable[..., counting.Count | None], *arguments: Any) -> float | None:
    """A small p that the reports do not count; None of others, and where even more work does not do."""
    if count(*arguments) is not None:
        return None
    with patch.multiple(counting, LARGEST_WORK=MORE_WORK, TOLERANCE=FINER):
        found = count(*arguments)
    return found.p if found and found.p < RARE else None


def table(title: str, measure: Callable[[str], Ratios]) -> None:
    rows = {kind: measure(kind) for kind in KINDS}
    columns = list(next(iter(rows.values())))
    cases = sum(len(ratios) for row in rows.values() for name, ratios in row.items() if name.startswith("saddlepoint"))
    print(f"{title}, {cases} cases\n")
    print(f"| values | {' | '.join(columns)} |\n|{' --- |' * (1 + len(columns))}")
    for kind, row in rows.items():
        print(f"| {kind} | {' | '.join(span(row[name]) for name in columns)} |")
    print()


def span(ratios: list[float]) -> str:
    return f"{min(ratios):.4g} to {max(ratios):.4g}" if ratios else "–"


if __name__ == "__main__":
    table("Over the p-value of enumeration", against_enumeration)
    table(f"Over that of a finer count, where p is below {RARE:g} and the reports do not count", against_counts)
