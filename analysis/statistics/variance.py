"""Search-seed variance apart from training-seed variance: one search seed derives one cell, trained several times.

    y[g, r] = mean + search[g] + training[g, r],   g = 1 .. groups, r = 1 .. n_g replicates
    MS_within  = sum (y[g, r] - mean_g)^2 / (N - groups)
    MS_between = sum n_g (mean_g - mean)^2 / (groups - 1),   n_0 = (N - sum n_g^2 / N) / (groups - 1)
    training variance = MS_within,   search variance = (MS_between - MS_within) / n_0

Sources: Searle, Casella and McCulloch, "Variance Components", 1992, section 3.6 (moments, unequal groups); interval of
the intraclass correlation: Shrout and Fleiss, Psychological Bulletin 1979, ICC(1,1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics.estimate import LEVEL, NAN, Estimate, percent


@dataclass(frozen=True)
class VarianceComponents:
    """Variances in the squared unit of the values."""

    search: float
    """Between search seeds; not below 0."""
    search_raw: float
    """Before a negative estimate is set to 0."""
    training: float
    """Between trainings of one search seed's cell."""
    icc: Estimate
    """The share of the search in the variance of a single training's accuracy."""
    groups: int
    """Search seeds with at least one value."""
    values: int
    method: str
    note: str = ""

    @property
    def search_std(self) -> float:
        """Standard deviation over search seeds, were every cell trained infinitely often."""
        return float(np.sqrt(self.search))

    @property
    def training_std(self) -> float:
        """Standard deviation over trainings of one cell."""
        return float(np.sqrt(self.training))


def nested(values: npt.ArrayLike, level: float = LEVEL) -> VarianceComponents:
    """Take ``values`` [search seeds, training seeds] apart; a training that was never made is NaN.

    The interval of ``icc`` is exact for normal values and equal groups.
    """
    matrix = np.asarray(values, dtype=np.float64)
    matrix = matrix[np.isfinite(matrix).any(axis=1)]
    sizes = np.isfinite(matrix).sum(axis=1)
    groups, total = len(sizes), int(sizes.sum())
    if groups < 2 or total == groups:
        note = "needs two search seeds, and one of them trained twice"
        icc = Estimate(NAN, NAN, NAN, groups, "intraclass correlation", note=note)
        return VarianceComponents(NAN, NAN, NAN, icc, groups, total, "one-way random effects", note)
    means = np.nanmean(matrix, axis=1)
    within = float(np.nansum((matrix - means[:, None]) ** 2)) / (total - groups)
    grand = float(sizes @ means) / total
    between = float(sizes @ (means - grand) ** 2) / (groups - 1)
    size = (total - float(sizes @ sizes) / total) / (groups - 1)
    raw = (between - within) / size
    icc = _intraclass_correlation(between, within, size, groups, total, level)
    method = f"one-way random effects by the method of moments, {groups} search seeds, {total} trainings"
    note = "the search variance came out negative and is set to 0" if raw < 0 else ""
    return VarianceComponents(max(raw, 0.0), raw, within, icc, groups, total, method, note)


def _intraclass_correlation(
    between: float, within: float, size: float, groups: int, total: int, level: float
) -> Estimate:
    method = f"intraclass correlation with {percent(level)} F interval"
    if between + within == 0:
        return Estimate(NAN, NAN, NAN, groups, method, note="no value differs from another")
    if within == 0:
        return Estimate(1.0, NAN, NAN, groups, method, note="trainings of one cell do not differ")

    def share(f: float) -> float:
        return max(0.0, (f - 1) / (f + size - 1))

    f = between / within
    freedom = groups - 1, total - groups
    upper, lower = stats.f.ppf([(1 + level) / 2, (1 - level) / 2], *freedom)
    return Estimate(share(f), share(f / upper), share(f / lower), groups, method)
