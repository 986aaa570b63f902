"""What calibration.py measures: every interval with the number it should cover, every test with its null hypothesis.

Each goes through the function of analysis/statistics that a report calls, or through one of alternatives.py, which no
report does. The bootstrap's lower limit on n is lifted, so that the table shows what it protects from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import alternatives
import numpy as np
from calibration_worlds import SEED, Arms, Sample

from analysis.statistics import Estimate, bayes, paired, relative, unpaired
from analysis.statistics.bootstrap import Kind, bootstrap_interval, studentised_interval
from analysis.statistics.estimate import ALPHA, FloatArray
from analysis.statistics.intervals import median_interval, std_interval, t_interval
from analysis.statistics.multiplicity import adjust
from analysis.statistics.probability import (
    cliffs_delta,
    performance_profile,
    probability_of_improvement,
    probability_of_improvement_paired,
)
from analysis.statistics.ranks import friedman, nemenyi
from analysis.statistics.summary import Statistic, cvar, iqm, mean
from analysis.statistics.variance import nested

RESAMPLES = 999
"""Where resamples are drawn at random; up to eight seeds all are taken."""
THRESHOLD = 87.0
"""Of the performance profile, in percent."""
MARGIN = 40.0
"""Of the equivalence test, in points: so wide that only one of its two sides is ever in doubt."""

Generator = np.random.Generator


@dataclass(frozen=True)
class Interval:
    """An interval of a sample, and the number that it should cover, of the whole world."""

    estimate: Callable[[Sample, Generator], Estimate]
    truth: Callable[[Arms], float]


@dataclass(frozen=True)
class Significance:
    """A test of a sample, true where it rejects at level ALPHA."""

    rejects: Callable[[Sample, Generator], bool]
    of_means: bool = False
    """Whether arms of one mean and different shapes are its null hypothesis, too."""
    compares_arms: bool = True
    """Whether it tests A against B, so that it has a power against arm A being better."""


def _mean(world: Arms) -> float:
    return float(world.first_b.mean())


def _mean_over_datasets(world: Arms) -> float:
    return float(world.b.mean())


def _shift(world: Arms) -> float:
    return float(world.first_a.mean() - world.first_b.mean())


def _relative_improvement(world: Arms) -> float:
    return 100 * _shift(world) / float(world.first_b.mean())


def _improvement(world: Arms) -> float:
    return probability_of_improvement(world.first_a, world.first_b).estimate


def _pseudomedian(world: Arms) -> float:
    """The median average of two independent differences."""
    generator = np.random.default_rng(SEED)
    first, second = (world.draw(2_000, generator).differences for _ in range(2))
    return float(np.median(np.add.outer(first, second)) / 2)


def _quantiles(values: FloatArray) -> FloatArray:
    return np.quantile(values, (np.arange(1_000) + 0.5) / 1_000)


def _bootstrap(statistic: Statistic, kind: Kind) -> Interval:
    return Interval(
        lambda s, g: bootstrap_interval(s.first_b, statistic, g, kind=kind, resamples=RESAMPLES, minimum=2),
        lambda world: float(statistic(world.first_b)),
    )


def _profile(sample: Sample, generator: Generator) -> Estimate:
    found = performance_profile(sample.first_b, [THRESHOLD])
    return Estimate(float(found.share[0]), float(found.low[0]), float(found.high[0]), found.n, found.method)


ONE_ARM: dict[str, Interval] = {
    "mean: Student t": Interval(lambda s, g: t_interval(s.first_b), _mean),
    "mean: percentile bootstrap": _bootstrap(mean, "percentile"),
    "mean: BCa bootstrap": _bootstrap(mean, "bca"),
    "mean: studentised bootstrap": Interval(
        lambda s, g: studentised_interval(s.first_b, g, resamples=RESAMPLES, minimum=2), _mean
    ),
    "mean over data sets: Student t of the seeds' means": Interval(
        lambda s, g: t_interval(s.b.mean(axis=1)), _mean_over_datasets
    ),
    "mean over data sets: percentile, whole seeds": Interval(
        lambda s, g: alternatives.mean_of_whole_seeds(s.b, g, RESAMPLES), _mean_over_datasets
    ),
    "mean over data sets: percentile, stratified": Interval(
        lambda s, g: alternatives.mean_of_stratified_seeds(s.b, g, RESAMPLES), _mean_over_datasets
    ),
    "median: order statistics": Interval(
        lambda s, g: median_interval(s.first_b), lambda world: float(np.median(world.first_b))
    ),
    "IQM: percentile bootstrap": _bootstrap(iqm, "percentile"),
    "IQM: BCa bootstrap": _bootstrap(iqm, "bca"),
    "CVaR 0.2: percentile bootstrap": _bootstrap(cvar, "percentile"),
    "CVaR 0.2: BCa bootstrap": _bootstrap(cvar, "bca"),
    "standard deviation: chi-squared": Interval(
        lambda s, g: std_interval(s.first_b), lambda world: float(world.first_b.std())
    ),
    "intraclass correlation: F": Interval(
        lambda s, g: nested(s.trainings).icc, lambda world: nested(world.trainings).icc.estimate
    ),
    "performance profile: percentile, pointwise": Interval(
        _profile, lambda world: float((world.first_b > THRESHOLD).mean())
    ),
}
TWO_ARMS: dict[str, Interval] = {
    "paired, mean difference: Student t": Interval(lambda s, g: paired.mean_difference(s.differences), _shift),
    "paired, Hodges-Lehmann: signed rank": Interval(lambda s, g: paired.hodges_lehmann(s.differences), _pseudomedian),
    "paired, P(A > B): Clopper-Pearson": Interval(
        lambda s, g: probability_of_improvement_paired(s.differences), _improvement
    ),
    "difference of means: Welch": Interval(lambda s, g: unpaired.mean_difference(s.first_a, s.first_b), _shift),
    "Hodges-Lehmann shift: rank sum": Interval(
        lambda s, g: unpaired.hodges_lehmann_shift(s.first_a, s.first_b),
        lambda world: float(np.median(np.subtract.outer(_quantiles(world.first_a), _quantiles(world.first_b)))),
    ),
    "paired, relative improvement: Fieller": Interval(
        lambda s, g: relative.improvement_paired(s.first_a, s.first_b), _relative_improvement
    ),
    "relative improvement: Fieller": Interval(
        lambda s, g: relative.improvement(s.first_a, s.first_b), _relative_improvement
    ),
    "P(A > B): Newcombe": Interval(lambda s, g: probability_of_improvement(s.first_a, s.first_b), _improvement),
    "P(A > B): Brunner-Munzel, logit": Interval(
        lambda s, g: alternatives.brunner_munzel_interval(s.first_a, s.first_b, logit=True), _improvement
    ),
    "P(A > B): Brunner-Munzel": Interval(
        lambda s, g: alternatives.brunner_munzel_interval(s.first_a, s.first_b, logit=False), _improvement
    ),
    "Cliff's delta: Newcombe": Interval(
        lambda s, g: cliffs_delta(s.first_a, s.first_b), lambda world: 2 * _improvement(world) - 1
    ),
}


def _family(sample: Sample, generator: Generator) -> bool:
    pairs = [sample.alike[:, i] - sample.alike[:, j] for i, j in combinations(range(3), 2)]
    return bool((adjust([paired.sign_flip(d, generator, RESAMPLES).p for d in pairs]).p <= ALPHA).any())


def _bayes(sample: Sample, generator: Generator) -> bool:
    found = bayes.signed_rank(sample.differences, 0.0, generator, draws=RESAMPLES, minimum=2)
    return max(found.better, found.worse) >= 1 - ALPHA / 2


def _iman_davenport(sample: Sample, generator: Generator) -> bool:
    found = friedman(sample.alike).test
    return alternatives.iman_davenport(found.statistic, found.n, sample.alike.shape[1])[1] <= ALPHA


TESTS: dict[str, Significance] = {
    "paired: sign-flip": Significance(
        lambda s, g: paired.sign_flip(s.differences, g, RESAMPLES).p <= ALPHA, of_means=True
    ),
    "paired: t": Significance(lambda s, g: paired.paired_t(s.differences).p <= ALPHA, of_means=True),
    "paired: Wilcoxon signed-rank": Significance(lambda s, g: paired.wilcoxon(s.differences).p <= ALPHA),
    "paired: sign-flip, any of 3 pairs under Holm": Significance(_family, compares_arms=False),
    "paired: TOST, declared equivalent at the margin": Significance(
        lambda s, g: paired.equivalence(s.differences + MARGIN, MARGIN).p <= ALPHA, of_means=True, compares_arms=False
    ),
    "paired: Bayesian signed-rank, P >= 0.975 for either": Significance(_bayes),
    "unpaired: permutation": Significance(
        lambda s, g: unpaired.permutation(s.first_a, s.first_b, g, RESAMPLES).p <= ALPHA, of_means=True
    ),
    "unpaired: Welch": Significance(lambda s, g: unpaired.welch(s.first_a, s.first_b).p <= ALPHA, of_means=True),
    "unpaired: Brunner-Munzel": Significance(lambda s, g: unpaired.brunner_munzel(s.first_a, s.first_b).p <= ALPHA),
    "4 methods: Friedman (Iman-Davenport F)": Significance(_iman_davenport, compares_arms=False),
    "4 methods: Friedman (chi-squared)": Significance(
        lambda s, g: friedman(s.alike).test.p <= ALPHA, compares_arms=False
    ),
    "4 methods: Nemenyi, any of 6 pairs": Significance(
        lambda s, g: bool((nemenyi(s.alike).p <= ALPHA).any()), compares_arms=False
    ),
}
