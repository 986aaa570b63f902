"""Whether the seeds of a variant derive the same cell: share of the most frequent one, edge by edge, and kappa.

Agreement is not quality: seeds that all collapse to skip connections agree perfectly.

Source: Fleiss, Psychological Bulletin 1971 (by statsmodels).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.stats.inter_rater import fleiss_kappa

from analysis.robustness.derived import derived, space_of


def edge_agreement(operations: npt.ArrayLike, choices: int) -> dict[str, float]:
    """How far cells [seeds, edges], as operation indices below ``choices``, agree edge by edge.

    ``pairs``: mean over edges of the share of pairs of seeds with the same operation, in percent. ``fleiss``: kappa
    against the operations' own frequencies; NaN where one operation is all there is. Both NaN below two seeds.
    """
    cells = np.asarray(operations, dtype=int)
    seeds = len(cells)
    if seeds < 2:
        return dict.fromkeys(("pairs", "fleiss"), float("nan"))
    counts = (cells.T[:, :, None] == np.arange(choices)).sum(axis=1)  # [edges, choices]
    pairs = float((counts * (counts - 1)).sum(axis=1).mean() / (seeds * (seeds - 1)))
    one_only = (counts.sum(axis=0) > 0).sum() == 1
    fleiss = float("nan") if one_only else float(fleiss_kappa(counts, method="fleiss"))
    return {"pairs": 100 * pairs, "fleiss": fleiss}


def agreement(trials: pd.DataFrame) -> pd.DataFrame:
    """How far the seeds of each variant agree on a cell, one row a variant.

    Columns: variant; derived (ok trials with a cell); distinct cells; classes (up to what the space counts as one);
    modal (percent of the derived cells in the most frequent class); pairs, fleiss of ``edge_agreement``.
    """
    places, cells = derived(trials)
    space = space_of(trials)
    edges, choices = space.shape
    operations = np.array([space.chosen(cell) for cell in cells], dtype=int).reshape(-1, edges)
    class_of = pd.factorize(np.array([space.key(cell) for cell in cells], dtype=object))[0]
    rows = []
    for variant, part in pd.Series(places).groupby(trials["variant"].array, observed=True):
        own = part[part >= 0].to_numpy()
        classes = np.bincount(class_of[own])
        row = {
            "variant": variant,
            "derived": len(own),
            "distinct": len(np.unique(own)),
            "classes": np.count_nonzero(classes),
            "modal": 100 * (classes.max() / len(own)) if len(own) else float("nan"),
        }
        rows.append(row | edge_agreement(operations[own], choices))
    frame = pd.DataFrame(rows)
    return frame.assign(variant=frame["variant"].astype(trials["variant"].dtype))
