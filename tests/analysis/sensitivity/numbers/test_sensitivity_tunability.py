"""Default against tuned: the golden table, the winner's curse, the path between them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sensitivity_trials import VALUE, golden_cases, grid, sample, trials_of

from analysis.sensitivity.numbers import (
    Settings,
    ablation_path,
    declared_defaults,
    read_settings,
    tunability,
)
from analysis.sensitivity.numbers.games import coalitions, faithful_interactions, shapley_values
from trainables.errors import StoreError

DEFAULT = {"lr": 0, "wd": 0, "opt": 0}


def golden() -> tuple[Settings, Mapping[str, float]]:
    table = {tuple(map(int, k.split(","))): v for k, v in golden_cases()["tunability_table"]["inputs"]["table"].items()}
    levels = {"lr": [0, 1, 2], "wd": [0, 1], "opt": [0, 1]}
    return grid(levels, lambda lr, wd, opt: table[lr, wd, opt]), golden_cases()["tunability_table"]["expected"]


def naive(found: pd.DataFrame, measure: str) -> dict[str, float]:
    rows = found[found["measure"] == measure]
    return dict(zip(rows["hyperparameter"].str.replace(" × ", "+"), rows["naive"], strict=True))


class TestGolden:
    def test_gap_and_every_hyperparameters_part(self) -> None:
        settings, expected = golden()
        found = tunability(settings, DEFAULT, np.random.default_rng(0))
        assert found.naive_gap == pytest.approx(expected["tuned_gap"])
        measures = {
            "alone": "tunability_probst_single",
            "pair": "tunability_probst_pair",
            "missed": "loss_if_fixed",
            "shapley": "shapley_tunability",
        }
        for measure, key in measures.items():
            assert naive(found.table, measure) == pytest.approx(expected[key], abs=1e-9)
        pairs = {k: v for k, v in expected["fsii_order2_tunability"].items() if "+" in k}
        assert naive(found.table, "interaction") == pytest.approx(pairs, abs=1e-8)
        assert found.best == {"lr": 2, "wd": 1, "opt": 1}

    def test_a_single_seed_is_not_cross_fitted_and_says_so(self) -> None:
        found = tunability(golden()[0], DEFAULT, np.random.default_rng(0))
        assert np.isnan(found.gap.estimate) and found.table["gain"].isna().all()
        assert "choosing and scoring needs at least 2 seeds" in found.gap.note == found.note

    def test_path(self) -> None:
        settings, expected = golden()
        path = ablation_path(settings, DEFAULT)
        steps = list(zip(path.table["hyperparameter"], path.table["gain"], strict=True))
        assert [name for name, _ in steps] == [name for name, _ in expected["greedy_ablation_path"]]
        assert [gain for _, gain in steps] == pytest.approx([gain for _, gain in expected["greedy_ablation_path"]])
        shapley = dict(zip(path.table["hyperparameter"], path.table["shapley"], strict=True))
        assert shapley == pytest.approx(expected["shapley_ablation"])
        assert path.table["value"].iloc[-1] == pytest.approx(settings.means.max())


class TestWinnersCurse:
    def test_equal_settings_have_no_gap_though_the_best_mean_is_higher(self) -> None:
        gaps, inflations, predicted = [], [], []
        for rng in range(40):
            settings = grid({"a": range(20)}, lambda a: 90.0, seeds=5, noise=1.0, common=1.0, rng=rng)
            found = tunability(settings, {"a": 0}, np.random.default_rng(0))
            gaps.append(found.gap.estimate)
            inflations.append(found.inflation)
            predicted.append(found.expected_inflation)
        assert abs(np.mean(gaps)) < 0.2
        assert np.mean(predicted) == pytest.approx(0.835, abs=0.04)  # E[max of 20 normals] / sqrt(5)
        assert np.mean(inflations) == pytest.approx(0.835, abs=0.15)

    def test_failed_trials_leave_the_rest_usable(self) -> None:
        settings = grid({"a": [0, 1, 2], "b": [0, 1]}, lambda a, b: a + b, seeds=4, noise=0.01)
        settings.values[-1, 0] = settings.values[1, :] = np.nan
        found = tunability(settings, {"a": 0, "b": 0}, np.random.default_rng(0))
        assert found.gap.estimate == pytest.approx(3, abs=0.05)


def test_settings_off_a_grid_give_the_gap_and_what_was_varied_alone() -> None:
    rows = [{"a": 0.5, "b": 0.5}, {"a": 0.9, "b": 0.5}, {"a": 0.1, "b": 0.2}, {"a": 0.7, "b": 0.8}]
    settings = read_settings(trials_of(rows, lambda a, b: a + b, seeds=3), VALUE)
    found = tunability(settings, rows[0], np.random.default_rng(0))
    alone = naive(found.table, "alone")
    assert found.naive_gap == pytest.approx(0.5) and alone["a"] == pytest.approx(0.4) and np.isnan(alone["b"])
    assert set(found.table["measure"]) == {"alone"}
    path = ablation_path(settings, rows[0])
    assert path.table.empty and "no setting after step 0 of 2 was run" in path.note
    with pytest.raises(StoreError, match="must be among those that were run"):
        tunability(settings, {"a": 0.5, "b": 0.6}, np.random.default_rng(0))


def test_declared_defaults_are_used_where_they_were_run() -> None:
    rates = [3e-5, 3e-4, 3e-3]
    trials = trials_of([{"arch_lr": rate} for rate in rates], lambda arch_lr: arch_lr, method="drnas")
    assert declared_defaults(read_settings(trials, VALUE)) == {"arch_lr": 3e-4}
    assert declared_defaults(read_settings(trials[trials["hp.arch_lr"] != 3e-4], VALUE)) is None
    assert declared_defaults(sample(5, "ab", lambda a, b: a)) is None


class TestGames:
    def test_shapley_is_the_mean_gain_over_all_orders(self) -> None:
        values = np.random.default_rng(0).random(16)
        game = dict(zip(coalitions(4), values, strict=True))
        gains = np.zeros(4)
        orders = list(permutations(range(4)))
        for order in orders:
            for place, player in enumerate(order):
                gains[player] += game[frozenset(order[: place + 1])] - game[frozenset(order[:place])]
        np.testing.assert_allclose(shapley_values(game, 4), gains / len(orders))

    def test_a_game_of_single_and_pair_terms_is_found_again(self) -> None:
        single, pair = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.0, -1.2])
        pairs = [{0, 1}, {0, 2}, {1, 2}]
        game = {
            c: single[list(c)].sum() + sum(v for v, p in zip(pair, pairs, strict=True) if p <= c) for c in coalitions(3)
        }
        found = faithful_interactions(game, 3)
        np.testing.assert_allclose(found[0], single, atol=1e-12)
        np.testing.assert_allclose(found[1], pair, atol=1e-12)
