"""Seeds that are not there: what a variant lacks of the seeds that those it is compared with have."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def absent_seeds(trials: pd.DataFrame) -> dict[str, int]:
    """Variant -> how many seeds it has no trial of, though at least half of the variants have one.

    Only variants that share seeds are held against each other, directly or through others: where every method has
    seeds of its own, none is absent.
    """
    variant, names = pd.factorize(trials["variant"])
    seed, distinct = pd.factorize(trials["seed"])
    n = len(names)
    cells = variant * len(distinct) + seed
    if n * len(distinct) <= 10 * len(trials):  # a mask is quicker than to sort them
        there = np.zeros(n * len(distinct), dtype=bool)
        there[cells] = True
        cells = np.flatnonzero(there)
    else:
        cells = np.unique(cells)
    variants, seeds = np.divmod(cells, len(distinct))
    if len(seeds) == n * len(distinct):  # every variant has every seed, as a rule
        return {str(name): 0 for name in names}
    ones = np.ones(len(seeds), dtype=np.int8)
    links = coo_array((ones, (variants, n + seeds)), shape=(n + len(distinct),) * 2)
    group = connected_components(links, directed=False)[1]
    had_by = np.bincount(seeds, minlength=len(distinct))
    size = np.bincount(group[:n], minlength=group.max() + 1)
    expected = 2 * had_by >= size[group[n:]]
    wanted = np.bincount(group[n:][expected], minlength=len(size))[group[:n]]
    own = np.bincount(variants[expected[seeds]], minlength=n)
    return {str(name): int(count) for name, count in zip(names, wanted - own, strict=True)}
