"""How well training-free scores of the derived cells order them: Kendall's tau to the looked-up accuracy."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from analysis.pages.table import Table
from analysis.pages.words import number, p_value
from analysis.results import accuracies
from trainables.training_free import LOWER_IS_BETTER, PROXIES

_FEWEST = 5


def proxy_agreement(trials: pd.DataFrame, column: str) -> pd.DataFrame:
    """Kendall's tau-b of each recorded proxy with an accuracy, one row a proxy, best first.

    One point a derived cell: its scores (which differ with the images drawn) are averaged over the trials that derived
    it, so that a popular cell counts once. Proxies of which less is better are turned around. Columns: proxy, cells,
    tau, p (two-sided, of no association); NaN below five cells or where nothing varies.
    """
    rows = []
    ok = trials["status"] == "ok"
    for proxy in PROXIES:
        if not accuracies.is_known_ok(trials, f"proxy_{proxy}"):
            continue
        cells = trials.loc[ok, ["genotype", f"proxy_{proxy}", column]].dropna().groupby("genotype").mean()
        sign = -1 if proxy in LOWER_IS_BETTER else 1
        varies = len(cells) >= _FEWEST and (cells.nunique() > 1).all()
        found = stats.kendalltau(sign * cells.iloc[:, 0], cells[column]) if varies else None
        tau, p = (float(found.statistic), float(found.pvalue)) if found else (float("nan"), float("nan"))
        rows.append({"proxy": proxy, "cells": len(cells), "tau": tau, "p": p})
    frame = pd.DataFrame(rows, columns=["proxy", "cells", "tau", "p"])
    return frame.sort_values("tau", ascending=False, kind="stable", ignore_index=True)


def proxy_table(trials: pd.DataFrame, column: str) -> Table | None:
    """``proxy_agreement`` for people; None where no proxy was recorded."""
    data = proxy_agreement(trials, column)
    if data.empty:
        return None
    shown = pd.DataFrame(
        {
            "score": [f"{p} (less is better)" if p in LOWER_IS_BETTER else p for p in data["proxy"]],
            "cells": data["cells"],
            "Kendall's τ": data["tau"].map(number),
            "p": data["p"].map(p_value),
        }
    )
    caption = (
        f"Kendall's tau-b between each training-free score of the derived cells and their {accuracies.title(column)}, "
        "one point a distinct cell, from five cells on; p two-sided, not corrected for the number of scores. Searches "
        "derive mostly good cells: over such a narrow range tau is smaller than over all cells."
    )
    return Table("training_free_scores", "Training-free scores", caption, shown, data)
