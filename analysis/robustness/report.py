"""The robustness report of a study: which methods hold up over their seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.pages import style
from analysis.pages.files import check_output
from analysis.pages.page import Page, write_page
from analysis.pages.words import decimals
from analysis.results import accuracies
from analysis.results.absent import absent_seeds
from analysis.results.from_store import Results
from analysis.robustness.findings import cautions, findings
from analysis.robustness.sections import Options, build
from analysis.robustness.spread import intervals
from analysis.robustness.summary import accounting
from analysis.robustness.summary_tables import glance
from study.store.schema import STATUSES


def write_report(results: Results, output: Path, options: Options | None = None) -> Path:
    """Write the page at ``output`` (.html) and its files beside it. Raises ConfigError; see page.write_page."""
    output, options = check_output(output), options or Options()
    with decimals(accuracies.decimals(results.trials)):
        counts, trials = accounting(results.trials), results.trials
        options.collapse.check(trials)
        what_was_run, *found = findings(results.name, trials, options.collapse, options.alpha)
        with style.style():
            sections = build(results, options)
        column = accuracies.headline(trials)
        if accuracies.is_foreign(column):
            known = int(trials[column].notna().sum())
            ends = {"with a value": known, "without": len(trials) - known, "no row": sum(absent_seeds(trials).values())}
        else:
            ends = {"ended ok" if status == "ok" else status: int(counts[status].sum()) for status in STATUSES}
        page = Page(
            kind="NAS robustness report",
            name=results.name,
            measure=accuracies.measure(column),
            tally={"variants": len(counts), "trials": int(counts["n"].sum())} | ends,
            findings=[what_was_run, results.pairing, *results.remarks, *found],
            cautions=cautions(trials, results.study, results.paired, options.alpha),
            glance=glance(trials),
            sections=sections,
            data={"all_trials": trials, "intervals": _all_intervals(trials, options.level)},
        )
        return write_page(page, output)


def _all_intervals(trials: pd.DataFrame, level: float) -> pd.DataFrame:
    """Every interval of every accuracy: the page prints the default ones, the file has them all."""
    generator = np.random.default_rng(0)
    parts = [intervals(trials, c, generator, level).assign(accuracy=c) for c in accuracies.known(trials)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["variant", "accuracy"])
