"""Rank correlation of two values of the same architectures: Kendall's tau-b and Spearman's rho, with intervals.

The unit is the architecture. An interval is Student's t on the scale of Fisher's z, with the jackknife's standard
error: nothing is assumed of the values, ties included, and it is the same whatever the generator. Leaving one out needs
no second pass: what an architecture contributes are sums of signs over all others, found by sorting.

Sources: Kendall and Gibbons, "Rank Correlation Methods", 1990 (tau-b, midranks); Arvesen, Annals of Mathematical
Statistics 1969 (jackknife of functions of U-statistics); Fisher, Metron 1921 (z).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics.estimate import LEVEL, NAN, Estimate, FloatArray, complete_rows, percent, too_few
from analysis.statistics.intervals import t_multiplier

MINIMUM_N = 5
"""Below, an interval is refused: leaving one out leaves too few."""
TOP = 0.1
"""The share of the architectures that a reader of a list looks at."""


def kendall(x: npt.ArrayLike, y: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """Kendall's tau-b of the pairs [n] that are complete; NaN where either value is constant."""
    a, b, dropped = _pairs(x, y)
    method = f"Kendall's tau-b with {_words(level)}"
    if note := _refusal(a, b):
        return Estimate(NAN, NAN, NAN, len(a), method, dropped, note)
    estimate = float(stats.kendalltau(a, b).statistic)
    score, n = sign_products(a, b), len(a)
    untied_a, untied_b = n - _tied(a), n - _tied(b)
    agreement = score.sum() / 2 - score
    pairs = (untied_a.sum() / 2 - untied_a) * (untied_b.sum() / 2 - untied_b)
    return _with_interval(estimate, _ratio(agreement, pairs), level, method, dropped)


def spearman(x: npt.ArrayLike, y: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """Spearman's rho, of midranks, of the pairs [n] that are complete; NaN where either value is constant."""
    a, b, dropped = _pairs(x, y)
    method = f"Spearman's rho with {_words(level)}"
    if note := _refusal(a, b):
        return Estimate(NAN, NAN, NAN, len(a), method, dropped, note)
    n, r, q = len(a), stats.rankdata(a), stats.rankdata(b)
    estimate = float(np.corrcoef(r, q)[0, 1])
    # Without one architecture, the rank of another falls by u = (1 + sign) / 2, sign being that of how they differ.
    signs_a, signs_b = n + 1 - 2 * r, n + 1 - 2 * q
    both = (n - 1 + signs_a + signs_b + sign_products(a, b)) / 4
    products = r @ q - r * q - (_falling(r, b) + _falling(q, a)) + both
    squares = [
        own @ own - own**2 - 2 * _falling(own, values) + (n - 1 + 2 * signs + n - _tied(values)) / 4
        for own, values, signs in ((r, a, signs_a), (q, b, signs_b))
    ]
    centre = (n - 1) * (n / 2) ** 2
    without = _ratio(products - centre, (squares[0] - centre) * (squares[1] - centre))
    return _with_interval(estimate, without, level, method, dropped)


def top_precision(predicted: npt.ArrayLike, true: npt.ArrayLike, share: float = TOP) -> float:
    """The share of the truly best k architectures among the k of the highest ``predicted``, k = ``share`` of n.

    Higher is better in both. Where ties straddle the border it is the mean over all orders of them. NaN where k is 0.
    """
    a, b, _ = _pairs(predicted, true)
    k = round(share * len(a))
    return float(_chosen(a, k) @ _chosen(b, k)) / k if k else NAN


def tied_pairs(values: npt.ArrayLike) -> float:
    """The share of all pairs of known ``values`` that are equal, a fraction."""
    data = np.asarray(values, dtype=np.float64)
    n = len(data)
    return float((_tied(data) - 1).sum()) / (n * (n - 1)) if n > 1 else NAN


def sign_products(a: FloatArray, b: FloatArray) -> FloatArray:
    """Of each of [n] the sum over all others of sign(a' - a) * sign(b' - b): agreeing less disagreeing pairs."""
    return _below_in_both(a, b) + _below_in_both(-a, -b) - _below_in_both(-a, b) - _below_in_both(a, -b)


def _below_in_both(a: FloatArray, b: FloatArray) -> FloatArray:
    """How many others lie below each of [n] in ``a`` and in ``b``, ties not among them: in n log² n steps."""
    n = len(a)
    by_a = np.lexsort((-b, a))  # of equal ones in a the larger in b first, so that none before is below in b alone
    place = np.empty(n, dtype=np.int64)
    place[np.lexsort((-np.arange(n), b[by_a]))] = np.arange(n)
    index, count, width = np.arange(n), np.zeros(n, dtype=np.int64), 1
    while width < n:  # those of the left half of each block below those of its right half
        block, right = index // (2 * width), index // width % 2 == 1
        order = np.lexsort((place, block))
        left = np.cumsum(~right[order]) - block[order] * width
        count[order] += np.where(right[order], left, 0)
        width *= 2
    found = np.empty(n)
    found[by_a] = count
    return found


def _falling(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Of each of [n] the sum over all others of ``weights`` * (1 + sign(value' - value)) / 2."""
    order = np.argsort(values, kind="stable")
    ordered, total = values[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    below = total[np.searchsorted(ordered, values, side="left")]
    up_to = total[np.searchsorted(ordered, values, side="right")]
    return (total[-1] - weights + (total[-1] - up_to) - below) / 2


def _tied(values: FloatArray) -> FloatArray:
    """How many of [n] are equal to each, itself among them."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return counts[codes].astype(np.float64)


def _chosen(values: FloatArray, k: int) -> FloatArray:
    """How surely each of [n] is among the ``k`` highest: 1, 0, or the same for all that tie at the border."""
    border = np.partition(values, len(values) - k)[len(values) - k] if k else np.inf
    above, tied = values > border, values == border
    return above + tied * (k - above.sum()) / max(tied.sum(), 1)


def _pairs(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, FloatArray, int]:
    rows, dropped = complete_rows(np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)]))
    return rows[:, 0], rows[:, 1], dropped


def _refusal(a: FloatArray, b: FloatArray) -> str:
    if len(a) < 3:
        return too_few(3, len(a), "architectures")
    return "a value is the same everywhere" if min(np.ptp(a), np.ptp(b)) == 0 else ""


def _ratio(products: FloatArray, squares: FloatArray) -> FloatArray:
    """Correlations without each architecture; NaN where that leaves a constant."""
    return products / np.sqrt(np.where(squares > 1e-9, squares, NAN))


def _words(level: float) -> str:
    return f"{percent(level)} jackknife interval on Fisher's z"


def _with_interval(estimate: float, without: FloatArray, level: float, method: str, dropped: int) -> Estimate:
    n = len(without)
    if n < MINIMUM_N:
        return Estimate(estimate, NAN, NAN, n, method, dropped, f"an interval {too_few(MINIMUM_N, n, 'architectures')}")
    if 1 - abs(estimate) < 1e-12:
        return Estimate(estimate, NAN, NAN, n, method, dropped, "all pairs are in one order, so no spread is known")
    if np.isnan(without).any():
        return Estimate(estimate, NAN, NAN, n, method, dropped, "one architecture alone differs from all others")
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()) / (1 - estimate**2)
    half = t_multiplier(n, level) * error
    low, high = np.tanh(np.arctanh(estimate) + np.array([-half, half]))
    return Estimate(estimate, float(low), float(high), n, method, dropped)
