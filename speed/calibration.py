"""How honest the statistics are: coverage of every interval, error rate and power of every test, at few seeds.

    python speed/calibration.py [repetitions]

Samples of calibration_worlds.py go through the checks of calibration_checks.py, one call of the product's function, or
of one of alternatives.py, a repetition; what can be summed up exactly (proportions) is. The tables are written into
docs/statistics.md. Seeds are fixed: the same library versions give the same tables. Takes less than four minutes of one
core.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
from alternatives import PROPORTION_INTERVALS, PROPORTION_TESTS, compare_proportions
from calibration_checks import ONE_ARM, TESTS, TWO_ARMS, Interval, Significance
from calibration_worlds import NAMES, SEED, Arms, worlds
from scipy import stats

from analysis.statistics.estimate import ALPHA

PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
BEGIN, END = "<!-- calibration -->\n", "<!-- end of calibration -->\n"
SIZES = (3, 5, 10, 20)
REPETITIONS = 800
INTERVAL_SHIFT, POWER_SHIFT = 0.5, 1.0
"""By how many standard deviations arm A is better where intervals and where power are measured."""
SHARES = (0.05, 0.2, 0.5)
ERROR = "± at most"
REFUSED = 0.02
"""Refusals rarer than this are not worth a mark."""


@lru_cache(maxsize=256)
def truth(check: Interval, world: Arms) -> float:
    """What the interval should cover."""
    return check.truth(world)


def coverage(check: Interval, world: Arms, n: int, repetitions: int, seed: int = SEED) -> tuple[float, float]:
    """The share of given intervals that cover the truth (NaN if none is given), and the share refused."""
    generator, target = np.random.default_rng([seed, n]), truth(check, world)
    found = [check.estimate(world.draw(n, generator), generator) for _ in range(repetitions)]
    given = [e for e in found if not np.isnan(e.high)]  # a one-sided bound has no low
    slack = 1e-9  # a limit computed to be the truth itself
    covered = [not e.low > target + slack and target <= e.high + slack for e in given]
    return float(np.mean(covered)) if given else float("nan"), 1 - len(given) / repetitions


def rejections(check: Significance, world: Arms, n: int, repetitions: int, seed: int = SEED) -> float:
    """The share of samples on which the test rejects."""
    generator = np.random.default_rng([seed, n])
    return float(np.mean([check.rejects(world.draw(n, generator), generator) for _ in range(repetitions)]))


@lru_cache(maxsize=64)
def proportion_limits(kind: str, n: int) -> list[tuple[float, float]]:
    """The interval after 0 .. n successes."""
    return [PROPORTION_INTERVALS[kind](k, n) for k in range(n + 1)]


def proportion_coverage(kind: str, share: float, n: int) -> float:
    """Exact coverage of the proportion ``share``."""
    inside = [low <= share <= high for low, high in proportion_limits(kind, n)]
    return float(stats.binom.pmf(np.arange(n + 1), n, share) @ inside)


@lru_cache(maxsize=64)
def proportion_rejections(kind: str, n: int) -> np.ndarray:
    """Whether the test rejects after i and j successes in arms of n, [n + 1, n + 1]."""
    table = np.zeros((n + 1, n + 1))
    for i, j in product(range(n + 1), repeat=2):
        if i + j <= n:  # the rest by symmetry
            table[i, j] = table[n - i, n - j] = compare_proportions(i, j, n, kind) <= ALPHA
    return table


def proportion_error(kind: str, share: float, n: int) -> float:
    """Exact false-positive rate of two arms of one proportion."""
    probabilities = stats.binom.pmf(np.arange(n + 1), n, share)
    return float(probabilities @ proportion_rejections(kind, n) @ probabilities)


def coverage_table(repetitions: int) -> list[str]:
    """Coverage in percent, one row an interval, one column a world."""
    rows = {}
    for name, check in (ONE_ARM | TWO_ARMS).items():
        asked = NAMES if name in TWO_ARMS else NAMES[:-1]  # the arms of the last world are known from the others
        found = [[coverage(check, worlds(INTERVAL_SHIFT)[title], n, repetitions) for n in SIZES] for title in asked]
        shares = [(share, (1 - refused) * repetitions) for cell in found for share, refused in cell if refused < 1]
        rows[name] = [*padded([[covered(*one) for one in cell] for cell in found]), [error(shares)]]
    return table("interval", [*NAMES, ERROR], rows)


def rejection_table(repetitions: int, shift: float) -> list[str]:
    """Rejections in percent, one row a test, one column a world: errors without a shift of arm A, power with one."""
    rows = {}
    for name, check in TESTS.items():
        if shift and not check.compares_arms:
            continue
        asked = NAMES if shift or check.of_means else NAMES[:-1]
        found = [[rejections(check, worlds(shift)[title], n, repetitions) for n in SIZES] for title in asked]
        shares = [(share, repetitions) for cell in found for share in cell]
        rows[name] = [*padded([[percent(share) for share in cell] for cell in found]), [error(shares)]]
    return table("test", [*NAMES, ERROR], rows)


def proportion_table() -> list[str]:
    """Coverage of the intervals and error rate of the tests in percent, one column a share."""
    rows = {}
    for kind in PROPORTION_INTERVALS:
        rows[f"coverage: {kind}"] = [[percent(proportion_coverage(kind, s, n)) for n in SIZES] for s in SHARES]
    for kind in PROPORTION_TESTS:
        rows[f"false positives: {kind}"] = [[percent(proportion_error(kind, s, n)) for n in SIZES] for s in SHARES]
    return table("", [f"share {share:g}" for share in SHARES], rows)


def table(corner: str, columns: Sequence[str], rows: dict[str, list[list[str]]]) -> list[str]:
    """Markdown; every cell lists the sizes."""
    lines = ["| " + " | ".join([corner, *columns]) + " |", "| --- |" + " --- |" * len(columns)]
    for name, cells in rows.items():
        lines.append("| " + " | ".join([name, *(" / ".join(cell) for cell in cells)]) + " |")
    return lines


def padded(cells: list[list[str]]) -> list[list[str]]:
    """With empty cells for the worlds that were not asked."""
    return cells + [[]] * (len(NAMES) - len(cells))


def error(shares: Sequence[tuple[float, float]]) -> str:
    """The largest standard error of a row, of shares and the samples behind each."""
    return percent(max(np.sqrt(p * (1 - p) / samples) for p, samples in shares))


def percent(share: float) -> str:
    """``0.949`` -> ``94.9``."""
    return f"{100 * share:.1f}"


def covered(share: float, refused: float) -> str:
    """Coverage; – where the interval was never given, * where it was not always."""
    if np.isnan(share):
        return "–"
    return percent(share) + ("*" if refused > REFUSED else "")


def tables(repetitions: int) -> str:
    """The whole measured section."""
    sizes = " / ".join(map(str, SIZES))
    parts = [
        f"Every cell lists n = {sizes}; {repetitions} samples each. The last column is the largest standard error of",
        "the simulation in its row, √(p (1 − p) / samples).",
        "",
        "### Coverage of nominal 95 % intervals (%)",
        "",
        *coverage_table(repetitions),
        "",
        "### False positives of tests at level 5 % (%)",
        "",
        *rejection_table(repetitions, 0.0),
        "",
        f"### Power at a gain of {POWER_SHIFT:g} standard deviation (%), half as many samples",
        "",
        *rejection_table(repetitions // 2, POWER_SHIFT),
        "",
        "### Proportions, exact (%)",
        "",
        *proportion_table(),
    ]
    return "\n".join(parts) + "\n"


def main(repetitions: int) -> None:
    start = process_time()
    measured = tables(repetitions)
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + measured + END + after)
    print(f"{measured}\n{process_time() - start:.0f} s of CPU time; written into {PAGE}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS)
