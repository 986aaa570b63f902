"""How many seeds this study would need: for an interval of a given width, and to detect a given difference.

Planned with the upper 80 % limit of each standard deviation, because that of a few seeds is too small half of the time.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.results.accuracies import lower_is_better
from analysis.robustness.summary import summarise
from analysis.statistics.estimate import ALPHA, MARGIN, NAN
from analysis.statistics.paired import pair
from analysis.statistics.power import (
    LARGEST_N,
    SeedsNeeded,
    planning_std,
    seeds_for_half_width,
    seeds_to_detect_paired,
    seeds_to_detect_unpaired,
    smallest_detectable_unpaired,
)


def plan_seeds(
    trials: pd.DataFrame, column: str, margin: float = MARGIN, *, paired: bool = True, alpha: float = ALPHA
) -> pd.DataFrame:
    """The plan of each variant with at least three values, from its own spread in ``column``; ``margin`` in points.

    Columns: variant; values; std and planned_std (points); half_width (seeds until the t interval of the mean, of
    1 - ``alpha``, is ± margin); unpaired (seeds in each of two arms this spread, to detect a difference of margin);
    rival (the variant of the best mean, or for that one the next), common (seeds in common with it) and paired (pairs
    of seeds to detect margin against it); detectable (the smallest difference, in points, that the present seeds detect
    in two arms); hours (of one search, mean). Where seeds are not ``paired`` there is no rival, common and paired.
    Tests: two-sided at ``alpha`` with power 0.8. NaN where a spread is unknown or zero.
    """
    summary = summarise(trials, column)
    ranked = summary.dropna(subset="mean").sort_values("mean", ascending=lower_is_better(column), kind="stable")
    ranked = ranked["variant"].astype(str)
    known = trials.loc[trials["status"] == "ok", ["variant", "seed", column]].dropna(subset=column)
    arms = {str(variant): part for variant, part in known.groupby("variant", observed=True)}
    hours = summarise(trials, "search_wall_s")["mean"] / 3600
    rows = []
    for i, row in enumerate(summary.to_dict("records")):
        if row["values"] < 3:
            continue
        name, n, std = str(row["variant"]), int(row["values"]), float(row["std"])
        planned = planning_std(std, n)
        rows.append(
            {
                "variant": name,
                "values": n,
                "std": std,
                "planned_std": planned,
                "half_width": _seeds(seeds_for_half_width(planned, margin, 1 - alpha)) if planned > 0 else NAN,
                "unpaired": _seeds(seeds_to_detect_unpaired(margin / planned, alpha=alpha)) if planned > 0 else NAN,
                **(_against_rival(arms, column, name, ranked, margin, alpha) if paired else {}),
                "detectable": smallest_detectable_unpaired(n, alpha=alpha) * planned,
                "hours": float(hours[i]),
            }
        )
    return pd.DataFrame(rows)


def _against_rival(
    arms: dict[str, pd.DataFrame], column: str, name: str, ranked: pd.Series, margin: float, alpha: float
) -> dict[str, str | int | float]:
    rival = next((other for other in ranked if other != name), "")
    common, std = _differences(arms[name], arms.get(rival), column)
    needed = _seeds(seeds_to_detect_paired(margin / std, alpha=alpha)) if std > 0 else NAN
    return {"rival": rival, "common": common, "paired": needed}


def _differences(own: pd.DataFrame, rival: pd.DataFrame | None, column: str) -> tuple[int, float]:
    """Common seeds of two variants, and the planning standard deviation of their differences; NaN below three."""
    if rival is None or any(arm["seed"].duplicated().any() for arm in (own, rival)):
        return 0, NAN
    pairs = pair(own["seed"], own[column].astype(float), rival["seed"], rival[column].astype(float))
    n = len(pairs.differences)
    return n, planning_std(float(np.std(pairs.differences, ddof=1)), n) if n >= 3 else NAN


def _seeds(needed: SeedsNeeded) -> float:
    return float(needed.n) if needed.n < LARGEST_N else float("inf")
