"""How long runs take to reach a target: the budget of each at its first value as good, and what runs need on average.

A run has reached a target once it had a value as good, whether it kept it or not; ``held`` says how many still had it
at their end. Runs that failed spent their budget, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from analysis.pages.table import Table
from analysis.pages.words import UNKNOWN, interval, listed, number
from analysis.results import accuracies
from analysis.results.epochs import Epochs
from analysis.results.from_store import Results
from analysis.robustness.courses.anytime import TIMES, seconds
from analysis.statistics.estimate import LEVEL, Estimate, percent
from analysis.statistics.proportions import proportion_interval
from analysis.statistics.running_time import expected_running_time
from trainables.errors import ConfigError

_SLACK = 1e-9
"""Means of the same trainings differ by as much."""


def checked(targets: Sequence[float], results: Results, columns: Sequence[str]) -> list[float]:
    """``targets`` of ``columns``, each once, the easiest first. Raises ConfigError where one is no value, or no run has
    a course."""
    if not columns:
        raise ConfigError(
            f"a target is reached in the course of a run, but {results.name} has the end of each alone; a table needs "
            "a column step or epoch and several rows a run, a study epochs with accuracies of a benchmark table"
        )
    for target in targets:
        if not math.isfinite(target):
            raise ConfigError(f"a target is a value to reach, but got {target:g}; try --target 94")
        if accuracies.percent(columns[0]) and not 1 < target <= 100:
            raise ConfigError(f"a target is in percent like the values, but got {target:g}; try --target 94")
    return sorted(set(targets), reverse=accuracies.lower_is_better(columns[0]))


def looked_at(results: Results, epochs: Epochs) -> list[str]:
    """The values whose course is known: all of a table, of a study that which its cells are judged by."""
    if results.traces is not None:
        return accuracies.known(results.trials)
    if accuracies.foreign_columns(results.trials):
        return []
    column = accuracies.headline_lookup(results.trials)
    return [column] if column in epochs.known else []


def runs_to(results: Results, epochs: Epochs, column: str, targets: Sequence[float]) -> pd.DataFrame:
    """One row a run and target: variant, unit, trial (its place), target, reached, spent, spent_s, held.

    ``spent`` is the budget in ``unit`` (epochs and queries are apart) until the target or the end, ``spent_s`` the
    seconds, NaN where they are unknown; ``held``: at its last known value the run was as good still.
    """
    variants, sign = results.trials["variant"], accuracies.sign(column)
    parts = []
    for unit, rows in _courses(results, epochs, column):
        ends = rows.groupby("trial", sort=False).tail(1).set_index("trial")
        known = rows[rows["value"].notna()]
        last = known.groupby("trial", sort=False)["value"].last().reindex(ends.index)
        for target in targets:
            good = known[sign * known["value"] >= sign * target - _SLACK]
            first = good.groupby("trial", sort=False).head(1).set_index("trial").reindex(ends.index)
            reached = first["at"].notna()
            part = {
                "variant": variants.loc[ends.index].astype(str), "unit": unit, "trial": ends.index, "target": target,
                "reached": reached, "spent": first["at"].fillna(ends["at"]),
                "spent_s": first["seconds"].where(reached, ends["seconds"]),
                "held": sign * last >= sign * target - _SLACK,
            }  # fmt: skip
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def targets_table(runs: pd.DataFrame, column: str, level: float = LEVEL) -> Table:
    """One row a variant, unit and target."""
    data, shown = [], []
    timed = runs["spent_s"].notna().any()
    for (target, variant, unit), own in runs.groupby(["target", "variant", "unit"], sort=False):
        n, k = len(own), int(own["reached"].sum())
        share = proportion_interval(k, n, level)
        steps, times = (expected_running_time(own[name], own["reached"], level) for name in ("spent", "spent_s"))
        data.append(
            {
                "target": target, "variant": variant, "unit": unit, "runs": n, "reached": k, "share_lo": share.low,
                "share_hi": share.high, "held at the end": int(own["held"].sum()),
                "median": _median(own, "spent"), "ert": steps.estimate, "ert_lo": steps.low, "ert_hi": steps.high,
                "ert (s)": times.estimate, "ert_lo (s)": times.low, "ert_hi (s)": times.high,
                "spent by all runs": own["spent"].sum(), "note": steps.note,
            }
        )  # fmt: skip
        shown.append(
            {
                "target": f"{target:g}",
                "variant": variant,
                "reached": f"{k} of {n} {interval(100 * share.low, 100 * share.high, 0)} %",
                "held at the end": f"{own['held'].sum()}",
                f"median ({unit})": _budget(_median(own, "spent")),
                f"expected ({unit})": _expected(steps),
                **({"expected (s)": _expected(times)} if timed else {}),
            }
        )
    caption = (
        f"{accuracies.heading(column)}, {accuracies.direction(column)}. Reached: runs that had a value as good, with "
        f"the exact {percent(level)} interval of the share. Median: over all runs, ∞ where fewer than half reached the "
        "target. Expected: the budget of all runs until the target or their end, per run that reached it, with its "
        f"{percent(level)} jackknife interval."
    )
    frames = pd.DataFrame(shown).fillna(UNKNOWN), pd.DataFrame(data)
    return Table(f"targets_{accuracies.slug(column)}", f"Time to target, {accuracies.title(column)}", caption, *frames)


def told(runs: pd.DataFrame, column: str) -> list[str]:
    """One sentence a unit on the hardest target that any of its runs reached: the soonest first."""
    sentences = []
    for unit, part in runs.groupby("unit", sort=False):
        reached = part[part["reached"]]
        if reached.empty:
            sentences.append(f"No run reached {listed(f'{t:g}' for t in part['target'].unique())} of "
                             f"{accuracies.title(column)}.")  # fmt: skip
            continue
        target = reached["target"].iloc[-1]
        own = part[part["target"] == target].groupby("variant", sort=False)
        times = {str(name): expected_running_time(rows["spent"], rows["reached"]).estimate for name, rows in own}
        counts = {str(name): f"{rows['reached'].sum()} of {len(rows)}" for name, rows in own}
        order = sorted(times, key=lambda name: times[name])
        parts = [
            f"{name} in {_budget(times[name])} {unit} ({counts[name]})" if math.isfinite(times[name])
            else f"{name} never ({counts[name]})" for name in order
        ]  # fmt: skip
        sentences.append(
            f"{target:g} of {accuracies.title(column)} is reached, in expected running time and runs: {listed(parts)}."
        )
    return sentences


def _courses(results: Results, epochs: Epochs, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """By unit of the budget, the rows of all runs, by run and budget: trial, at, seconds, value."""
    if results.traces is not None:
        yield f"{results.traces.unit}s", results.traces.of(column, results.trials)
        return
    trials = results.trials
    every = pd.DataFrame({"status": "ok"}, index=trials.index)  # what did not end well spent its budget, too
    found: dict[str, list[pd.DataFrame]] = {}
    for grid in epochs.read(every, [column, *TIMES]):
        values, spent = grid.values[column], seconds(trials, grid)
        rows = pd.DataFrame(
            {
                "trial": np.repeat(grid.trials, len(grid.at)),
                "at": np.tile(grid.at, len(grid.trials)),
                "seconds": spent.T.ravel(),
                "value": values.T.ravel(),
            }
        )
        rows = rows[rows["value"].notna()].astype({"at": float})
        for unit, own in (("epochs", trials["protocol"].notna()), ("queries", trials["protocol"].isna())):
            found.setdefault(unit, []).append(rows[own.loc[rows["trial"]].to_numpy()])
    for unit, parts in found.items():
        if len(whole := pd.concat(parts)):
            yield unit, whole


def _median(runs: pd.DataFrame, spent: str) -> float:
    """Over all runs, those that did not reach the target beyond any budget."""
    return float(np.median(runs[spent].where(runs["reached"], np.inf)))


def _expected(one: Estimate) -> str:
    if math.isnan(one.estimate) or math.isinf(one.estimate):
        return UNKNOWN if math.isnan(one.estimate) else "∞"
    bounds = "" if math.isnan(one.low) else f" [{_budget(one.low)}, {_budget(one.high)}]"
    return f"{_budget(one.estimate)}{bounds}"


def _budget(value: float) -> str:
    """To three digits, or whole."""
    if math.isinf(value):
        return "∞"
    return number(value, 0) if abs(value) >= 100 else f"{value:.3g}"
