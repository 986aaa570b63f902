"""Whether the seeds of a variant derive the same cell: share of the most frequent one, edge by edge, and kappa.

Agreement is not quality: seeds that all collapse to skip connections agree perfectly.

Source: Fleiss, Psychological Bulletin 1971 (by statsmodels).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.stats.inter_rater import fleiss_kappa

from trainables.spaces.nas_bench_201.genotype import OPERATIONS, Genotype


def edge_agreement(operations: npt.ArrayLike, choices: int = len(OPERATIONS)) -> dict[str, float]:
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

    Columns: variant; derived (ok trials with a cell); distinct cells; classes (up to the benchmark's isomorphism);
    modal (percent of the derived cells in the most frequent class); pairs, fleiss of ``edge_agreement``.
    """
    rows = []
    for variant, part in trials.groupby("variant", observed=True):
        derived = part.loc[part["status"] == "ok", "genotype"].dropna()
        known = {text: Genotype.from_string(text) for text in derived.unique()}
        cells = [known[text] for text in derived]
        keys = {cell: cell.isomorphism_key() for cell in known.values()}
        classes = pd.Series([keys[cell] for cell in cells], dtype=object)
        row = {
            "variant": variant,
            "derived": len(cells),
            "distinct": len(known),
            "classes": classes.nunique(),
            "modal": 100 * classes.value_counts(normalize=True).max() if len(cells) else float("nan"),
        }
        rows.append(row | edge_agreement([cell.operations for cell in cells]))
    frame = pd.DataFrame(rows)
    return frame.assign(variant=frame["variant"].astype(trials["variant"].dtype))
