"""Choose a setting on some seeds and score it on the others: the remedy for the winner's curse.

The best mean of many settings is too high by chance alone (``analysis.statistics.selection``), the worst too low. Here
every half of the seeds chooses and the other half scores. Single trials may be missing, any subset of the settings may
be chosen from, and what is chosen may be any mixture of ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from analysis.statistics.estimate import NAN, FloatArray

EXACT_HALVES = 252
"""Up to so many ways to halve the seeds (ten seeds) all are taken; above, so many are drawn."""

Weights = Callable[[int], FloatArray]
"""Number of settings C -> weights [..., C] of their ranks, worst first."""


@dataclass(frozen=True, eq=False)
class Halves:
    """Means of H settings on both sides of S splits of the seeds: ``chosen_on`` and ``scored_on``, both [H, S].

    NaN where a setting has no value on that side; it is then neither chosen nor scored in that split.
    """

    chosen_on: FloatArray
    scored_on: FloatArray

    def best(self, candidates: np.ndarray) -> float:
        """The mean score of the best of ``candidates`` (rows), ties counted evenly; NaN where there is no score."""
        chosen_on, scored_on = self.chosen_on[candidates], self.scored_on[candidates]
        known = np.isfinite(chosen_on) & np.isfinite(scored_on)
        chosen = np.where(known, chosen_on, -np.inf)
        top = known & (chosen == chosen.max(axis=0))
        counts = top.sum(axis=0)
        scores = np.where(top, scored_on, 0.0).sum(axis=0)[counts > 0] / counts[counts > 0]
        return float(scores.mean()) if len(scores) else NAN

    def ranked(self, weights: Weights, candidates: np.ndarray | None = None) -> FloatArray:
        """The mean over splits of the scores weighted by the ranks that the other half gives: [...] of ``weights``."""
        sides = (self.chosen_on, self.scored_on)
        chosen_on, scored_on = sides if candidates is None else (side[candidates] for side in sides)
        found = []
        for chosen, scored in zip(chosen_on.T, scored_on.T, strict=True):
            known = np.isfinite(chosen) & np.isfinite(scored)
            if known.any():
                order = np.argsort(chosen[known], kind="stable")
                even = _even_over_ties(weights(len(order)), chosen[known][order])
                found.append(even @ scored[known][order])
        return np.mean(found, axis=0) if found else np.full(weights(1).shape[:-1], NAN)


def worst_only(count: int) -> FloatArray:
    """All weight on the worst of ``count``."""
    return np.eye(1, count)[0]


def halves(values: FloatArray, generator: np.random.Generator) -> Halves:
    """Split the seeds of ``values`` [H, n] in all ways into n // 2 that choose and the rest that score.

    Above EXACT_HALVES ways, so many are drawn. Raises ValueError for a single seed, which cannot be split.
    """
    choosing = split_masks(values.shape[1], generator)
    return Halves(_means(values, choosing), _means(values, ~choosing))


def in_sample(means: FloatArray) -> Halves:
    """Settings chosen by the ``means`` [H] that also score them: the naive best, too high."""
    return Halves(means[:, None], means[:, None])


def split_masks(n: int, generator: np.random.Generator) -> np.ndarray:
    """[S, n], True for the n // 2 seeds that choose."""
    if n < 2:
        raise ValueError(f"seeds can be split from two upwards, but got {n}")
    if comb(n, n // 2) <= EXACT_HALVES:
        members = np.array(list(combinations(range(n), n // 2)))
    else:
        members = np.array([generator.permutation(n)[: n // 2] for _ in range(EXACT_HALVES)])
    masks = np.zeros((len(members), n), dtype=bool)
    np.put_along_axis(masks, members, True, axis=1)
    return masks


def _means(values: FloatArray, masks: np.ndarray) -> FloatArray:
    """[H, n] and [S, n] -> the mean of each setting over the known values of each mask, [H, S]."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0) @ masks.T / (known @ masks.T.astype(float))


def _even_over_ties(weights: FloatArray, ascending: FloatArray) -> FloatArray:
    """The weights [..., C] with those of equal values averaged."""
    starts = np.flatnonzero(np.append(True, np.diff(ascending) > 0))
    counts = np.diff(np.append(starts, len(ascending)))
    return np.repeat(np.add.reduceat(weights, starts, axis=-1) / counts, counts, axis=-1)
