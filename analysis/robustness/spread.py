"""What the seeds of a variant say beyond mean and std: robust centre, tails, intervals, regrets, what sampling gives.

Frames of one accuracy, one row a variant, every number by analysis.statistics; values are those of trials that ended
ok, in percent. Differences from random sampling are relative (percent), regrets are percentage points.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from analysis.results import accuracies
from analysis.robustness.derived import space_of
from analysis.robustness.summary import LOST, accounting
from analysis.statistics.bootstrap import bootstrap_interval, studentised_interval
from analysis.statistics.estimate import LEVEL, NAN, Estimate
from analysis.statistics.intervals import median_interval, relative_improvement, std_interval, t_interval
from analysis.statistics.proportions import proportion_interval
from analysis.statistics.summary import describe, iqm
from analysis.statistics.variance import VarianceComponents, nested
from trainables.benchmarks.accuracies import Accuracy
from trainables.benchmarks.table import BenchmarkTable
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, Genotype

RESAMPLED_UP_TO = 200
"""Seeds above which no bootstrap is made: it would be Student's interval again, at a thousand times the cost."""


def values_of(trials: pd.DataFrame, column: str) -> dict[str, np.ndarray]:
    """Variant -> ``column`` of its trials that ended ok [n], NaN where unknown."""
    ok = trials[column].where(trials["status"] == "ok").astype(float)
    return {str(variant): part.to_numpy() for variant, part in ok.groupby(trials["variant"], observed=True)}


def spread(trials: pd.DataFrame, column: str) -> pd.DataFrame:
    """Every field of statistics.summary.Summary; for a regret worst is the largest."""
    higher = not accuracies.lower_is_better(column)
    rows = []
    for variant, values in values_of(trials, column).items():
        rows.append({"variant": variant, **asdict(describe(values, higher_is_better=higher))})
    return pd.DataFrame(rows)


def intervals(trials: pd.DataFrame, column: str, generator: np.random.Generator, level: float = LEVEL) -> pd.DataFrame:
    """Every interval on offer, one row a variant and interval: variant, estimate, low, high, n, method, note."""
    rows = []
    for variant, values in values_of(trials, column).items():
        found = [t_interval(values, level), std_interval(values, level), median_interval(values, level)]
        if np.isfinite(values).sum() <= RESAMPLED_UP_TO:
            found += [
                studentised_interval(values, generator, level=level),
                bootstrap_interval(values, iqm, generator, kind="bca", level=level),
                bootstrap_interval(values, iqm, generator, kind="percentile", level=level),
            ]
        names = ("mean", "std", "median", "mean", "IQM", "IQM")
        rows += [{"variant": variant, "of": name, **asdict(e)} for name, e in zip(names, found, strict=False)]
    return pd.DataFrame(rows).drop(columns="dropped")


def rates(trials: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """How often a trial gave no result, of all that were recorded.

    Columns: variant, n, and for ``failed`` and ``diverged`` the count, ``<status>_share`` (percent) with its
    Clopper-Pearson interval ``<status>_low``, ``<status>_high``.
    """
    rows = []
    for ended in accounting(trials).to_dict("records"):
        row: dict[str, object] = {"variant": str(ended["variant"]), "n": ended["n"]}
        for status in LOST:
            count = ended[status]
            found = proportion_interval(count, ended["n"], level)
            row |= {status: count, f"{status}_share": 100 * found.estimate}
            row |= {f"{status}_low": 100 * found.low, f"{status}_high": 100 * found.high}
        rows.append(row)
    return pd.DataFrame(rows)


def regrets(trials: pd.DataFrame, column: str, level: float = LEVEL) -> pd.DataFrame:
    """Mean distance to the benchmark's best cell (oracle) and to the best value seen in this study (seen), in points.

    Columns: variant; oracle, oracle_low, oracle_high (NaN without a table); seen, seen_low, seen_high.
    """
    sign = accuracies.sign(column)
    best = max((np.nanmax(sign * v) for v in values_of(trials, column).values() if np.isfinite(v).any()), default=NAN)
    known = accuracies.TABLE[column].regret if column in accuracies.TABLE else ""
    to_oracle = values_of(trials, known) if known in trials else {}
    rows = []
    for variant, values in values_of(trials, column).items():
        seen = t_interval(best - sign * values, level)
        oracle = t_interval(to_oracle.get(variant, np.array([])), level)
        rows.append({"variant": variant, **_columns("oracle", oracle), **_columns("seen", seen)})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Baseline:
    """What random sampling gives."""

    mean: float
    words: str


def baseline(trials: pd.DataFrame, column: str, table: BenchmarkTable | None) -> Baseline | None:
    """The mean of the study's own random cells, else of all cells of ``table``; None where neither is known.

    ``table`` counts only if it holds the accuracies that the trials were looked up with.
    """
    if not accuracies.unit(column):
        return None  # of a loss or a time there may be no share
    queries = trials["hp.queries"] if "hp.queries" in trials else pd.Series(NAN, index=trials.index)
    random = (trials["method"] == "random_search") & (queries == 1) & (trials["status"] == "ok")
    own = trials.loc[random, column].dropna()
    if len(own) > 1:
        return Baseline(float(own.mean()), f"the mean of this study's {len(own)} random cells, itself an estimate")
    if table is None or column not in accuracies.TABLE:
        return None
    dataset, split = accuracies.TABLE[column].dataset, accuracies.TABLE[column].split
    looked_up = trials.loc[trials["status"] == "ok", ["genotype", column]].dropna()
    if looked_up.empty or space_of(trials).name != table.space or table.cells_known(dataset, split) < NUM_CELLS:
        return None
    places, texts = pd.factorize(looked_up["genotype"])
    known = table.accuracy(dataset, split, np.array([Genotype.from_string(text).index for text in texts]))[places]
    if not np.allclose(known, looked_up[column].astype(float), atol=1e-6):
        return None
    everything = table.accuracy(dataset, split, np.arange(NUM_CELLS))
    return Baseline(float(everything.mean()), f"the mean of all {NUM_CELLS:,} cells of the table")


def improvement(trials: pd.DataFrame, column: str, reference: Baseline, level: float = LEVEL) -> pd.DataFrame:
    """Percent by which the mean is above random sampling: variant, estimate, low, high, n."""
    values = values_of(trials, column)
    found = {variant: relative_improvement(own, reference.mean, level) for variant, own in values.items()}
    return pd.DataFrame(
        [{"variant": v, "estimate": e.estimate, "low": e.low, "high": e.high, "n": e.n} for v, e in found.items()]
    )


def variance_components(
    trials: pd.DataFrame, accuracy: Accuracy, level: float = LEVEL
) -> dict[str, VarianceComponents]:
    """Variant -> search-seed variance apart from training-seed variance of an accuracy of the table (points²)."""
    columns = accuracy.seeds
    ok = trials.loc[trials["status"] == "ok", ["variant", *columns]]
    return {
        str(variant): nested(part[columns].astype(float).to_numpy(), level)
        for variant, part in ok.groupby("variant", observed=True)
    }


def _columns(name: str, found: Estimate) -> dict[str, float]:
    return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}
