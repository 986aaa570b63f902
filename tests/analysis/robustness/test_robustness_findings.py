"""The generated sentences say what the numbers say, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synthetic_store import genotype, trial

from analysis import Results
from analysis.robustness.collapse import Collapse
from analysis.robustness.findings import cautions, findings

Study = Callable[..., Results]
COLUMN = "cifar10_test_accuracy"


def said(results: Results) -> str:
    return " ".join(findings(results.name, results.trials, Collapse()))


def warned(results: Results) -> str:
    return " ".join(cautions(results.trials, results.study))


def arm(method: str, values: list[float], **common: Any) -> list[dict[str, Any]]:
    return [trial(method, s, genotype=genotype(s), **common) | {COLUMN: v} for s, v in enumerate(values)]


def test_best_spread_collapse_and_failures_are_named(results: Results) -> None:
    text = said(results)
    assert "ran 7 variants of 5 methods on cifar10 with 1 to 10 search seeds each: 24 trials, 20 ended ok" in text
    assert "Searches collapsed (at least 4 of 6 edges skip connections) with darts (4 of 8)" in text
    assert "4 of 24 trials gave no result: " in text and "darts (2)" in text and "lost (2)" in text


def test_overlap_and_separation_of_intervals(study: Study) -> None:
    results = study([*arm("a", [94.0, 94.1, 94.2]), *arm("b", [94.0, 94.1, 93.9]), *arm("c", [90.0, 90.1, 90.2])])
    text = said(results)
    assert "a has the highest mean: 94.10 ± 0.10 %" in text
    assert "overlaps with b: the order among these is not settled" in text


def test_separate_intervals_claim_no_significance(study: Study) -> None:
    text = said(study([*arm("a", [94.0, 94.1, 94.2]), *arm("c", [90.0, 90.1, 90.2])]))
    assert "lies apart from the other variants'. No test was made." in text
    assert "significant" not in text


def test_best_arm_with_lost_trials_says_so(study: Study) -> None:
    text = said(study([*arm("a", [94.0, 94.1, 94.2]), trial("a", 5, status="failed")]))
    assert "1 of its 4 trials gave no result" in text


def test_one_seed_is_no_spread(study: Study) -> None:
    results = study([*arm("a", [94.0]), *arm("b", [93.0])])
    assert "one search seed, so no spread is known" in said(results)
    assert "Fewer than three seeds give no interval" in said(results)
    assert "one seed with a result" in warned(results)


def test_small_n_cannot_reach_significance(study: Study) -> None:
    assert "below 6 common seeds" in warned(study(arm("a", [94.0, 93.0, 92.0, 91.0, 90.0])))
    assert "below 6 common seeds" not in warned(study_of_six(study))


def study_of_six(study: Study) -> Results:
    return study(arm("a", [94.0, 93.0, 92.0, 91.0, 90.0, 89.0]), name="six")


def test_no_collapse_still_bounds_its_probability(study: Study) -> None:
    cells = {"genotype": genotype(15000)}
    results = study([trial("a", s, **cells) for s in range(5)])
    assert "with 5 searches, that still allows a probability of up to 52 %" in said(results)


def test_nothing_but_failures(study: Study) -> None:
    results = study([trial("a", s, status="failed", error="no") for s in range(2)])
    assert "nothing can be compared" in said(results)
    assert "no seed with a result" in warned(results)


def test_missing_test_values_are_said_in_words(study: Study) -> None:
    holes = {f"{d}_test_{w}": None for d in ("cifar10", "cifar100", "imagenet16_120") for w in ("accuracy", "regret")}
    results = study([trial("a", s, genotype=genotype(s)) | holes for s in range(2)])
    assert "test accuracies are unknown: nothing here is a test result" in warned(results)


def test_table_searchers_are_favoured_on_validation_accuracy(study: Study) -> None:
    holes = {f"{d}_test_{what}": None for d in ("cifar10", "cifar100") for what in ("accuracy", "regret")}
    trials = [trial("a", 0, genotype=genotype(1)) | holes, trial("b", 0, genotype=genotype(2), protocol=None) | holes]
    assert "on that number they are favoured" in warned(study(trials))
    assert "favoured" not in warned(study([trials[0]], name="trained"))


def test_unfair_comparisons_are_named(study: Study) -> None:
    trials = [
        *arm("a", [94.0, 93.0], dataset="digits"),
        *arm("b", [94.0, 93.0], protocol="P2", epochs=100, code_version="0.2.0", table_fingerprint="t2"),
        trial("b", 7, status="diverged", dataset_fingerprint="other"),
        *arm("c", [90.0], config="x=1"),
        *arm("c", [90.0], config="x=2"),
        *arm("d", [90.0], protocol=None, config="queries=9", **{"hp.queries": 9}),
        *arm("d", [90.0], protocol=None, config="queries=99", **{"hp.queries": 99}),
    ]
    text = warned(study(trials))
    for part in (
        "did not run on the same seeds",
        "Means leave out what failed",
        "best of 2 settings of c",
        "differ in epochs",
        "different numbers of queries",
        "Protocols P1 and P2",
        "saw digits, which the benchmark table does not have",
        "different data sets are compared",
        "more than one version of the benchmark table",
        "more than one data set fingerprint",
        "2 versions of the code",
    ):
        assert part in text, part


def test_searchers_of_the_table_with_equal_queries_are_not_called_unequal(study: Study) -> None:
    """Whatever an epoch of theirs is."""
    queried = {"protocol": None, "channels": None, "cells": None, "batch_size": None}
    arms = [*arm("a", [94.0, 93.0], epochs=150, **queried), *arm("b", [94.0, 93.0], epochs=60, **queried)]
    equal = study([row | {"hp.queries": 150} for row in arms], name="equal")
    assert "equal budget" not in warned(equal)
    unequal = study([row | {"hp.queries": 150 + row["epochs"]} for row in arms], name="unequal")
    assert "different numbers of queries" in warned(unequal)


def test_planned_but_unrecorded_trials_are_named(study: Study) -> None:
    results = study(arm("a", [94.0, 93.0]))
    plan = {"methods": {"a": {}, "gaea": {}}, "seeds": [0, 1, 2]}
    text = " ".join(cautions(results.trials, plan))
    assert "no trial of gaea is recorded" in text and "not recorded for a (1)" in text
    assert "incomplete" not in warned(results)


def test_a_table_of_a_part_of_the_cells_is_said(study: Study) -> None:
    rows = [row | {"cifar10_test_regret": None} for row in arm("a", [94.0, 94.1, 94.2])]
    rows[2] |= {COLUMN: None}
    assert "known of 2 of the 3 trials that ended ok" in warned(study(rows))
