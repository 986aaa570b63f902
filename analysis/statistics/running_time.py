"""How long until a target is reached, where some runs end before: the expected running time.

The budget that all runs spent, each until it reached the target or ended, per run that reached it: what it takes if a
run that failed is followed by another. Its interval is Student's t of its logarithm, with the jackknife's standard
error: whole runs are left out one after the other.

Source: Hansen, Auger, Ros, Mersmann, Tušar and Brockhoff, "COCO: a platform for comparing continuous optimizers in a
black-box setting", Optimization Methods and Software 2021 (average runtime).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.statistics.estimate import LEVEL, NAN, Estimate, percent, too_few
from analysis.statistics.intervals import MINIMUM_N, t_multiplier


def expected_running_time(spent: npt.ArrayLike, reached: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """Of runs [n] with the budgets ``spent`` until the target or the end; infinite where no run ``reached`` it.

    Runs of unknown budget are left out. An interval needs two runs that reached it: without one of them the time would
    be infinite.
    """
    budget, success = np.asarray(spent, dtype=np.float64), np.asarray(reached, dtype=bool)
    known = np.isfinite(budget)
    dropped = int((~known).sum())
    budget, success = budget[known], success[known]
    n, successes, total = len(budget), int(success.sum()), float(budget.sum())
    method = f"expected running time with {percent(level)} jackknife interval of its logarithm"

    def without_interval(estimate: float, note: str) -> Estimate:
        return Estimate(estimate, NAN, NAN, n, method, dropped, note)

    if n == 0:
        return without_interval(NAN, too_few(1, 0, "runs"))
    if successes == 0:
        return without_interval(float("inf"), "no run reached the target")
    estimate = total / successes
    if n < MINIMUM_N or successes < 2:
        needed = too_few(MINIMUM_N, n, "runs") if n < MINIMUM_N else "needs two runs that reached the target"
        return without_interval(estimate, f"an interval {needed}")
    left = total - budget
    if estimate == 0 or not (left > 0).all() or (np.ptp(budget) == 0 and success.all()):
        return without_interval(estimate, "all runs spent the same, so no spread is known")
    without = np.log(left / (successes - success))
    half = t_multiplier(n, level) * np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return Estimate(estimate, float(estimate * np.exp(-half)), float(estimate * np.exp(half)), n, method, dropped)
