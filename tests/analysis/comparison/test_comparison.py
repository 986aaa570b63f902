"""Comparisons: what is paired, which verdict follows, and what is counted when trials are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_store import genotype, trial

from analysis import Results
from analysis.comparison.compare import Comparison, Comparisons, compare
from analysis.comparison.findings import cautions, findings
from analysis.comparison.pairing import arms, pairing
from analysis.comparison.verdicts import Evidence, Verdict, Wording, judge, sentence
from analysis.statistics import Estimate
from trainables.errors import ConfigError, StoreError

Study = Callable[..., Results]
COLUMN = "cifar10_test_accuracy"
TABLE = {"protocol": None, "channels": None, "cells": None, "batch_size": None}


def arm(method: str, values: list[float], **common: Any) -> list[dict[str, Any]]:
    return [trial(method, s, genotype=genotype(s), **common) | {COLUMN: v} for s, v in enumerate(values)]


def noisy(mean: float, n: int, seed: int, spread: float = 0.1) -> list[float]:
    return (mean + np.random.default_rng(seed).normal(0, spread, n)).tolist()


def only(found: Comparisons) -> Comparison:
    (pair,) = found.pairs
    return pair


def test_a_clear_lead_on_common_seeds_is_better_and_says_so(study: Study) -> None:
    found = compare(study([*arm("a", noisy(94, 10, 0)), *arm("b", noisy(93, 10, 1))]).trials, COLUMN)
    pair = only(found)
    assert pair.paired and pair.n == 10 and pair.verdict is Verdict.BETTER
    assert pair.p == pytest.approx(2 / 2**10)
    assert pair.sentence.startswith("a beats b by ") and "10 paired seeds, sign-flip p = 0.00195)" in pair.sentence


def test_five_seeds_cannot_decide_whatever_the_difference(study: Study) -> None:
    pair = only(compare(study([*arm("a", noisy(94, 5, 0)), *arm("b", noisy(80, 5, 1))]).trials, COLUMN))
    assert pair.verdict is Verdict.UNDECIDED
    assert "cannot reach 0.05 at n = 5 (smallest p 0.0625); needs n >= 6" in pair.sentence
    assert "significant" not in pair.sentence


def test_a_real_but_small_difference_is_equivalent_within_the_margin(study: Study) -> None:
    results = study([*arm("a", [94.1 + s for s in range(-5, 5)]), *arm("b", [94.0 + s for s in range(-5, 5)])])
    wide, narrow = (only(compare(results.trials, COLUMN, margin=margin)) for margin in (0.5, 0.05))
    assert wide.verdict is Verdict.EQUIVALENT and "The difference is not 0" in wide.sentence
    assert narrow.verdict is Verdict.BETTER


def test_lost_trials_drop_their_partners_and_are_counted(study: Study) -> None:
    rows = [*arm("a", noisy(94, 8, 0)), trial("a", 8, status="failed"), *arm("b", noisy(93, 9, 1))]
    results = study(rows)
    pair = only(compare(results.trials, COLUMN))
    assert (pair.n, pair.dropped, pair.a.lost, pair.b.lost) == (8, 1, 1, 0)
    assert any("a (1 of 9)" in note for note in cautions(compare(results.trials, COLUMN), results.trials))


def test_an_arm_without_any_value_is_named_and_left_out(study: Study) -> None:
    lost = [trial("lost", s, status="failed") for s in range(3)]
    results = study([*arm("a", noisy(94, 6, 0)), *arm("b", noisy(93, 6, 1)), *lost])
    found = compare(results.trials, COLUMN)
    assert [a.name for a in found.without] == ["lost"]
    assert any("no trial ended with a value: lost" in note for note in cautions(found, results.trials))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (TABLE, "one trains and the other queries the table"),
        ({"channels": 8}, "they differ in channels"),
        ({"dataset_fingerprint": "f2"}, "they differ in dataset fingerprint"),
    ],
)
def test_seeds_that_draw_other_things_are_not_paired(study: Study, change: dict[str, Any], reason: str) -> None:
    pair = only(compare(study([*arm("a", noisy(94, 6, 0)), *arm("b", noisy(93, 6, 1), **change)]).trials, COLUMN))
    assert not pair.paired and reason in pair.reason
    assert "6 and 6 seeds, unpaired, permutation p" in pair.sentence


def test_epochs_and_protocol_do_not_undo_the_pairing(study: Study) -> None:
    rows = [*arm("a", noisy(94, 6, 0)), *arm("b", noisy(93, 6, 1), protocol="P2", epochs=9)]
    assert only(compare(study(rows).trials, COLUMN)).paired


def test_too_few_common_seeds_are_not_paired(study: Study) -> None:
    shifted = [row | {"seed": row["seed"] + 4, "trial_id": f"b{row['seed']}"} for row in arm("b", noisy(93, 6, 1))]
    a, b = arms(study([*arm("a", noisy(94, 6, 0)), *shifted]).trials, COLUMN)
    assert pairing(a, b).reason == "only 2 of their 10 seeds are common"


def test_holm_is_over_all_pairs_and_order_of_rows_does_not_matter(study: Study) -> None:
    rows = [r for i in range(4) for r in arm(f"m{i}", noisy(94 - 0.3 * i, 9, i))]
    trials = study(rows).trials
    found, again = compare(trials, COLUMN), compare(trials.sample(frac=1, random_state=0), COLUMN)
    assert found.family == 6 and len(found.pairs) == 6
    assert [pair.sentence for pair in found.pairs] == [pair.sentence for pair in again.pairs]
    assert all(pair.p >= pair.primary.p for pair in found.pairs)


def test_duplicated_methods_are_equivalent_not_different(study: Study) -> None:
    values = noisy(93, 8, 0)
    pair = only(compare(study([*arm("a", values), *arm("twin", values)]).trials, COLUMN))
    assert pair.p == 1 and pair.verdict is Verdict.EQUIVALENT


def test_many_arms_are_compared_with_the_best_and_the_baseline(study: Study) -> None:
    rows = [r for i in range(8) for r in arm(f"m{i}", noisy(94 - i, 3, i))] + arm(
        "random_search", noisy(90, 3, 9), **TABLE
    )
    found = compare(study(rows).trials, COLUMN)
    assert len(found.pairs) == 8 + 7 and not found.every_pair
    assert "m0, which has the highest mean" in found.choice and "with random_search" in found.choice


def test_against_names_an_arm_by_method_or_label(study: Study) -> None:
    rows = [*arm("a", noisy(94, 3, 0)), *arm("b", noisy(93, 3, 1)), *arm("b", noisy(92, 3, 2), config="lr=1")]
    trials = study(rows).trials
    assert {pair.b.name for pair in compare(trials, COLUMN, against="a").pairs} == {"a"}
    assert {pair.b.name for pair in compare(trials, COLUMN, against="b (lr=1)").pairs} == {"b (lr=1)"}
    with pytest.raises(ConfigError, match="names one arm, but b has 2"):
        compare(trials, COLUMN, against="b")
    with pytest.raises(ConfigError, match="unknown arm"):
        compare(trials, COLUMN, against="c")


def test_what_cannot_be_compared_is_refused(study: Study) -> None:
    trials = study(arm("a", noisy(94, 3, 0))).trials
    with pytest.raises(StoreError, match="but 1 have"):
        compare(trials, COLUMN)
    with pytest.raises(ConfigError, match="positive"):
        compare(trials, COLUMN, margin=0)


def test_findings_tally_every_verdict(study: Study) -> None:
    rows = [*arm("a", noisy(94, 10, 0)), *arm("b", noisy(93, 10, 1)), *arm("c", noisy(93, 10, 2))]
    found = compare(study(rows).trials, COLUMN)
    first = findings(found)[0]
    assert "3 comparisons of 3 arms on CIFAR-10 test accuracy, all paired by seed: 2 better and 1 equivalent" in first


EVIDENCE = Evidence(difference=1.0, p=0.2, equivalence_p=0.2, reachable=True)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.INCONCLUSIVE),
        ({"p": 0.05}, Verdict.BETTER),
        ({"p": 0.05, "difference": -1.0}, Verdict.WORSE),
        ({"equivalence_p": 0.04}, Verdict.EQUIVALENT),
        ({"p": 0.001, "equivalence_p": 0.04}, Verdict.EQUIVALENT),
        ({"reachable": False}, Verdict.UNDECIDED),
        ({"reachable": False, "equivalence_p": 0.001}, Verdict.UNDECIDED),
        ({"reachable": False, "p": 0.01}, Verdict.BETTER),
        ({"p": float("nan")}, Verdict.UNDECIDED),
    ],
)
def test_rule_table(change: dict[str, Any], verdict: Verdict) -> None:
    assert judge(replace(EVIDENCE, **change)) is verdict


WORDS = Wording("A", "B", "X", 0.5, "8 paired seeds", "sign-flip", 6, "too few")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict.BETTER, "A beats B by 0.40 points on X (95 % interval 0.10 to 0.70, 8 paired seeds, "
            "sign-flip p = 0.012, Holm over 6)."),
        (Verdict.WORSE, "A falls short of B by 0.40 points on X ("),
        (Verdict.EQUIVALENT, "A and B are equivalent within 0.5 points on X: difference 0.40 ("),
        (Verdict.INCONCLUSIVE, "A against B on X is inconclusive: difference 0.40 points ("),
        (Verdict.UNDECIDED, "A against B on X cannot be decided: too few."),
    ],
)  # fmt: skip
def test_sentences(verdict: Verdict, expected: str) -> None:
    said = sentence(verdict, Evidence(0.4, 0.012, 0.3, True), Estimate(0.4, 0.1, 0.7, 8, "t"), WORDS)
    assert said.startswith(expected)
