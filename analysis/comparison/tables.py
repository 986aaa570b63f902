"""The tables of a comparison report, each made of the objects of compare.py."""

from __future__ import annotations

import pandas as pd

from analysis.comparison.compare import Comparisons, seeds_to_decide
from analysis.comparison.pair import Comparison
from analysis.pages.table import Table
from analysis.pages.words import counted, interval, mean_std, number, p_value
from analysis.results import accuracies
from analysis.statistics.estimate import Estimate


def arms_table(found: Comparisons) -> Table:
    """Every arm in the one value that is compared."""
    every = [*found.arms, *found.without]
    unit = accuracies.unit(found.column)
    data = pd.DataFrame(
        {
            "arm": [arm.name for arm in every],
            "trials": [len(arm.values) for arm in every],
            "with a value": [arm.n for arm in every],
            "without a value": [arm.lost for arm in every],
            "seeds without a row": [arm.absent for arm in every],
            f"mean{unit}": [arm.sign * arm.mean for arm in every],
            f"std over {accuracies.seeds(found.column)} (points)": [arm.std for arm in every],
        }
    )
    shown = pd.DataFrame(
        {
            "arm": data["arm"],
            "seeds": [f"{arm.n} of {len(arm.values) + arm.absent}" for arm in every],
            f"mean ± std{unit}": [mean_std(arm.sign * arm.mean, arm.std) for arm in every],
            "no result": data["without a value"],
            "no row": data["seeds without a row"],
        }
    )
    caption = (
        f"{found.title}, {accuracies.direction(found.column)}; mean ± standard deviation over "
        f"{accuracies.seeds(found.column)} (ddof = 1). Seeds: with a value, of all that the arm or those it shares "
        "seeds with have a row of. What has no result or no row enters no mean and no difference; a method that fails "
        "often "
        "is flattered by both."
    )
    return Table("arms", "What is compared", caption, shown, data)


def verdicts_table(found: Comparisons) -> Table:
    """One row a comparison: effect with interval, adjusted p, verdict."""
    pairs = found.pairs
    shown = pd.DataFrame(
        {
            found.difference: [pair.name for pair in pairs],
            "n": [pair_counts(pair) for pair in pairs],
            "difference (points)": [number(pair.difference.estimate) for pair in pairs],
            found.interval: [_bounds(pair.difference) for pair in pairs],
            found.chance: [number(pair.improvement.estimate, 2) for pair in pairs],
            "p, Holm": [p_value(pair.p) for pair in pairs],
            "verdict": [str(pair.verdict) for pair in pairs],
        }
    )
    caption = (
        f"{found.title}, {accuracies.direction(found.column)}. Difference: {found.difference} of their means, above 0 "
        f"where A is better. n: pairs of common seeds, or the seeds of both arms "
        f"where these are unpaired. p: sign-flip test of pairs or permutation test of unpaired arms, two-sided, "
        f"adjusted over {counted(found.family, 'test')}. Interval: Student's t, of each difference alone and not "
        f"adjusted. Margin of equivalence ±{found.margin:g} points."
    )
    return Table("verdicts", "Comparisons", caption, shown, _numbers(found), prose=("verdict",))


def sentences_table(found: Comparisons) -> Table:
    """Every comparison in words."""
    shown = pd.DataFrame(
        {found.difference: [pair.name for pair in found.pairs], "in words": [pair.sentence for pair in found.pairs]}
    )
    caption = "Each sentence follows from the numbers by one rule; the rules are under Methods."
    return Table("sentences", "Every comparison in words", caption, shown, shown, prose=("in words",))


def effects_table(found: Comparisons) -> Table:
    """Effect sizes beyond the mean difference."""
    pairs = found.pairs
    shown = pd.DataFrame(
        {
            found.difference: [pair.name for pair in pairs],
            "Hodges-Lehmann (points)": [estimate_words(pair.shift) for pair in pairs],
            found.chance: [estimate_words(pair.improvement, 2) for pair in pairs],
            "d_z or Cliff's δ": [f"{number(pair.effect, 2)} {'d_z' if pair.paired else 'δ'}" for pair in pairs],
            "seeds without a partner": [pair.dropped if pair.paired else "unpaired" for pair in pairs],
        }
    )
    caption = (
        f"With {found.interval}s. Hodges-Lehmann: median of all averages of two paired differences, or of all "
        f"differences between unpaired seeds; it resists single collapsed runs. {found.chance}: share of common seeds "
        "on which A is better than B (exact binomial interval), or probability that a seed of A beats a seed of B "
        f"(Newcombe); ties count half. d_z: mean over std of the differences; δ = 2 {found.chance} − 1."
    )
    return Table("effects", "Effect sizes", caption, shown, _numbers(found))


