"""The statistics behind every report: pure functions of numpy arrays, no frames, no files, no figures.

The unit of replication is the search seed: one number a seed. Whatever is finer (epochs, test images, the data sets
that one search is looked up on) is averaged or kept together as one row before it comes here. Values that are NaN or
infinite are missing: they are left out, and the result says how many. Higher is better unless a function asks.

What comes back is a small frozen dataclass with the number, its interval, n and the method in words, so that a caption
cannot disagree with the number it describes. Too few values are no error: the number is NaN and ``note`` says why.
docs/statistics.md has the definitions, and the measured coverage and error rates that the defaults rest on.

    estimate       Estimate and HypothesisTest, what everything returns
    summary        mean, std, IQM, CVaR, worst and best of one sample
    intervals      Student t, standard deviation, median
    proportions    probability of collapse
    bootstrap      percentile, BCa and studentised intervals
    attainable     whether a test can reach its level with these seeds
    paired         arms that share seeds: sign-flip, t, Wilcoxon, Hodges-Lehmann, equivalence
    unpaired       arms that do not: permutation, Welch, Brunner-Munzel, Hodges-Lehmann shift
    relative       relative improvement over a baseline: Fieller
    counting       both randomisation tests of more seeds than are gone through
    tails          far tails of both, of more seeds than can be counted
    probability    probability of improvement, Cliff's delta, performance profiles
    multiplicity   Holm
    ranks          Friedman, Nemenyi's critical difference, rank distribution
    bayes          Bayesian signed-rank test with a region of practical equivalence
    power          seeds needed, difference detectable
    variance       search-seed against training-seed variance
    selection      what picking the best of many settings adds to its score
    rank_correlation  Kendall, Spearman, top of the list
    running_time   expected running time to a target
    anytime        regret against budget, early stopping, onset of collapse
"""

from analysis.statistics.estimate import Estimate, HypothesisTest

__all__ = ["Estimate", "HypothesisTest"]
