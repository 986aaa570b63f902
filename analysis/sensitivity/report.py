"""The sensitivity report of a study: what hyperparameters do to its methods, and what tuning them is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis.pages import style
from analysis.pages.files import check_output
from analysis.pages.page import Page, write_page
from analysis.pages.words import decimals
from analysis.results import accuracies
from analysis.results.from_store import Results
from analysis.sensitivity.findings import cautions, findings
from analysis.sensitivity.sections import build
from analysis.sensitivity.study import analyse
from analysis.sensitivity.tables import overview
from analysis.statistics.estimate import ALPHA
from trainables.hyperparameters import Scalar


def write_sensitivity(
    results: Results,
    output: Path,
    *,
    method: str | None = None,
    column: str | None = None,
    alpha: float = ALPHA,
    default: Mapping[str, Scalar] | None = None,
) -> Path:
    """Write the page at ``output`` (.html) and its files beside it.

    ``method``: only this one. ``column``: the value, by default the study's headline. ``alpha``: the level of tests.
    ``default``: in place of the declared one, by hyperparameter. Raises ConfigError and StoreError; see study.analyse.
    """
    output = check_output(output)
    trials = results.trials
    chosen = accuracies.chosen(trials, column)
    with decimals(accuracies.decimals(results.trials)):
        found = analyse(
            trials,
            chosen,
            alpha=alpha,
            method=method,
            default=default,
            datasets=accuracies.on_all_datasets(trials, chosen),
            shared_seeds=results.paired,
        )
        sign, mean = accuracies.sign(chosen), f"mean{accuracies.unit(chosen)}"
        with style.style():
            sections = build(found)
        page = Page(
            kind="NAS sensitivity report",
            name=results.name,
            measure=accuracies.measure(chosen),
            tally={
                "methods": len(found.methods),
                "settings": sum(len(one.settings.table) for one in found.methods),
                "trials": sum(int(one.settings.recorded.sum()) for one in found.methods),
                "failed": sum(one.settings.failed for one in found.methods),
            },
            findings=[*findings(found, results.name), results.pairing, *results.remarks],
            cautions=cautions(found),
            glance=overview(found),
            sections=sections,
            data={
                f"settings_{place}": one.settings.table.assign(method=one.name, **{mean: sign * one.settings.means})
                for place, one in enumerate(found.methods)
            },
        )
        return write_page(page, output)
