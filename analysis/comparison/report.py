"""The comparison report of a study: which method is better, by how much, and what the seeds cannot decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.comparison import across_tables, figures, rank_figures, seeds_figure, tables
from analysis.comparison.across import Value, on_average, on_each
from analysis.comparison.compare import Comparisons, compare
from analysis.comparison.declared import ALL_PAIRS_UP_TO, Wanted
from analysis.comparison.findings import cautions, findings
from analysis.comparison.pairing import RULE, arms, common_matrix
from analysis.comparison.verdicts import RULES, Verdict
from analysis.pages import style
from analysis.pages.files import check_output
from analysis.pages.page import Page, Section, write_page
from analysis.pages.settings import settings
from analysis.pages.words import decimals, listed, number, p_value
from analysis.results import accuracies
from analysis.results.from_store import Results
from analysis.statistics.estimate import ALPHA, MARGIN, FloatArray
from analysis.statistics.ranks import MINIMUM_BLOCKS, friedman, nemenyi

_METHODS = {
    "Pairing": RULE,
    "Lost trials": "A trial that failed, diverged or was not looked up, or whose field in a table is empty or absent, "
    "has "
    "no value. Its seed is left out together "
    "with its partner and counted under seeds without a partner; no value is put in its place.",
    "Difference": "Mean of A less mean of B in points, turned around where less is better, so that above 0 A is "
    "better. "
    "Points are percentage points, or the unit of the table. Paired: mean of the differences of common seeds with "
    "Student's t interval. Unpaired: difference of means with Welch's interval.",
    "Relative improvement": "How many percent the mean of a method exceeds that of its baseline, or with values of "
    "which less is better falls short of it (Yang et al. 2020). The interval is Fieller's: every ratio of the means "
    "that a t test does not reject. It is none where the mean of the baseline cannot be told from 0.",
    "Several data sets": "Of each seed the mean over all data sets first, then as with one: a search that is looked up "
    "on several is one search. Seeds that lack a data set are left out there. rliable's stratified bootstrap draws the "
    "runs of every data set apart, as if one search were several: its intervals are too narrow.",
    "Primary test": "Paired: the sign-flip test. Unpaired: the permutation test. Both two-sided, on the difference of "
    "means, and exact up to 16 pairs or 20,000 divisions, and beyond where values lie on a grid, as those of two "
    "decimals do (Streitberg and Röhmel 1986). Off a grid they are counted in steps so small that p is a little too "
    "large, never too small.",
    "Far tails": "Of hundreds of seeds p comes from random flips or divisions. Where fewer than ten of them reach what "
    "was observed, it is a saddlepoint approximation of the exact test (Robinson 1982), so that no p-value is a mere "
    "count of draws. It is never below the smallest p that the exact test can give, which the table of tests shows.",
    "Level": "Of all tests of a family together, and of intervals: --alpha, here {alpha:g}. A difference is called one "
    "where its p after correction is no larger, and intervals are of 1 − {alpha:g}.",
    "Holm": "The p-values of all pairs that could be tested are adjusted together; where the reference was picked by "
    "its mean, as if all pairs of the arms had been tested. The tests against the margin are adjusted over the same "
    "pairs, as families of their own.",
    "Verdict": "Two tests answer two questions: whether the arms differ (primary test), and whether they differ by "
    "less than the margin (two one-sided t tests). Of arms that differ a third, one-sided t test asks whether it is by "
    "more than the margin. The first rule that holds speaks: "
    + "; ".join(f"{place}. {rule.verdict}" for place, rule in enumerate(RULES, 1))
    + ".",
    "Cannot be decided": "An exact test has a smallest p-value, set by the number of seeds. Where that is above the "
    "level after correction no data could have been significant, and the report does not call them not significant. "
    "One seed beats nobody, and nor do two arms without any spread.",
    "P(A > B)": "Paired: share of common seeds on which A is better, with the exact binomial interval. Unpaired: the "
    "Mann-Whitney estimate with Newcombe's interval. Ties count half.",
    "Bayesian signed-rank test": "Benavoli et al. 2014 and 2017, Dirichlet process with prior weight 0.5 at 0; refused "
    "below five pairs, where the prior decides.",
    "Ranks": "Friedman's test (chi-squared, corrected for ties) and Nemenyi's critical difference need five blocks. "
    "Blocks are data sets where there are five; else the common seeds of one data set, and then they speak of that "
    "data set only.",
}


def write_comparison(
    results: Results,
    output: Path,
    *,
    column: str | None = None,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    wanted: Wanted | None = None,
) -> Path:
    """Write the page at ``output`` (.html) and its files beside it.

    ``column`` is the value compared, by default the study's headline; ``margin`` (points) the difference that matters;
    ``alpha`` the level of the family of tests; ``wanted`` the pairs to compare. Raises ConfigError and StoreError; see
    compare.compare.
    """
    output = check_output(output)
    trials = results.trials
    with decimals(accuracies.decimals(results.trials)):
        found = compare(
            trials,
            accuracies.chosen(trials, column),
            margin=margin,
            alpha=alpha,
            wanted=wanted,
            paired_seeds=results.paired,
        )
        each = on_each(found, trials)
        generator = np.random.default_rng(0)
        with style.style():
            sections = build(found, each, trials, generator)
        differ = (Verdict.BETTER, Verdict.WORSE, Verdict.LEADS, Verdict.TRAILS)
        page = Page(
            kind="NAS comparison report",
            name=results.name,
            measure=accuracies.measure(found.column),
            tally={
                "arms": len(found.arms),
                "trials": len(trials),
                "comparisons": len(found.pairs),
                "better or worse": sum(found.count(verdict) for verdict in differ),
                "negligible or equivalent": found.count(Verdict.NEGLIGIBLE) + found.count(Verdict.EQUIVALENT),
                "undecided": found.count(Verdict.INCONCLUSIVE) + found.count(Verdict.UNDECIDED),
            },
            findings=[
                *findings(found, results.pairing, across_tables.improvements(found, each)),
                *results.remarks,
            ],
            cautions=cautions(found, trials),
            glance=tables.arms_table(found),
            sections=sections,
            data={"all_trials": trials},
        )
        return write_page(page, output)


def build(found: Comparisons, each: list[Value], trials: pd.DataFrame, generator: np.random.Generator) -> list[Section]:
    """All sections after the summary. Draws figures: call it inside style.style()."""
    return [
        _differences(found),
        *([_improvements(found, each)] if found.declared.baselines else []),
        _probabilities(found),
        _datasets(found, each, trials),
        _ranks(found, trials, generator),
        _equivalence(found),
        _seeds(found),
        Section("words", "In words", "Every comparison, decided or not.", tables=[tables.sentences_table(found)]),
        Section("settings", "Settings", "What each arm was.", tables=[settings(trials)]),
        Section("methods", "Methods", "What each interval and test is.", definitions=_methods(found)),
    ]


def _differences(found: Comparisons) -> Section:
    lead = f"{found.declared.choice} The interval says how large a difference may be, the p-value only whether it is 0."
    shown = [figures.forest(found)]
    if found.declared.every_pair:
        shown.append(figures.matrix(found))
    elif found.declared.picked:
        lead += f" The matrix of all pairs is drawn for up to {ALL_PAIRS_UP_TO} arms."
    slopes = figures.slopes(found)
    if slopes is None:
        lead += " No two arms share two seeds, so no pairs are drawn."
    else:
        shown.append(slopes)
    return Section("differences", "Differences", lead, shown, [tables.verdicts_table(found)])


def _probabilities(found: Comparisons) -> Section:
    lead = "How often A does better than B, and how far the answer is from chance; then every other effect size."
    return Section("effects", "Effect sizes", lead, [figures.improvement(found)], [tables.effects_table(found)])


def _methods(found: Comparisons) -> dict[str, str]:
    gone = set() if found.declared.baselines else {"Relative improvement"}
    return {name: text.format(alpha=found.alpha) for name, text in _METHODS.items() if name not in gone}


def _improvements(found: Comparisons, each: list[Value]) -> Section:
    lead = "What each method gains over its own baseline, relative to that: comparable between search spaces."
    return Section("improvements", "Over the baseline", lead, tables=[across_tables.improvements_table(found, each)])


def _datasets(found: Comparisons, each: list[Value], trials: pd.DataFrame) -> Section:
    title = "Several data sets"
    if len(each) < 2:
        absent = f"only one data set has a value of {accuracies.words(found.column).what} here"
        return Section("datasets", title, absent=absent)
    lead = f"The same on every data set, and over all of them. No tests: the claim is {found.title}."
    average = on_average(found, trials)
    shown = [
        across_tables.differences_table(found, each, average),
        across_tables.averages_table(found, each, average),
    ]
    return Section("datasets", title, lead, tables=shown)


def _ranks(found: Comparisons, trials: pd.DataFrame, generator: np.random.Generator) -> Section:
    lead = "What another draw of the seeds would have said of the order, and how the seeds of each arm are distributed."
    distribution, refused = rank_figures.ranks(found, generator)
    shown = [rank_figures.profile(found)]
    if distribution is None:
        lead += f" No rank distribution: {refused}."
    else:
        shown.append(distribution)
    scores, blocks = _blocks(found, trials)
    names = [arm.name for arm in found.arms]
    test, diagram = friedman(scores), nemenyi(scores, found.alpha)
    if np.isfinite(diagram.critical_difference):
        lead += (
            f" Friedman test over {test.test.n} blocks ({blocks}): χ² = {number(test.test.statistic, 2)}, p "
            f"{p_value(test.test.p)}, Kendall's W {number(test.kendall_w, 2)}."
        )
        shown.append(rank_figures.critical_difference(names, diagram, test.test.p, blocks, found.alpha))
    else:
        lead += f" No critical-difference diagram: {diagram.note} ({blocks})."
    return Section("ranks", "Ranks and profiles", lead, shown)


def _blocks(found: Comparisons, trials: pd.DataFrame) -> tuple[FloatArray, str]:
    """Scores [blocks, arms] and what the blocks are: data sets where there are enough, else common seeds."""
    columns = accuracies.on_all_datasets(trials, found.column)
    if len(columns) >= MINIMUM_BLOCKS:
        means = {column: {arm.name: arm.mean for arm in arms(trials, column)} for column in columns}
        scores = np.array([[means[column][arm.name] for arm in found.arms] for column in columns])
        return scores, f"means on {listed(accuracies.title(c) for c in columns)}"
    common = common_matrix(found.arms, found.claimed)
    if common is None:
        return np.empty((0, len(found.arms))), "fewer than five data sets, and seeds that are not paired"
    return common[1], "the common seeds of one data set: no statement about others"


def _equivalence(found: Comparisons) -> Section:
    lead = (
        f"Whether a difference is too small to matter: within ±{found.margin:g} points, declared with --margin before "
        "looking."
    )
    tested = [tables.equivalence_table(found), tables.tests_table(found)]
    return Section("equivalence", "Equivalence and tests", lead, tables=tested)


def _seeds(found: Comparisons) -> Section:
    curve = seeds_figure.seeds_curve(found)
    lead = f"What a study needs to detect {found.margin:g} points." + (
        "" if curve is not None else " No two seeds of any comparison tell a spread, so there is no curve."
    )
    return Section("seeds", "Seeds needed", lead, [curve] if curve is not None else [], [tables.seeds_table(found)])
