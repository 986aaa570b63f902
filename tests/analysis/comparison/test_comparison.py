"""Comparisons: what is paired, which verdict follows, and what is counted when trials are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_store import genotype, trial

from analysis import Results
from analysis.comparison.compare import Comparisons, compare
from analysis.comparison.declared import Wanted
from analysis.comparison.findings import cautions, findings
from analysis.comparison.pair import Comparison
from analysis.comparison.verdicts import RULES, Evidence, Verdict, Wording, judge, sentence
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
    assert "10 of 10 common seeds higher, by 0.99 points" in pair.sentence
    assert "paired by seed; sign-flip p = 0.00195); a beats b by more than 0.5 points." in pair.sentence


def test_five_seeds_cannot_decide_whatever_the_difference(study: Study) -> None:
    pair = only(compare(study([*arm("a", noisy(94, 5, 0)), *arm("b", noisy(80, 5, 1))]).trials, COLUMN))
    assert pair.verdict is Verdict.UNDECIDED
    assert "5 of 5 common seeds higher" in pair.sentence
    assert "one seed short of an exact test (the smallest p that these seeds allow is 0.0625)" in pair.sentence
    assert "significant" not in pair.sentence


def test_a_real_difference_within_the_margin_is_negligible(study: Study) -> None:
    results = study([*arm("a", [94.1 + s for s in range(-5, 5)]), *arm("b", [94.0 + s for s in range(-5, 5)])])
    wide, narrow = (only(compare(results.trials, COLUMN, margin=margin)) for margin in (0.5, 0.05))
    assert wide.verdict is Verdict.NEGLIGIBLE and "a and b differ, but by less than 0.5 points" in wide.sentence
    assert narrow.verdict is Verdict.BETTER


def test_equivalence_is_said_where_no_seeds_could_show_a_difference(study: Study) -> None:
    pair = only(compare(study([*arm("a", noisy(94, 5, 0, 0.01)), *arm("b", noisy(94, 5, 1, 0.01))]).trials, COLUMN))
    assert not pair.attainable.reachable and pair.verdict is Verdict.EQUIVALENT


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
    assert "6 against 6 seeds, unpaired; permutation p" in pair.sentence


def test_epochs_and_protocol_do_not_undo_the_pairing(study: Study) -> None:
    rows = [*arm("a", noisy(94, 6, 0)), *arm("b", noisy(93, 6, 1), protocol="P2", epochs=9)]
    assert only(compare(study(rows).trials, COLUMN)).paired


@pytest.mark.parametrize("moved", [0, 3, 5, 6])
def test_the_share_of_common_seeds_never_changes_how_arms_are_compared(study: Study, moved: int) -> None:
    shifted = [r | {"seed": r["seed"] + moved, "trial_id": f"b{r['seed']}"} for r in arm("b", noisy(80, 6, 1))]
    trials = study([*arm("a", noisy(94, 6, 0)), *shifted]).trials
    pair, free = (only(compare(trials, COLUMN, paired_seeds=claimed)) for claimed in (True, False))
    assert pair.paired and pair.n == 6 - moved and (pair.verdict is Verdict.UNDECIDED) == (moved > 0)
    assert not free.paired and free.verdict is Verdict.BETTER
    assert ("no common seed; --unpaired compares them" in pair.sentence) == (moved == 6)


def test_one_seed_beats_nobody_and_is_no_part_of_the_family(study: Study) -> None:
    rows = [*arm("lone", [99.0]), *arm("a", noisy(94, 8, 0)), *arm("b", noisy(80, 8, 1))]
    found = compare(study(rows).trials, COLUMN, paired_seeds=False)
    lone = [pair for pair in found.pairs if "lone" in (pair.a.name, pair.b.name)]
    assert all(p.verdict is Verdict.UNDECIDED and "one seed (lone) beats nobody" in p.sentence for p in lone)
    assert found.family == 1 and np.isnan([pair.primary.p for pair in lone]).all()


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize("gap", [0.0, 0.1, 30.0])
def test_arms_without_spread_decide_nothing_however_they_are_compared(study: Study, claimed: bool, gap: float) -> None:
    trials = study([*arm("a", [60.0] * 8), *arm("b", [60.0 + gap] * 8)]).trials
    pair = only(compare(trials, COLUMN, paired_seeds=claimed))
    assert pair.verdict is Verdict.UNDECIDED and "neither arm varies over its seeds" in pair.sentence
    assert np.isnan([pair.p, pair.equivalence_p, pair.t_test.p, pair.rank_test.p]).all()


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
    assert len(found.pairs) == 8 + 7 and not found.declared.every_pair
    assert "m0, which was picked because it has the highest mean" in found.declared.choice
    assert (
        "every arm with random_search" in found.declared.choice
        and "corrected for all 36 pairs" in found.declared.choice
    )


def test_a_picked_reference_is_corrected_for_every_pair_and_a_named_one_for_its_own(study: Study) -> None:
    trials = study([r for i in range(9) for r in arm(f"m{i}", noisy(94 - i, 10, i))]).trials
    picked, named = compare(trials, COLUMN), compare(trials, COLUMN, wanted=Wanted("m0"))
    assert (picked.family, named.family) == (36, 8) and picked.declared.picked and not named.declared.picked
    assert min(p.p for p in picked.pairs) == pytest.approx(36 * 2 / 2**10)
    assert min(p.p for p in named.pairs) == pytest.approx(8 * 2 / 2**10)
    assert any("Chance widens the lead of m0" in note for note in cautions(picked, trials))


@pytest.mark.slow
def test_one_arm_far_above_six_hundred_is_found(study: Study) -> None:
    """A count of random divisions cannot fall below one in ten thousand; the test itself can."""
    rows = [r for i in range(60) for r in arm(f"m{i:02}", noisy(50, 20, i))] + arm("best", noisy(85, 20, 99))
    found = compare(study(rows).trials, COLUMN, paired_seeds=False)
    assert found.family == 61 * 30 and found.count(Verdict.BETTER) == 60


def test_against_names_an_arm_by_method_or_label(study: Study) -> None:
    rows = [*arm("a", noisy(94, 3, 0)), *arm("b", noisy(93, 3, 1)), *arm("b", noisy(92, 3, 2), config="lr=1")]
    trials = study(rows).trials
    assert {pair.b.name for pair in compare(trials, COLUMN, wanted=Wanted("a")).pairs} == {"a"}
    assert {pair.b.name for pair in compare(trials, COLUMN, wanted=Wanted("b (lr=1)")).pairs} == {"b (lr=1)"}
    with pytest.raises(ConfigError, match="names one arm, but b has 2"):
        compare(trials, COLUMN, wanted=Wanted("b"))
    with pytest.raises(ConfigError, match="unknown arm"):
        compare(trials, COLUMN, wanted=Wanted("c"))


def test_what_cannot_be_compared_is_refused(study: Study) -> None:
    trials = study(arm("a", noisy(94, 3, 0))).trials
    with pytest.raises(StoreError, match="but 1 have"):
        compare(trials, COLUMN)
    for margin in (0, -1, float("inf"), 1e308, float("nan")):
        with pytest.raises(ConfigError, match="above 0 and up to 1,000,000"):
            compare(trials, COLUMN, margin=margin)


def test_findings_tally_every_verdict(study: Study) -> None:
    rows = [*arm("a", noisy(94, 10, 0)), *arm("b", noisy(93, 10, 1)), *arm("c", noisy(93, 10, 2))]
    found = compare(study(rows).trials, COLUMN)
    first, claim = findings(found, "Paired by seed.", [])[:2]
    assert "3 comparisons of 3 arms on CIFAR-10 test accuracy, margin 0.5 points: " in first
    assert "2 better by more than the margin and 1 equivalent" in first and claim == "Paired by seed."


EVIDENCE = Evidence(difference=1.0, p=0.2, equivalence_p=0.2, beyond_p=0.2, reachable=True)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.INCONCLUSIVE),
        ({"p": 0.05}, Verdict.LEADS),
        ({"p": 0.05, "difference": -1.0}, Verdict.TRAILS),
        ({"p": 0.05, "beyond_p": 0.05}, Verdict.BETTER),
        ({"p": 0.05, "beyond_p": 0.05, "difference": -1.0}, Verdict.WORSE),
        ({"beyond_p": 0.01}, Verdict.INCONCLUSIVE),
        ({"equivalence_p": 0.04}, Verdict.EQUIVALENT),
        ({"p": 0.001, "equivalence_p": 0.04}, Verdict.NEGLIGIBLE),
        ({"reachable": False}, Verdict.UNDECIDED),
        ({"reachable": False, "equivalence_p": 0.001}, Verdict.EQUIVALENT),
        ({"reachable": False, "p": 0.01}, Verdict.LEADS),
        ({"p": float("nan")}, Verdict.UNDECIDED),
        ({"p": float("nan"), "equivalence_p": 0.01}, Verdict.EQUIVALENT),
    ],
)
def test_rule_table(change: dict[str, Any], verdict: Verdict) -> None:
    assert judge(replace(EVIDENCE, **change)).verdict is verdict
    assert {rule.verdict for rule in RULES} == set(Verdict)


def test_evidence_leads_the_sentence_and_every_verdict_has_its_own() -> None:
    words = Wording("A", "B", "X", 0.5, "8 of 8 common seeds higher, by 0.40 points", ("95 % interval 0.10 to 0.70",),
                    "sign-flip", 6, "too few")  # fmt: skip
    said = [sentence(rule, Evidence(0.4, 0.012, 0.03, 0.3, True), words) for rule in RULES]
    start = (
        "A against B on X: 8 of 8 common seeds higher, by 0.40 points (95 % interval 0.10 to 0.70; sign-flip p = "
        "0.012, Holm over 6; equivalence p = 0.03); "
    )
    assert all(text.startswith(start) for text in said) and len(set(said)) == len(said)
    assert said[0].endswith("; A and B differ, but by less than 0.5 points: negligible.")
