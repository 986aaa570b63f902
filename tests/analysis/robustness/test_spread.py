"""Tails, rates, regrets, gain over random sampling, agreement and plans, against independent expressions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic_store import genotype, trial

from analysis import Results
from analysis.robustness.agreement import agreement, edge_agreement
from analysis.robustness.collapse import Collapse, collapse_probability
from analysis.robustness.planning import plan_seeds
from analysis.robustness.printed import printed_for
from analysis.robustness.spread import baseline, improvement, intervals, rates, regrets, spread, variance_components
from trainables.benchmarks.accuracies import Accuracy
from trainables.benchmarks.table import open_table
from trainables.errors import ConfigError
from trainables.spaces.nas_bench_201.genotype import Genotype

Study = Callable[..., Results]
COLUMN = "cifar10_test_accuracy"
VALUES = [90.0, 91.0, 92.0, 93.0, 94.0]


def arm(method: str, values: list[float], **common: object) -> list[dict[str, object]]:
    return [trial(method, s, genotype=genotype(s), **common) | {COLUMN: v} for s, v in enumerate(values)]


def test_tails_and_regrets(study: Study) -> None:
    trials = study([*arm("a", VALUES), *arm("b", [95.0, 95.5])]).trials
    row = spread(trials, COLUMN).set_index("variant").loc["a"]
    assert (row["iqm"], row["cvar"], row["worst"], row["n"]) == (92.0, 90.0, 90.0, 5)
    found = regrets(trials, COLUMN).set_index("variant")
    assert found.loc["a", "seen"] == pytest.approx(95.5 - 92.0)
    assert found.loc["a", "oracle"] == pytest.approx(trials.loc[trials["method"] == "a", "cifar10_test_regret"].mean())


def test_failures_stay_in_the_denominator(study: Study) -> None:
    lost = [trial("a", 8, status="failed"), trial("a", 9, status="diverged"), trial("a", 10, status="failed")]
    row = rates(study([*arm("a", VALUES), *lost]).trials).iloc[0]
    assert (row["n"], row["failed"], row["diverged"]) == (8, 2, 1)
    assert (row["failed_share"], row["diverged_share"]) == (25.0, 12.5)
    assert row["failed_low"] < 25 < row["failed_high"]


def test_intervals_are_the_same_each_time_and_named(study: Study) -> None:
    trials = study(arm("a", VALUES)).trials
    first, again = (intervals(trials, COLUMN, np.random.default_rng(0)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert first["method"].str.contains("Student-t").sum() == 1 and first["method"].str.contains("BCa").sum() == 1


def test_random_sampling_is_the_studys_own_where_it_has_single_draws(study: Study) -> None:
    random = arm("random_search", [80.0, 82.0, 84.0], **{"hp.queries": 1})
    reference = baseline(study([*arm("a", VALUES), *random]).trials, COLUMN, None)
    assert reference is not None and reference.mean == 82.0 and "3 random cells" in reference.words


def test_random_sampling_is_the_tables_mean_only_of_the_table_that_was_looked_up(study: Study) -> None:
    table, column = open_table(), "cifar10_valid_accuracy"
    cells = [Genotype.from_index(i) for i in (5, 700, 9000)]
    known = [float(table.accuracy("cifar10", "valid", np.array([c.index]))[0]) for c in cells]
    rows = [trial("a", s, genotype=str(c)) | {column: v} for s, (c, v) in enumerate(zip(cells, known, strict=True))]
    trials = study(rows).trials
    reference = baseline(trials, column, table)
    assert reference is not None
    assert reference.mean == pytest.approx(np.nanmean(table.accuracy("cifar10", "valid", np.arange(15625))))
    gain = improvement(trials, column, reference).iloc[0]
    assert gain["estimate"] == pytest.approx(100 * (np.mean(known) / reference.mean - 1))
    assert baseline(trials.assign(**{column: trials[column] + 1}), column, table) is None
    assert baseline(trials, column, None) is None


def test_search_and_training_variance_are_apart(study: Study) -> None:
    rows = [trial("a", s, genotype=genotype(s)) for s in range(4)]
    for row in rows:
        row |= {f"{COLUMN}_seed777": 90.0 + row["seed"] - 0.1, f"{COLUMN}_seed888": 90.0 + row["seed"] + 0.1}
    found = variance_components(study(rows).trials, Accuracy("cifar10", "test"))["a"]
    assert found.training_std == pytest.approx(math.sqrt(0.02))
    assert found.search == pytest.approx(np.var(range(4), ddof=1) - 0.02 / 2)


class TestCollapse:
    def test_by_accuracy_only_what_has_one_is_judged(self, study: Study) -> None:
        trials = study([*arm("a", VALUES), trial("a", 7, status="failed"), trial("a", 8)]).trials
        row = collapse_probability(trials, Collapse(below=91.5)).iloc[0]
        assert (row["judged"], row["collapsed"], row["share"]) == (5, 2, 40.0)

    @pytest.mark.parametrize("rule", [{"skips": 0}, {"skips": 7}, {"below": 0.0}, {"below": 100.0}])
    def test_thresholds_that_tell_nothing_apart_are_refused(self, rule: dict[str, Any], study: Study) -> None:
        with pytest.raises(ConfigError, match="--collapse"):
            Collapse(**rule).check(study(arm("a", VALUES)).trials)

    def test_the_space_says_how_many_skip_connections_are_a_collapse(self, study: Study) -> None:
        trials = study(arm("a", VALUES)).trials
        assert Collapse().words(trials) == "at least 4 of 6 edges skip connections"
        trials["space"] = "darts"
        assert Collapse().words(trials) == "at least 5 of 8 edges skip connections"
        assert Collapse(skips=7).words(trials) == "at least 7 of 8 edges skip connections"


class TestAgreement:
    def test_pairs_and_kappa_by_hand(self) -> None:
        found = edge_agreement([[0, 1], [0, 2], [0, 1]], choices=3)
        assert found["pairs"] == pytest.approx(100 * (1 + 1 / 3) / 2)
        observed, chance = 2 / 3, (3 / 6) ** 2 + (2 / 6) ** 2 + (1 / 6) ** 2
        assert found["fleiss"] == pytest.approx((observed - chance) / (1 - chance))

    def test_one_operation_everywhere_agrees_and_has_no_fleiss_kappa(self) -> None:
        found = edge_agreement([[1] * 6] * 4, choices=5)
        assert found["pairs"] == 100 and math.isnan(found["fleiss"])

    def test_single_seed_agrees_with_nobody(self, study: Study) -> None:
        row = agreement(study([trial("a", 0, genotype=genotype(3))]).trials).iloc[0]
        assert (row["derived"], row["modal"]) == (1, 100.0) and math.isnan(row["pairs"])


class TestPlan:
    def test_more_spread_needs_more_seeds_and_a_constant_arm_has_no_plan(self, study: Study) -> None:
        trials = study([*arm("a", VALUES), *arm("b", [93.0, 93.2, 93.1]), *arm("c", [90.0] * 3)]).trials
        plan = plan_seeds(trials, COLUMN).set_index("variant")
        assert plan.loc["a", "half_width"] > plan.loc["b", "half_width"] >= 3
        assert plan.loc["a", "unpaired"] > plan.loc["b", "unpaired"]
        assert plan.loc["c", ["half_width", "unpaired"]].isna().all()
        assert (plan.loc["b", "rival"], plan.loc["a", "rival"], plan.loc["a", "common"]) == ("a", "b", 3)
        coarse = plan_seeds(trials, COLUMN, margin=2.0).set_index("variant")
        assert coarse.loc["a", "unpaired"] < plan.loc["a", "unpaired"]


def test_printed_numbers_say_whether_the_scale_is_theirs(study: Study) -> None:
    small = arm("darts", [54.3] * 3, channels=8, epochs=50)
    full = arm("drnas", [94.0] * 3, channels=16, cells=5, epochs=100)
    found = printed_for(study([*small, *full, *arm("solo", [90.0])]).trials, COLUMN).set_index("variant")
    assert set(found.index) == {"darts", "drnas"}
    assert found.loc["darts", "mean"] == 54.30 and not found.loc["darts", "scale"]
    assert found.loc["drnas", "scale"]
