"""How often the jackknife intervals of rank correlations and expected running times cover, and what others would.

    python speed/jackknife_intervals.py [repetitions]

Prints the table of docs/statistics.md: coverage of nominal 95 % intervals in percent, of those that were given, at 10,
20 and 50 architectures or 5, 10 and 20 runs. Architectures are drawn from a bivariate normal, or are cells of the
built-in benchmark table; times are exponential or log-normal, and runs end at a budget. A minute of one core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy import stats

from analysis.statistics.bootstrap import resample, weighted_quantiles
from analysis.statistics.estimate import FloatArray
from analysis.statistics.rank_correlation import kendall, spearman
from analysis.statistics.running_time import expected_running_time
from trainables.benchmarks.table import open_table
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS

Interval = tuple[float, float]
SIZES, RUNS = (10, 20, 50), (5, 10, 20)
TAILS = np.array([0.025, 0.975])
RESAMPLES = 999


def pairs() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Whole populations of two values."""
    table, cells = open_table(), np.arange(NUM_CELLS)
    cifar, imagenet = (table.accuracy(dataset, "valid", cells) for dataset in ("cifar10", "imagenet16_120"))
    trainings = table.per_seed("cifar10", "valid", cells)
    best = np.argsort(cifar)[-NUM_CELLS // 10 :]
    x, noise = np.random.default_rng(0).normal(size=(2, 20_000))
    return {
        "normal, weak": (x, 0.3 * x + noise),
        "normal, strong": (x, 3 * x + noise),
        "CIFAR-10 against ImageNet16-120": (cifar, imagenet),
        "the same, best tenth": (cifar[best], imagenet[best]),
        "two trainings": (trainings[:, 0], trainings[:, 1]),
        "few levels": (np.round(cifar / 10), imagenet),
    }


def runs() -> dict[str, tuple[Callable[[np.random.Generator, int], FloatArray], float]]:
    """How times are drawn, and the budget at which runs end."""
    return {
        "exponential, 95 % reach it": (lambda generator, n: generator.exponential(size=n), 3.0),
        "exponential, 63 % reach it": (lambda generator, n: generator.exponential(size=n), 1.0),
        "log-normal, all reach it": (lambda generator, n: generator.lognormal(size=n), np.inf),
        "log-normal, 50 % reach it": (lambda generator, n: generator.lognormal(size=n), 1.0),
    }


def bonett_wright(estimate: float, n: int, of: str) -> Interval:
    """Fisher's z with the variances of normal values: Bonett and Wright, Psychometrika 2000."""
    error = np.sqrt(0.437 / (n - 4)) if of == "tau" else np.sqrt((1 + estimate**2 / 2) / (n - 3))
    with np.errstate(divide="ignore"):
        low, high = np.tanh(np.arctanh(estimate) + 1.96 * error * np.array([-1, 1]))
    return float(low), float(high)


def percentile_rho(x: FloatArray, y: FloatArray, generator: np.random.Generator) -> Interval:
    """Spearman's rho with the percentile bootstrap of whole architectures."""
    if not np.ptp(x) or not np.ptp(y):
        return np.nan, np.nan
    drawn = generator.integers(len(x), size=(RESAMPLES, len(x)))
    a, b = (stats.rankdata(values[drawn], axis=1) - (len(x) + 1) / 2 for values in (x, y))
    with np.errstate(invalid="ignore"):
        found = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    low, high = np.nanquantile(found, TAILS)
    return float(low), float(high)


def percentile_time(spent: FloatArray, reached: FloatArray, generator: np.random.Generator) -> Interval:
    """Expected running time with the percentile bootstrap of whole runs: infinite where none of a resample succeeds."""
    data = np.column_stack([spent, reached])
    drawn, weights = resample(data, lambda rows: rows[..., 1].sum(-1) / rows[..., 0].sum(-1), generator, RESAMPLES)
    low, high = weighted_quantiles(drawn, weights, TAILS)
    with np.errstate(divide="ignore"):
        return float(1 / high), float(1 / low)


def covered(intervals: list[Interval], truth: float) -> str:
    """Percent of those that were given."""
    given = [low <= truth <= high for low, high in intervals if not np.isnan(low)]
    return f"{100 * np.mean(given):.1f}" + ("*" if len(given) < 0.98 * len(intervals) else "")


def of_pairs(repetitions: int) -> None:
    for name, (x, y) in pairs().items():
        truth = {"tau": stats.kendalltau(x, y).statistic, "rho": stats.spearmanr(x, y).statistic}
        rows: dict[str, list[str]] = {}
        for n in SIZES:
            generator, found = np.random.default_rng(n), {}
            for _ in range(repetitions):
                drawn = generator.integers(len(x), size=n)
                a, b = x[drawn], y[drawn]
                for of, one in (("tau", kendall(a, b)), ("rho", spearman(a, b))):
                    found.setdefault((of, "jackknife"), []).append((one.low, one.high))
                    found.setdefault((of, "Bonett-Wright"), []).append(bonett_wright(one.estimate, n, of))
                found.setdefault(("rho", "percentile bootstrap"), []).append(percentile_rho(a, b, generator))
            for (of, kind), intervals in found.items():
                rows.setdefault(f"{of}: {kind}", []).append(covered(intervals, truth[of]))
        for kind in sorted(rows, reverse=True):
            print(f"| {kind} | {name} | {' / '.join(rows[kind])} |", flush=True)


def of_runs(repetitions: int) -> None:
    for name, (draw, end) in runs().items():
        many = draw(np.random.default_rng(1), 2_000_000)
        truth = float(np.minimum(many, end).sum() / (many <= end).sum())
        rows: dict[str, list[str]] = {}
        for n in RUNS:
            generator, found = np.random.default_rng(n), {}
            for _ in range(repetitions):
                times = draw(generator, n)
                spent, reached = np.minimum(times, end), times <= end
                one = expected_running_time(spent, reached)
                found.setdefault("jackknife", []).append((one.low, one.high))
                found.setdefault("percentile bootstrap", []).append(percentile_time(spent, reached, generator))
            for kind, intervals in found.items():
                rows.setdefault(kind, []).append(covered(intervals, truth))
        for kind, rates in rows.items():
            print(f"| expected time: {kind} | {name} | {' / '.join(rates)} |", flush=True)


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    print("| interval | values | coverage (%) |\n| --- | --- | --- |")
    of_pairs(asked)
    of_runs(asked)