def tests_table(found: Comparisons) -> Table:
    """Every test of every comparison, and what it could have reached."""
    pairs = found.pairs
    shown = pd.DataFrame(
        {
            found.difference: [pair.name for pair in pairs],
            "sign-flip or permutation p": [p_value(pair.primary.p) for pair in pairs],
            "smallest possible p": [p_value(pair.attainable.smallest_p) for pair in pairs],
            "adjusted p": [p_value(pair.p) for pair in pairs],
            "Wilcoxon or Brunner-Munzel p": [p_value(pair.rank_test.p) for pair in pairs],
            "t or Welch p": [p_value(pair.t_test.p) for pair in pairs],
        }
    )
    caption = (
        "Paired arms: exact sign-flip, Wilcoxon signed-rank and paired t test. Unpaired arms: permutation, "
        f"Brunner-Munzel and Welch test. Two-sided. The first is the one that counts, adjusted by Holm over "
        f"{counted(found.family, 'test')}; the others are unadjusted, for comparison with the literature."
    )
    return Table("tests", "Tests", caption, shown, _numbers(found))


def equivalence_table(found: Comparisons) -> Table:
    """Practical equivalence: two one-sided tests, and the Bayesian signed-rank test."""
    pairs = found.pairs
    shown = pd.DataFrame(
        {
            found.difference: [pair.name for pair in pairs],
            "TOST p": [p_value(pair.equivalence.p) for pair in pairs],
            "TOST p, Holm": [p_value(pair.equivalence_p) for pair in pairs],
            "beyond p, Holm": [p_value(pair.beyond_p) for pair in pairs],
            "P(A better)": [number(pair.posterior.better, 2) for pair in pairs],
            "P(equivalent)": [number(pair.posterior.equivalent, 2) for pair in pairs],
            "P(B better)": [number(pair.posterior.worse, 2) for pair in pairs],
            "why not": [pair.posterior.note for pair in pairs],
        }
    )
    caption = (
        f"Margin ±{found.margin:g} points. TOST: a small p says that the mean difference lies within the margin. "
        "Beyond: a small p says that it lies outside, on the side where it was observed (one-sided t test). The "
        "three probabilities are the Bayesian signed-rank test's, with a region of practical equivalence as wide as "
        "the margin; it needs five pairs of common seeds."
    )
    return Table("equivalence", "Practical equivalence", caption, shown, _numbers(found), prose=("why not",))


def seeds_table(found: Comparisons) -> Table:
    """What it would take to detect a difference as large as the margin."""
    plans = [seeds_to_decide(pair, found.margin, found.family, found.alpha) for pair in found.pairs]
    data = pd.DataFrame(
        {
            found.difference: [pair.name for pair in found.pairs],
            "n": [pair.n for pair in found.pairs],
            "spread (points)": [pair.spread for pair in found.pairs],
            "seeds needed": [None if plan is None else plan.n for plan in plans],
        }
    )
    shown = data.assign(
        **{
            "n": [pair_counts(pair) for pair in found.pairs],
            "spread (points)": data["spread (points)"].map(number),
            "seeds needed": ["–" if plan is None else f"{plan.n:,}" for plan in plans],
        }
    )
    caption = (
        f"Seeds of each arm to detect a difference of {found.margin:g} points with power 0.8 at level {found.alpha:g} "
        f"over {counted(max(found.family, 1), 'test')}. Spread: standard deviation of the paired differences, or "
        "within unpaired arms; a plan from few seeds takes its upper 80 % limit."
    )
    return Table("seeds_needed", "Seeds needed", caption, shown, data)


def _numbers(found: Comparisons) -> pd.DataFrame:
    """All numbers of all comparisons at full precision."""
    rows = []
    for pair in found.pairs:
        row: dict[str, object] = {
            "a": pair.a.name,
            "b": pair.b.name,
            "paired": pair.paired,
            "why unpaired": pair.reason,
        }
        row |= {"n": pair.n, "n_a": pair.a.n, "n_b": pair.b.n, "seeds without a partner": pair.dropped}
        named = {"difference": pair.difference, "hodges_lehmann": pair.shift, "p_a_better": pair.improvement}
        for name, estimate in named.items():
            row |= {name: estimate.estimate, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        row |= {"d_z" if pair.paired else "cliffs_delta": pair.effect}
        row |= {"p": pair.primary.p, "p_holm": pair.p, "smallest_p": pair.attainable.smallest_p}
        row |= {"p_rank_test": pair.rank_test.p, "p_t_test": pair.t_test.p}
        row |= {"p_tost": pair.equivalence.p, "p_tost_holm": pair.equivalence_p, "p_beyond_holm": pair.beyond_p}
        row |= {"margin": pair.equivalence.margin}
        posterior = pair.posterior
        row |= {"p_better": posterior.better, "p_equivalent": posterior.equivalent, "p_worse": posterior.worse}
        row |= {"verdict": str(pair.verdict)}
        rows.append(row)
    return pd.DataFrame(rows)


def pair_counts(pair: Comparison) -> str:
    """``8 pairs``, or the seeds of both arms where they are unpaired."""
    return counted(pair.n, "pair") if pair.paired else f"{pair.a.n}, {pair.b.n}"


def _bounds(estimate: Estimate, digits: int | None = None) -> str:
    return interval(estimate.low, estimate.high, digits)


def estimate_words(estimate: Estimate, digits: int | None = None) -> str:
    """``0.40 [0.10, 0.70]``."""
    value = number(estimate.estimate, digits)
    return f"{value} {_bounds(estimate, digits)}" if estimate.low <= estimate.high else value
