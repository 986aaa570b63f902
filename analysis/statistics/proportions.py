"""How often something happens, of collapse mostly: the interval of a proportion.

No bootstrap: of 0 collapses in 5 seeds it would say [0, 0], while up to 52 % cannot be excluded.
"""

from __future__ import annotations

from statsmodels.stats.proportion import proportion_confint

from analysis.statistics.estimate import LEVEL, NAN, Estimate, percent, too_few


def proportion_interval(successes: float, total: int, level: float = LEVEL) -> Estimate:
    """The share ``successes`` / ``total``, a fraction, with its exact interval, which never covers too rarely.

    Half a success, for a tie, is allowed.
    """
    method = f"share with {percent(level)} exact (Clopper-Pearson) interval"
    if total == 0:
        return Estimate(NAN, NAN, NAN, 0, method, note=too_few(1, 0, "trials"))
    low, high = proportion_confint(successes, total, alpha=1 - level, method="beta")
    return Estimate(successes / total, float(low), float(high), total, method)
