"""Share of good settings, worst case, budget curves, rankings and transfer."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sensitivity_trials import VALUE, golden_cases, grid, sample, trials_of

from analysis.sensitivity.numbers import (
    expected_best,
    rank_stability,
    read_settings,
    robustness_profile,
    tail_of_neighbourhoods,
    transfer,
)
from analysis.sensitivity.numbers.budget import best_of_weights, plug_in_weights
from analysis.statistics.summary import cvar
from trainables.errors import StoreError


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


class TestProfile:
    def test_golden(self) -> None:
        case = golden_cases()["robustness_profile"]
        means, expected = case["inputs"]["config_means"], case["expected"]
        settings = grid({"a": range(len(means))}, lambda a: means[a])
        own = robustness_profile(settings, generator())
        for eps in case["inputs"]["eps"]:
            assert own.share(eps) == expected["rho_own_best"][f"{eps:g}"]
        assert own.auc.estimate == pytest.approx(expected["auc_own_best_0_5"])
        assert own.worst_gap == pytest.approx(expected["worst_gap"])
        assert np.isnan(own.auc.low) and own.curve["null"].isna().all()

    def test_curve_steps_at_every_gap(self) -> None:
        settings = grid({"a": range(30)}, lambda a: 0.1 * a, seeds=3, noise=0.2)
        profile = robustness_profile(settings, generator())
        for row in profile.curve.itertuples():
            assert (
                row.share == profile.share(row.eps) == np.mean(settings.means.max() - settings.means <= row.eps + 1e-9)
            )
        assert profile.curve["share"].iloc[-1] == 1.0

    def test_settings_that_differ_by_their_seeds_alone_follow_the_null_line(self) -> None:
        distance = []
        for rng in range(20):
            settings = grid({"a": range(60)}, lambda a: 90.0, seeds=4, noise=1.0, common=1.0, rng=rng)
            curve = robustness_profile(settings, generator()).curve
            distance.append(np.mean(curve["share"] - curve["null"]))
        assert abs(np.mean(distance)) < 0.05
        steep = robustness_profile(grid({"a": range(60)}, lambda a: a, seeds=4, noise=1.0), generator()).curve
        assert (steep["share"] - steep["null"]).min() < -0.5

    def test_a_setting_that_never_had_a_value_is_within_no_eps(self) -> None:
        settings = grid({"a": range(4)}, lambda a: a, seeds=3)
        settings.values[0] = np.nan
        profile = robustness_profile(settings, generator())
        assert profile.share(1e9) == 0.75 and profile.settings == 4 and profile.worst_gap == 2

    def test_a_sample_of_settings_is_less_certain_than_a_grid(self) -> None:
        whole = grid({"a": range(20), "b": [0, 1]}, lambda a, b: 0.2 * a + b, seeds=4, noise=0.05)
        part = read_settings(trials_of([{"a": i, "b": i % 2} for i in range(20)], lambda a, b: a + b, seeds=4), VALUE)
        widths = [p.auc.high - p.auc.low for p in (robustness_profile(s, generator()) for s in (whole, part))]
        assert widths[1] > 2 * widths[0]


class TestNeighbourhood:
    def test_rows_measures_and_naive_numbers(self) -> None:
        settings = grid({"a": [0, 1, 2], "b": [0, 1]}, lambda a, b: 10.0 * a + b, seeds=3)
        found = tail_of_neighbourhoods(settings, {"a": 1, "b": 0}, generator())
        table = found.table.set_index(["neighbourhood", "measure"])
        near, everywhere = np.array([0.0, 10.0, 20.0, 11.0]), settings.means
        for name, values in {"one at a time": near, "all settings": everywhere}.items():
            rows = table.loc[name]
            np.testing.assert_allclose(rows["naive"], [values.mean(), cvar(values, 0.2), values.min()])
            np.testing.assert_allclose(rows["estimate"], rows["naive"])  # nothing is left to luck without noise
        assert table.loc[("one at a time", "mean"), "settings"] == 4

    def test_the_worst_of_equal_settings_is_not_worse(self) -> None:
        found = [
            tail_of_neighbourhoods(
                grid({"a": range(30)}, lambda a: 90.0, seeds=4, noise=1.0, rng=rng), None, generator()
            )
            for rng in range(40)
        ]
        worst = pd.concat([f.table for f in found]).query("measure == 'worst'")
        assert worst["estimate"].mean() == pytest.approx(90, abs=0.25) and worst["naive"].mean() < 89.2


class TestBudget:
    def test_golden(self) -> None:
        case = golden_cases()["expected_validation_performance"]
        scores = case["inputs"]["scores"]
        curve = expected_best(grid({"a": range(len(scores))}, lambda a: scores[a]), generator(), ks=case["inputs"]["k"])
        np.testing.assert_allclose(
            curve.table["naive"], list(case["expected"]["without_replacement_unbiased"].values())
        )
        np.testing.assert_allclose(
            curve.table["plug_in"], list(case["expected"]["with_replacement_dodge2019"].values())
        )
        assert curve.table["expected"].isna().all() and "needs at least 2 seeds" in curve.note

    def test_weights_enumerate_all_subsets(self) -> None:
        scores = np.sort(np.random.default_rng(0).random(7))
        for k in range(1, 8):
            mean = np.mean([max(subset) for subset in combinations(scores, k)])
            assert best_of_weights(7, np.array([k]))[0] @ scores == pytest.approx(mean)
        np.testing.assert_allclose(plug_in_weights(7, np.array([3])).sum(), 1)
        assert np.isnan(best_of_weights(3, np.array([4]))).all()

    def test_expected_score_is_not_inflated_and_grows_with_the_budget(self) -> None:
        flat = [
            expected_best(
                grid({"a": range(20)}, lambda a: 90.0, seeds=4, noise=1.0, rng=rng), generator(), ks=[1, 5, 20]
            )
            for rng in range(40)
        ]
        means = pd.concat([curve.table for curve in flat]).groupby("k").mean()
        assert means["expected"].to_numpy() == pytest.approx([90, 90, 90], abs=0.25)
        assert means.loc[20, "naive"] > 90.8
        steep = expected_best(grid({"a": range(20)}, lambda a: float(a), seeds=4, noise=0.1), generator()).table
        assert steep["expected"].is_monotonic_increasing and steep["expected"].iloc[-1] == pytest.approx(19, abs=0.3)

    def test_a_sample_has_no_interval_beyond_half_its_settings(self) -> None:
        table = expected_best(sample(20, "ab", lambda a, b: a + b, seeds=4, noise=0.01), generator()).table
        known = table["low"].notna()
        assert known[table["k"] <= 10].all() and not known[table["k"] > 10].any()

    def test_ties_do_not_depend_on_the_order_of_settings(self) -> None:
        first = grid({"a": [0, 1, 2, 3]}, lambda a: [1.0, 2.0, 2.0, 0.0][a], seeds=2, noise=0.0)
        assert expected_best(first, generator(), ks=[4]).table["expected"].tolist() == [2.0]


class TestStability:
    def test_budget_decides_who_is_first(self) -> None:
        """A robust method wins untuned; a sensitive one with a higher peak wins once it is tuned."""
        methods = [
            grid({"a": range(12)}, lambda a: 90 + 0.01 * a, seeds=4, method="robust", rng=1, noise=0.01),
            grid({"a": range(12)}, lambda a: 91 if a == 0 else 80.0, seeds=4, method="sensitive", rng=2, noise=0.01),
        ]
        found = rank_stability(methods, generator(), studies=400)
        first = found.table.pivot(index="k", columns="method", values="first")
        assert first.loc[1, "robust"] == pytest.approx(11 / 12, abs=0.05)
        assert first.loc[12, "sensitive"] == 1.0
        assert first.loc[6, "sensitive"] == pytest.approx(0.5, abs=0.08)  # 6 of 12 settings contain the peak
        np.testing.assert_allclose(first.sum(axis=1), 1)
        assert "the same halves" in found.method

    def test_equal_methods_share_the_first_place(self) -> None:
        methods = [grid({"a": range(5)}, lambda a: 90.0, seeds=2, method=f"m{i}") for i in range(3)]
        table = rank_stability(methods, generator(), [1, 5, 9], studies=50).table
        np.testing.assert_allclose(table["first"], 1 / 3)
        np.testing.assert_allclose(table["mean_rank"], 2)
        assert sorted(table["k"].unique()) == [1, 5]

    def test_refusals(self) -> None:
        one = grid({"a": range(5)}, lambda a: a)
        assert "needs at least 2 seeds of every method" in rank_stability([one, one], generator()).note
        with pytest.raises(StoreError, match="two or more methods"):
            rank_stability([one], generator())


class TestTransfer:
    def test_regret_and_rankings_without_noise(self) -> None:
        values = {"c10": [94.0, 93.0, 92.0, 91.0], "c100": [70.0, 73.0, 72.5, 69.0], "in16": [44.0, 43.0, 46.0, 40.0]}
        datasets = [grid({"a": range(4)}, lambda a, v=v: v[a], seeds=3, dataset=d) for d, v in values.items()]
        found = transfer(datasets, generator())
        regret = found.regret.set_index(["source", "target"])
        for column in ("naive", "regret"):
            assert regret.loc[("c10", "c100"), column] == pytest.approx(3.0)
            assert regret.loc[("c100", "in16"), column] == pytest.approx(3.0)
        tau = found.tau.set_index(["first", "second"])["tau"]
        assert tau["c10", "in16"] == pytest.approx(stats.kendalltau(values["c10"], values["in16"]).statistic)

    def test_noise_alone_makes_no_regret_and_its_ceiling_is_low(self) -> None:
        regrets, ceilings, naive = [], [], []
        for rng in range(20):
            pair = [
                grid({"a": range(15)}, lambda a: 90.0, seeds=4, noise=1.0, rng=100 * rng + i, dataset=f"d{i}")
                for i in range(2)
            ]
            found = transfer(pair, generator())
            regrets += found.regret["regret"].tolist()
            naive += found.regret["naive"].tolist()
            ceilings += found.tau["ceiling"].tolist()
        assert abs(np.mean(regrets)) < 0.2 < 0.5 < np.mean(naive)
        assert abs(np.mean(ceilings)) < 0.15

    def test_only_common_settings_count_and_unequal_seeds_stay_naive(self) -> None:
        first = grid({"a": range(4)}, lambda a: a, seeds=3)
        second = grid({"a": range(1, 6)}, lambda a: -a, seeds=2, dataset="other")
        found = transfer([first, second], generator())
        assert "best of 3 settings" in found.method and found.regret["regret"].isna().all()
        assert found.regret["naive"].tolist() == pytest.approx([2.0, 2.0])
        assert "as many on every data set" in found.note
        with pytest.raises(StoreError, match="two settings that were run on every data set"):
            transfer([first, grid({"a": [9, 10]}, lambda a: a, dataset="other")], generator())
        with pytest.raises(StoreError, match="two or more data sets of one method"):
            transfer([first], generator())
