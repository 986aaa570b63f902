"""Numbers over seeds, against independent expressions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from synthetic_store import OPTIMUM, Row, epochs_of, genotype, trial

from analysis import Results
from analysis.robustness.collapse import Collapse, collapse_probability
from analysis.robustness.courses.curves import POINTS, curves
from analysis.robustness.summary import (
    accounting,
    derived_cells,
    failures,
    final_table,
    summarise,
    top_cells,
    training_seed_spread,
)
from trainables.benchmarks.accuracies import Accuracy
from trainables.spaces.nas_bench_201.genotype import Genotype

Study = Callable[..., Results]
COLUMN = "cifar10_test_accuracy"


def of(frame: pd.DataFrame, variant: str) -> pd.Series:
    return frame.set_index(frame["variant"].astype(str)).loc[variant]


def with_values(values: list[float], **common: object) -> list[Row]:
    return [trial("m", s, **{COLUMN: v, "genotype": genotype(s), **common} | {COLUMN: v}) for s, v in enumerate(values)]


class TestSummarise:
    def test_mean_std_and_interval_of_three_and_five_seeds(self, study: Study) -> None:
        values = [93.1, 93.9, 92.4, 94.2, 93.5]
        row = of(summarise(study(with_values(values)).trials, COLUMN), "m")
        assert row["mean"] == pytest.approx(statistics.mean(values))
        assert row["std"] == pytest.approx(statistics.stdev(values))
        half = 2.7764451051977934 * statistics.stdev(values) / math.sqrt(5)  # t(.975, 4)
        assert (row["low"], row["high"]) == pytest.approx((row["mean"] - half, row["mean"] + half))
        assert (row["worst"], row["median"], row["best"]) == (92.4, 93.5, 94.2)

    def test_two_seeds_have_a_spread_but_no_interval_and_one_seed_has_neither(self, study: Study) -> None:
        trials = study([*with_values([90.0, 92.0]), trial("solo", 0, **{COLUMN: 91.0})]).trials
        summary = summarise(trials, COLUMN)
        assert of(summary, "m")["std"] == pytest.approx(math.sqrt(2))
        assert math.isnan(of(summary, "m")["low"])
        assert math.isnan(of(summary, "solo")["std"])
        assert of(summary, "solo")["mean"] == 91.0

    def test_failed_and_diverged_count_in_n_and_in_no_mean(self, study: Study) -> None:
        lost = [trial("m", 7, status="failed"), trial("m", 8, status="diverged", **{COLUMN: 10.0})]
        row = of(summarise(study([*with_values([90.0, 92.0]), *lost]).trials, COLUMN), "m")
        assert (row["n"], row["ok"], row["failed"], row["diverged"], row["values"]) == (4, 2, 1, 1, 2)
        assert (row["mean"], row["worst"]) == (91.0, 90.0)

    def test_unknown_accuracy_of_an_ok_trial_is_no_zero(self, study: Study) -> None:
        row = of(summarise(study([*with_values([90.0, 92.0]), trial("m", 5)]).trials, COLUMN), "m")
        assert (row["ok"], row["values"], row["mean"]) == (3, 2, 91.0)

    def test_worst_regret_is_the_largest(self, study: Study) -> None:
        trials = study([trial("m", s, genotype=genotype(s)) for s in range(4)]).trials
        accuracy = of(summarise(trials, COLUMN), "m")
        regret = of(summarise(trials, "cifar10_test_regret"), "m")
        assert regret["worst"] == pytest.approx(OPTIMUM["cifar10"] - accuracy["worst"])
        assert regret["best"] == pytest.approx(OPTIMUM["cifar10"] - accuracy["best"])

    def test_row_order_does_not_change_a_bit(self, results: Results) -> None:
        shuffled = results.trials.sample(frac=1, random_state=1)
        again = shuffled.sort_values(["variant", "seed", "trial_id"], ignore_index=True)
        assert_frame_equal(summarise(results.trials, COLUMN), summarise(again, COLUMN), check_exact=True)
        assert_frame_equal(summarise(results.trials, COLUMN), summarise(shuffled, COLUMN), rtol=1e-12)

    def test_variant_with_nothing_but_failures_keeps_its_row(self, results: Results) -> None:
        row = of(summarise(results.trials, COLUMN), "lost")
        assert (row["n"], row["failed"], row["values"]) == (2, 2, 0)
        assert math.isnan(row["mean"])


class TestFinalTable:
    def test_columns_and_order(self, results: Results) -> None:
        table = final_table(results.trials)
        assert list(table) == ["variant", "n", "ok", "failed", "diverged", "values", "mean", "std", "worst", "regret"]
        assert table.attrs["column"] == COLUMN and table.attrs["title"].startswith("CIFAR-10 test accuracy (%)")
        assert table["mean"].dropna().is_monotonic_decreasing
        assert table["variant"].iloc[-1] == "lost"
        assert table["n"].sum() == len(results.trials)

    def test_retrained_accuracy_is_the_headline_where_there_is_one(self, study: Study) -> None:
        trials = study([trial("m", s, genotype=genotype(s), retrain_test_accuracy=80.0 + s) for s in range(3)]).trials
        table = final_table(trials)
        row = table.iloc[0]
        assert (table.attrs["column"], row["mean"], row["worst"]) == ("retrain_test_accuracy", 81.0, 80.0)
        assert row["regret"] == pytest.approx(trials["cifar10_test_regret"].mean())

    def test_own_data_set_is_read_and_cifar10_where_the_table_lacks_it(self, study: Study) -> None:
        trials = study([trial("m", 0, dataset="cifar100", genotype=genotype(1))]).trials
        assert final_table(trials).attrs["column"] == "cifar100_test_accuracy"

    def test_validation_is_the_headline_without_test_values(self, study: Study) -> None:
        holes = {f"cifar10_test_{what}": None for what in ("accuracy", "regret")}
        trials = study([trial("m", s, dataset="digits", genotype=genotype(s), **holes) for s in range(2)]).trials
        table = final_table(trials)
        assert table.attrs["column"] == "cifar10_valid_accuracy"
        assert table["regret"].iloc[0] == pytest.approx(trials["cifar10_valid_regret"].mean())


class TestCells:
    def test_collapse_counts_cells_with_four_skips_of_all_derived(self, results: Results) -> None:
        assert of(derived_cells(results.trials), "darts")[["n", "derived"]].tolist() == [10, 8]
        row = of(collapse_probability(results.trials, Collapse()), "darts")
        assert (row["judged"], row["collapsed"]) == (8, 4)
        assert row["share"] == 50.0
        assert (row["low"], row["high"]) == pytest.approx((15.70128, 84.29872), abs=1e-4)

    def test_diversity_is_counted_up_to_isomorphism(self, study: Study) -> None:
        texts = ["|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"] * 2
        texts += ["|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|skip_connect~2|", genotype(0)]
        row = derived_cells(study([trial("m", s, genotype=t) for s, t in enumerate(texts)]).trials).iloc[0]
        assert (row["distinct"], row["modal"]) == (3, 50.0)
        assert row["classes"] == len({Genotype.from_string(t).isomorphism_key() for t in texts})
        assert row["disconnected"] == sum(not Genotype.from_string(t).output_is_connected() for t in texts) == 1

    def test_top_cells_are_the_most_frequent_and_never_chosen_by_accuracy(self, study: Study) -> None:
        chosen = [genotype(i) for i in (4, 4, 4, 900, 900, 31, 32)]
        trials = study([trial("m", s, genotype=g) for s, g in enumerate(chosen)]).trials
        top = top_cells(trials, [COLUMN])
        assert list(top["count"]) == [3, 2, 1]
        assert list(top["genotype"]) == [genotype(4), genotype(900), min(genotype(31), genotype(32))]
        assert set(top["derived"]) == {7}

    def test_training_seed_spread_is_not_the_search_seed_spread(self, results: Results) -> None:
        spread = of(training_seed_spread(results.trials, Accuracy("cifar10", "valid")), "darts")
        assert spread["cells"] == 8
        assert spread["spread"] == pytest.approx(statistics.stdev([-0.2, 0.2]))


class TestCurves:
    def test_value_is_held_until_the_next_record_and_never_before_the_first(self, study: Study) -> None:
        trials = [trial("m", s, genotype=genotype(s)) for s in range(2)]
        recorded = {0: [(1, 5.0), (4, 3.0)], 1: [(2, 8.0), (4, 7.0)]}
        epochs = [
            {"trial_id": trials[s]["trial_id"], "epoch": e, "cifar10_test_regret": v}
            for s, points in recorded.items()
            for e, v in points
        ]
        results = study(trials, epochs)
        found = curves(results.trials, results.course(["cifar10_test_regret"]), "cifar10_test_regret")
        summary = found.summary.set_index("budget")
        assert summary["values"].to_dict() == {1: 1, 2: 2, 4: 2}
        assert summary["mean"].to_dict() == {1: 5.0, 2: 6.5, 4: 5.0}
        assert summary.loc[4, "std"] == pytest.approx(statistics.stdev([3.0, 7.0]))

    def test_trials_that_did_not_end_ok_are_left_out(self, study: Study) -> None:
        good, bad = trial("m", 0, genotype=genotype(1)), trial("m", 1, genotype=genotype(2), status="diverged")
        results = study([good, bad], [*epochs_of(good), *epochs_of(bad, 3)])
        lines = curves(results.trials, results.course(["skip_share"]), "skip_share").lines
        assert set(lines["trial_id"]) == {good["trial_id"]}

    def test_long_curves_are_thinned_and_keep_both_ends(self, study: Study) -> None:
        row = trial("m", 0, genotype=genotype(1))
        epochs = [{"trial_id": row["trial_id"], "epoch": e, "skip_share": float(e)} for e in range(1, 1001)]
        results = study([row], epochs)
        curve = curves(results.trials, results.course(["skip_share"]), "skip_share").lines
        assert len(curve) == POINTS
        assert (curve["budget"].iloc[0], curve["budget"].iloc[-1]) == (1, 1000)
        assert np.array_equal(curve["value"], curve["budget"])

    def test_no_epochs_make_an_empty_curve(self, study: Study) -> None:
        results = study([trial("m", 0, genotype=genotype(1))])
        found = curves(results.trials, results.course(["skip_share"]), "skip_share")
        assert found.lines.empty and found.summary.empty


def test_accounting_and_failures_lose_no_trial(results: Results) -> None:
    counts = accounting(results.trials)
    assert (counts["ok"] + counts["diverged"] + counts["failed"] == counts["n"]).all()
    assert len(failures(results.trials)) == len(results.trials) - counts["ok"].sum() == 4
