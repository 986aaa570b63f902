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
    variants, names = pd.factorize(trials["variant"].astype(str))
    seeds, distinct = pd.factorize(trials["seed"])
    ones = np.ones(len(trials), dtype=np.int8)
    n = len(names)
    links = coo_array((ones, (variants, n + seeds)), shape=(n + len(distinct),) * 2)
    group = connected_components(links, directed=False)[1]
    pairs = np.unique(np.stack([variants, seeds]), axis=1)
    had_by = np.bincount(pairs[1], minlength=len(distinct))
    size = np.bincount(group[:n], minlength=group.max() + 1)
    expected = 2 * had_by >= size[group[n:]]
    wanted = np.bincount(group[n:][expected], minlength=len(size))[group[:n]]
    own = np.bincount(pairs[0][expected[pairs[1]]], minlength=n)
    return {str(name): int(count) for name, count in zip(names, wanted - own, strict=True)}
