"""Importances with their null, and curves of a surrogate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sensitivity_trials import VALUE, every, golden_cases, grid, sample, trials_of

from analysis.sensitivity.numbers import (
    anova,
    exact_importances,
    fanova_importances,
    importances,
    main_effects,
    noise_share,
    pairwise_effect,
    ped_anova_importances,
    read_settings,
)
from analysis.sensitivity.numbers.jackknife import jackknife
from analysis.statistics.intervals import t_interval

Golden = dict[str, dict[str, dict[str, float]]]


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def known() -> tuple[pd.DataFrame, Golden]:
    case = golden_cases()["importance_fanova_pedanova_known_function"]
    rows = every(dict.fromkeys(("x1", "x2", "x3"), np.linspace(0, 1, 7).tolist()))
    trials = trials_of(rows, lambda x1, x2, x3: 10 * x1 + 4 * x2 + 6 * (x1 - 0.5) * (x2 - 0.5))
    return trials.assign(**{"hp.constant": 1}), case["expected"]


def of(table: pd.DataFrame) -> pd.Series:
    return table.set_index("hyperparameter")["importance"]


def test_golden_exact_on_a_full_grid_and_a_constant_is_worth_nothing(known: tuple[pd.DataFrame, Golden]) -> None:
    trials, expected = known
    found = importances(read_settings(trials, VALUE), generator())
    assert found.evaluator == "exact ANOVA" and found.method.startswith("exact ANOVA of all 343")
    for name in ("x1", "x2", "x3"):
        assert of(found.table)[name] == pytest.approx(expected["exact_fanova_on_grid"][name], abs=1e-9)
    assert found.unexplained == pytest.approx(expected["exact_fanova_on_grid"]["x1*x2"])
    assert of(found.table)["constant"] == 0.0
    p = found.table.set_index("hyperparameter")["p"]
    assert p["x1"] < 1e-9 and p["x3"] == 1.0


def test_golden_ped_anova(known: tuple[pd.DataFrame, Golden]) -> None:
    trials, expected = known
    settings = read_settings(trials, VALUE)
    for quantile in (0.1, 0.25):
        found = ped_anova_importances(settings, generator(), permutations=0, quantile=quantile)
        for name, raw in expected["optuna_pedanova_raw"][f"target_quantile={quantile}"].items():
            assert of(found.table)[name] == pytest.approx(raw, rel=1e-6, abs=1e-6)
    assert np.isnan(found.unexplained) and found.table["p"].isna().all()


def test_golden_fanova(known: tuple[pd.DataFrame, Golden]) -> None:
    trials, expected = known
    found = fanova_importances(read_settings(trials, VALUE), generator(), trees=4)
    for name, share in expected["optuna_fanova_unnormalized_mean2seeds"].items():
        assert of(found.table)[name] == pytest.approx(share, abs=0.02)
    assert "held-out R² 1.00" in found.method


def test_pure_noise_is_inside_its_null_band_and_all_of_it_is_called_noise() -> None:
    levels = {"a": [1, 2, 3, 4], "b": [1, 2, 3], "c": ["x", "y"]}
    noise = grid(levels, lambda **_: 90.0, seeds=4, noise=1.0, common=1.0)
    for found in (exact_importances(noise), ped_anova_importances(noise, generator(), permutations=60)):
        assert (found.table["importance"] <= found.table["null"]).all() and (found.table["p"] > 0.05).all()
        assert found.noise > 0.7
    shuffled = [exact_importances(grid(levels, lambda **_: 90.0, noise=1.0, rng=r)) for r in range(20)]
    assert np.mean([found.table["p"] <= 0.05 for found in shuffled]) < 0.15


@pytest.mark.parametrize(("n", "tolerance"), [(5, 1e-9), (30, 1e-9), (600, 0.3)])
def test_jackknife_of_a_mean_is_its_t_interval(n: int, tolerance: float) -> None:
    values = generator().standard_normal((1, n))
    found, expected = jackknife(values, lambda v: v.mean(axis=1)).at(0), t_interval(values)
    assert found.estimate == pytest.approx(expected.estimate)
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=tolerance)


def test_nothing_varies_and_nothing_differs() -> None:
    alone = importances(grid({"a": [1]}, lambda a: 90.0, seeds=3, noise=1.0), generator())
    equal = importances(grid({"a": [1, 2]}, lambda a: 90.0, seeds=3), generator())
    for found in (alone, equal):
        assert of(found.table)["a"] == 0.0 and np.isnan(found.unexplained)
        assert list(found.table) == ["hyperparameter", "importance", "low", "high", "null", "p"]
    assert equal.note == "all settings have the same mean"


def test_noise_share_is_what_seeds_add_to_the_variance_between_means() -> None:
    levels = {"a": list(range(40))}
    shares = [noise_share(grid(levels, lambda a: 0.1 * a, seeds=5, noise=1.0, common=3.0, rng=r)) for r in range(20)]
    signal, noise = np.var(0.1 * np.arange(40), ddof=1), 1 / 5
    assert np.mean(shares) == pytest.approx(noise / (signal + noise), rel=0.15)


def test_row_order_and_duplicated_seeds_change_nothing_but_certainty() -> None:
    trials = trials_of(every({"a": [1, 2, 3], "b": [1, 2]}), lambda a, b: a * b, seeds=3, noise=0.2)
    settings = read_settings(trials, VALUE)
    shuffled = read_settings(trials.sample(frac=1, random_state=1), VALUE)
    pd.testing.assert_frame_equal(exact_importances(settings).table, exact_importances(shuffled).table)


def test_intervals_need_three_seeds_and_hold_the_estimate() -> None:
    levels = {"a": [1, 2, 3], "b": [1, 2, 3, 4]}
    two, four = (grid(levels, lambda a, b: a + b, seeds=n, noise=0.5) for n in (2, 4))
    bare = exact_importances(two)
    assert bare.table["low"].isna().all() and "needs at least 3 seeds" in bare.note
    table = exact_importances(four).table
    assert ((table["low"] <= table["importance"]) & (table["importance"] <= table["high"])).all()
    assert table["low"].min() >= 0 and table["high"].max() <= 1


def test_chance_gives_a_larger_share_in_fewer_cases() -> None:
    settings = grid({"a": [1, 2, 3], "b": [1, 2, 3, 4]}, lambda a, b: a, seeds=4, noise=1.0)
    often, seldom = (exact_importances(settings, alpha).table["null"] for alpha in (0.05, 0.01))
    assert (often < seldom).all()


class TestSurrogate:
    def test_fanova_agrees_with_the_truth_of_a_sample(self) -> None:
        settings = sample(60, "ab", lambda a, b: 4 * a + 2 * b)
        found = fanova_importances(settings, generator(), trees=8)
        assert found.evaluator == "fANOVA"
        assert of(found.table)["a"] == pytest.approx(0.8, abs=0.12) and "held-out R² 0." in found.method
        assert (found.table["p"] < 1e-3).all()

    def test_mixed_hyperparameters_with_a_setting_that_always_failed(self) -> None:
        rows = every({"rate": [1e-4, 1e-3, 1e-2, 1e-1], "depth": [1, 2, 3], "kind": ["x", "y", "z"]})
        trials = trials_of(rows, lambda rate, depth, kind: 5 * (kind == "x") + depth + 0.1 * np.log10(rate), seeds=3)
        trials.loc[:2, VALUE] = np.nan
        settings = read_settings(trials, VALUE)
        fanova = fanova_importances(settings, generator(), trees=8)
        assert fanova.table["hyperparameter"].tolist() == ["kind", "depth", "rate"]
        for found in (fanova, ped_anova_importances(settings, generator(), permutations=2)):
            assert found.table.drop(columns="null").notna().all(axis=None) and found.settings == 35
            assert of(found.table)["rate"] == of(found.table).min()

    def test_too_few_settings_are_refused_in_words(self) -> None:
        few = sample(6, "ab", lambda a, b: a + b)
        for found in (fanova_importances(few, generator()), ped_anova_importances(few, generator())):
            assert found.table["importance"].isna().all()
            assert "needs at least 10 settings, but there are 6" in found.note
        assert "needs at least 10 settings" in main_effects(few, generator()).note

    def test_curves_follow_the_function_and_are_refused_on_noise(self) -> None:
        settings = sample(60, "ab", lambda a, b: 4 * a + 2 * b, seeds=3, noise=0.05)
        curves = main_effects(settings, generator())
        rows = curves.table[curves.table["hyperparameter"] == "a"]
        slope = np.polyfit(rows["level"].astype(float), rows["mean"].astype(float), 1)[0]
        assert "forests fitted to 60 settings, held-out R² 0.9" in curves.method and slope == pytest.approx(4, abs=0.6)
        assert (rows["low"] <= rows["mean"]).all()
        pair = pairwise_effect(settings, "a", "b", generator())
        assert len(pair.table) == 81 and pair.table["interaction"].abs().max() < 0.5
        noise = sample(60, "ab", lambda a, b: 0.0, seeds=3, noise=1.0)
        assert main_effects(noise, generator()).table.empty
        assert "needs a held-out R² of 0.5" in pairwise_effect(noise, "a", "b", generator()).note


def test_importances_are_the_shares_of_the_decomposition() -> None:
    settings = grid({"a": [1, 2, 3], "b": ["x", "y"]}, lambda a, b: a * (1 + (b == "x")), seeds=3, noise=0.1)
    shares = anova(settings).terms.set_index("term")["share"]
    found = of(exact_importances(settings).table)
    np.testing.assert_allclose(found, shares[found.index])


@pytest.mark.parametrize("seeds", [1, 5])
def test_a_weak_hyperparameter_passes_beside_a_dominant_one(seeds: int) -> None:
    """Shuffles of whole settings answer for both at once: they gave b a p of 0.796."""
    levels = {"a": list(range(5)), "b": list(range(5)), "c": list(range(5))}
    settings = grid(levels, lambda a, b, c: 60 + 5 * a + 0.2 * b, seeds=seeds, noise=0.1)
    p = exact_importances(settings).table.set_index("hyperparameter")["p"]
    assert p["a"] < 1e-9 and p["b"] < 1e-6 and p["c"] > 0.05
    drawn = sample(60, "abc", lambda a, b, c: 60 + 20 * a + b, seeds=seeds, noise=0.1)
    p = fanova_importances(drawn, generator(), trees=2).table.set_index("hyperparameter")["p"]
    assert p["a"] < 1e-9 and p["b"] < 1e-4 and p["c"] > 0.05


def test_p_beside_a_share_is_the_f_test_of_the_decomposition_under_holm() -> None:
    settings = grid({"a": [1, 2, 3], "b": ["x", "y"]}, lambda a, b: 0.1 * a, seeds=3, noise=0.2)
    raw = anova(settings).terms.set_index("term")["p"]
    found = exact_importances(settings).table.set_index("hyperparameter")
    assert found["p"].min() == pytest.approx(2 * raw[["a", "b"]].min())
    significant = found["importance"] > found["null"]  # before Holm
    assert (significant == (raw[found.index] < 0.05)).all()


def test_seeds_that_never_differ_are_no_certainty() -> None:
    three, one = (grid({"a": [1, 2, 3], "b": [1, 2, 3]}, lambda a, b: a * b, seeds=n) for n in (3, 1))
    assert exact_importances(three).table["p"].tolist() == pytest.approx(exact_importances(one).table["p"].tolist())
    alone = exact_importances(grid({"a": [1, 2]}, lambda a: a)).table
    assert np.isnan(alone["p"]).all()


def test_two_inert_hyperparameters_are_rarely_named() -> None:
    levels = {"a": [1, 2, 3], "b": [1, 2, 3, 4]}
    found = [exact_importances(grid(levels, lambda a, b: 0.0, seeds=3, noise=1.0, rng=r)) for r in range(60)]
    assert np.mean([(one.table["p"] <= 0.05).any() for one in found]) < 0.15
