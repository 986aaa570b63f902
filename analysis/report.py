"""The robustness report of a study: which methods hold up over their seeds."""

from __future__ import annotations

from pathlib import Path

from analysis import plots
from analysis.findings import cautions, findings
from analysis.page import Page, check_output, write_page
from analysis.pool import Results
from analysis.robustness import accounting
from analysis.sections import build
from analysis.study_tables import glance


def write_report(results: Results, output: Path) -> Path:
    """Write the page at ``output`` (.html) and its files beside it. Raises ConfigError; see page.write_page."""
    output = check_output(output)
    counts = accounting(results.trials)
    with plots.style():
        sections = build(results)
    page = Page(
        kind="NAS robustness report",
        name=results.name,
        tally={
            "variants": len(counts),
            "trials": int(counts["n"].sum()),
            "ended ok": int(counts["ok"].sum()),
            "diverged": int(counts["diverged"].sum()),
            "failed": int(counts["failed"].sum()),
        },
        findings=findings(results.name, results.trials),
        cautions=cautions(results.trials, results.study),
        glance=glance(results.trials),
        sections=sections,
        data={"all_trials": results.trials},
    )
    return write_page(page, output)
