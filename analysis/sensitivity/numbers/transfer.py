"""Does the best setting of one data set serve another?

    regret[a -> b] = value on b of the best setting of b, less the value on b of the best setting of a

Both are chosen on one half of the seeds and scored on b's other half; ``naive`` chooses and scores on all seeds, where
the best of b is too high. Kendall's tau compares whole rankings of the settings; the noise ceiling beside it is the tau
between two halves of one data set's own seeds: rankings that agree as well as that differ by seeds alone.

Sources: Mehta et al., "NAS-Bench-Suite", ICLR 2022 (transfer of hyperparameters); Probst, Boulesteix and Bischl,
"Tunability", JMLR 2019 (defaults from data); Kendall and Babington Smith 1939 (W).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.sensitivity.numbers.crossfit import Halves, halves, in_sample
from analysis.sensitivity.numbers.jackknife import Bands, jackknife, no_bands
from analysis.sensitivity.numbers.settings import Settings, seed_means
from analysis.statistics.estimate import LEVEL, NAN, FloatArray
from trainables.errors import StoreError


@dataclass(frozen=True, eq=False)
class Transfer:
    """Of the C settings of one method that were run, with a value, on each of D data sets.

    ``regret``: source, target, regret (points), low, high, naive. ``tau``: first, second, tau (Kendall's tau-b of the
    means), p, ceiling (geometric mean of the two data sets').
    """

    regret: pd.DataFrame
    tau: pd.DataFrame
    n: int
    method: str
    note: str = ""


def transfer(datasets: Sequence[Settings], generator: np.random.Generator, level: float = LEVEL) -> Transfer:
    """Compare the settings that all ``datasets`` have in common.

    Cross-fitted regrets and noise ceilings need two or more seeds, as many on every data set; where data sets share
    their seeds, as looked-up searches do, choosing and scoring stay apart. Raises StoreError where the data sets are
    not two or more of one method, with the same hyperparameters and at least two settings in common.
    """
    table, values = _aligned(datasets)
    names, means = [settings.dataset for settings in datasets], [seed_means(part) for part in values]
    columns = {part.shape[1] for part in values}
    n, seed = min(columns), int(generator.integers(2**31))
    naive = _regrets([in_sample(part) for part in means])
    if len(columns) == 1 and n > 1:
        splits = [halves(part, np.random.default_rng(seed)) for part in values]
        found = jackknife(
            np.concatenate(values),
            lambda stacked: _regrets([halves(p, np.random.default_rng(seed)) for p in np.split(stacked, len(names))]),
            level,
        )
        ceilings = [_ceiling(split) for split in splits]
    else:
        found = no_bands(naive.shape, n, "choosing and scoring needs two seeds or more, as many on every data set")
        ceilings = [NAN] * len(names)
    rows = [
        {"source": source, "target": target, **_regret(found, naive, b, a)}
        for a, source in enumerate(names)
        for b, target in enumerate(names)
        if a != b
    ]
    method = f"best of {len(table)} settings, chosen on half of the seeds and scored on the others; {found.method}"
    return Transfer(
        regret=pd.DataFrame(rows),
        tau=_taus(names, means, ceilings),
        n=n,
        method=method,
        note=found.note,
    )


def _aligned(datasets: Sequence[Settings]) -> tuple[pd.DataFrame, list[FloatArray]]:
    """The hyperparameters of the common settings, and their values on each data set, [C, n] each."""
    methods = sorted({settings.method for settings in datasets})
    known = [settings.table.assign(**settings.fixed)[np.isfinite(settings.means)] for settings in datasets]
    hyperparameters = {frozenset(frame.columns) for frame in known} - {frozenset()}
    if len(datasets) < 2 or len(methods) != 1 or len(hyperparameters) != 1:
        raise StoreError(
            "transfer compares two or more data sets of one method with the same hyperparameters, but got "
            f"{len(datasets)} of {', '.join(methods) or 'none'}; select one method"
        )
    columns = [str(name) for name in known[0].columns]
    common = known[0][columns]
    for frame in known[1:]:
        common = common.merge(frame[columns], how="inner")
    if len(common) < 2:
        raise StoreError(
            f"transfer needs two settings that were run on every data set, but {methods[0]} has {len(common)}"
        )
    rows = [common.merge(frame[columns].reset_index(), how="left")["index"].to_numpy() for frame in known]
    return common, [settings.values[row] for settings, row in zip(datasets, rows, strict=True)]


def _regrets(splits: Sequence[Halves]) -> FloatArray:
    """[target, source]."""
    chosen_on = np.array([np.where(np.isfinite(split.chosen_on), split.chosen_on, -np.inf) for split in splits])
    best = chosen_on.argmax(axis=1)  # [data sets, splits]
    place = np.arange(best.shape[1])
    regrets = np.empty((len(splits), len(splits)))
    for target, split in enumerate(splits):
        gaps = split.scored_on[best[target], place] - split.scored_on[best, place]
        known = np.isfinite(gaps)
        regrets[target] = np.where(known, gaps, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return regrets


def _regret(found: Bands, naive: FloatArray, target: int, source: int) -> dict[str, float]:
    one = found.at(target, source)
    return {"regret": one.estimate, "low": one.low, "high": one.high, "naive": float(naive[target, source])}


def _ceiling(split: Halves) -> float:
    """The mean tau-b between the two sides of the splits; NaN where in each of them a side is all ties, or fewer than
    two settings have a value on both."""
    known = np.isfinite(split.chosen_on) & np.isfinite(split.scored_on)
    sides = [(a[k], b[k]) for a, b, k in zip(split.chosen_on.T, split.scored_on.T, known.T, strict=True) if k.sum() > 1]
    taus = np.array([stats.kendalltau(one, other).statistic for one, other in sides])
    found = taus[np.isfinite(taus)]
    return float(found.mean()) if len(found) else NAN


def _taus(names: Sequence[str], means: Sequence[FloatArray], ceilings: Sequence[float]) -> pd.DataFrame:
    rows = []
    for a, b in combinations(range(len(names)), 2):
        tau, p = stats.kendalltau(means[a], means[b])
        ceiling = float(np.sqrt(max(ceilings[a], 0.0) * max(ceilings[b], 0.0)))
        rows.append({"first": names[a], "second": names[b], "tau": tau, "p": p, "ceiling": ceiling})
    return pd.DataFrame(rows)
