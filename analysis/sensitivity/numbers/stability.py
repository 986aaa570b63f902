"""Would another study with the same tuning budget rank the methods alike?

A simulated study draws k settings of every method without replacement, chooses the best of them on one half of the
seeds, scores it on the other half and ranks the methods. Where methods share their seeds, the same halves are used for
all. Reported at each k: how often each method is first, its mean rank and its mean score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.sensitivity.numbers.budget import best_of_weights, default_budgets
from analysis.sensitivity.numbers.crossfit import halves
from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import DECIMALS, FloatArray, too_few
from trainables.errors import StoreError

STUDIES = 2_000


@dataclass(frozen=True, eq=False)
class RankStability:
    """``table``: k, method, first (share of studies, ties split), mean_rank, score (percent)."""

    table: pd.DataFrame
    n: int
    method: str
    note: str = ""


def rank_stability(
    methods: Sequence[Settings], generator: np.random.Generator, ks: Sequence[int] | None = None, studies: int = STUDIES
) -> RankStability:
    """Simulate ``studies`` studies at each budget of ``ks``, up to the number of settings that every method has.

    Settings without a value on a side of a split are left out of it. Raises StoreError where the methods are not two or
    more on one data set.
    """
    if len(methods) < 2 or len({settings.dataset for settings in methods}) != 1:
        given = [f"{settings.method} on {settings.dataset}" for settings in methods]
        raise StoreError(f"two or more methods are ranked on one data set, but got {', '.join(given) or 'none'}")
    names, n = [settings.method for settings in methods], min(settings.n for settings in methods)
    words = (
        f"{studies} simulated studies a budget, best of k settings chosen on one half of the seeds, scored on the other"
    )
    if n < 2:
        table = pd.DataFrame(columns=["k", "method", "first", "mean_rank", "score"])
        note = f"choosing and scoring {too_few(2, n, 'seeds of every method')}"
        return RankStability(table, n, words, note)
    paired = all(s.shared_seeds for s in methods) and len({s.seeds for s in methods}) == 1
    ladders = [_ladders(settings, generator) for settings in methods]
    most = min(len(ladder) for splits in ladders for ladder in splits)
    parts = []
    for k in default_budgets(most) if ks is None else [k for k in ks if k <= most]:
        common = generator.random(studies)
        scores = [_scores(splits, k, common if paired else generator.random(studies), generator) for splits in ladders]
        parts.append(pd.DataFrame({"k": k, "method": names, **_rankings(np.column_stack(scores))}))
    how = "the same halves for all methods" if paired else "halves drawn for each method"
    return RankStability(pd.concat(parts, ignore_index=True), n, f"{words}; {how}")


def _ladders(settings: Settings, generator: np.random.Generator) -> list[FloatArray]:
    """For each split of the seeds the scores on one half, in ascending order of the other half, ties at random."""
    split = halves(settings.values, generator)
    ladders = []
    for chosen, scored in zip(split.chosen_on.T, split.scored_on.T, strict=True):
        known = np.isfinite(chosen) & np.isfinite(scored)
        order = np.lexsort((generator.random(int(known.sum())), chosen[known]))
        ladders.append(scored[known][order])
    return ladders


def _scores(splits: Sequence[FloatArray], k: int, which: FloatArray, generator: np.random.Generator) -> FloatArray:
    """The score of the best of k random settings in each study [studies]; ``which`` in [0, 1) says the split."""
    place = (which * len(splits)).astype(int)
    scores = np.empty(len(which))
    for index, ladder in enumerate(splits):
        here = place == index
        cumulative = np.cumsum(best_of_weights(len(ladder), np.array([k]))[0])
        scores[here] = ladder[np.searchsorted(cumulative, generator.random(int(here.sum())) * cumulative[-1])]
    return scores


def _rankings(scores: FloatArray) -> dict[str, FloatArray]:
    """What ``scores`` [studies, methods] say of each method."""
    scores = scores.round(DECIMALS)
    best = scores == scores.max(axis=1, keepdims=True)
    return {
        "first": (best / best.sum(axis=1, keepdims=True)).mean(axis=0),
        "mean_rank": stats.rankdata(-scores, axis=1).mean(axis=0),
        "score": scores.mean(axis=0),
    }
