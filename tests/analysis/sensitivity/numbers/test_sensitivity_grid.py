"""Exact analysis of variance, against statsmodels' printed numbers and known functions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sensitivity_trials import VALUE, golden_cases, grid

from analysis.sensitivity.numbers import anova, main_effects, pairwise_effect, read_settings
from analysis.sensitivity.numbers.effects import lines
from analysis.sensitivity.numbers.grid import SEEDS, effect_sums
from analysis.sensitivity.numbers.jackknife import jackknife
from trainables.errors import StoreError

LEVELS = {"a": [0.0, 0.5, 1.0], "b": [0.0, 1.0], "c": ["x", "y"]}


def additive(a: float, b: float, c: str) -> float:
    return 3 * a + b + 2 * (c == "x")


def test_golden_factorial_variance_shares() -> None:
    case = golden_cases()["factorial_variance_shares"]
    rows = pd.DataFrame(case["inputs"]["rows"], columns=[f"hp.{c}" for c in case["inputs"]["columns"]])
    rows = rows.rename(columns={"hp.seed": "seed", "hp.acc": VALUE}).assign(method="m", dataset="d")
    terms = anova(read_settings(rows.sample(frac=1, random_state=0), VALUE)).terms.set_index("term")
    keys = ["C(" + t.replace(" × ", "):C(") + ")" if t != SEEDS else "Residual" for t in terms.index]
    for ours, theirs in {"ss": "sum_sq", "df": "df", "eta2": "eta2", "omega2": "omega2", "p": "p"}.items():
        for term, key in zip(terms.index, keys, strict=True):
            if key in case["expected"][theirs]:
                expected = case["expected"][theirs][key]
                assert terms.loc[term, ours] == pytest.approx(expected, rel=1e-6, abs=1e-9 if ours != "p" else 0)
    assert terms["eta2"].sum() == pytest.approx(1) and terms["omega2"].sum() == pytest.approx(1)
    assert terms["share"].sum() == pytest.approx(1)


def test_golden_known_function_without_seeds() -> None:
    case = golden_cases()["importance_fanova_pedanova_known_function"]
    ticks = np.linspace(0, 1, 7).tolist()
    settings = grid(dict.fromkeys(("x1", "x2", "x3"), ticks), lambda x1, x2, x3: known_function(x1, x2))
    found = anova(settings)
    shares = found.terms.set_index("term")["eta2"]
    for term, share in case["expected"]["exact_fanova_on_grid"].items():
        assert shares[term.replace("*", " × ")] == pytest.approx(share, abs=case["tolerance"]["exact_abs"])
    assert found.terms["omega2"].isna().all() and found.terms["p"].isna().all()
    assert "needs at least 2 a setting" in found.note


def known_function(x1: float, x2: float) -> float:
    return 10 * x1 + 4 * x2 + 6 * (x1 - 0.5) * (x2 - 0.5)


def test_additive_function_has_no_interactions_and_a_lost_trial_no_decomposition() -> None:
    settings = grid(LEVELS, additive, seeds=2, common=1.0)
    terms = anova(settings).terms
    assert (terms.loc[terms["names"].str.len() > 1, "ss"].abs() < 1e-9).all()
    pair = pairwise_effect(settings, "c", "a", np.random.default_rng(0))
    assert pair.method.startswith("exact") and pair.table["interaction"].abs().max() < 1e-9
    with pytest.raises(StoreError, match="every combination"):
        settings.values[3, 0] = np.nan
        anova(settings)


def test_omega_squared_covers_the_population_share() -> None:
    """Noise pushes eta² of the inert hyperparameter up, not omega²; intervals keep near their level."""
    truth = {"a": 9 * np.var([0, 0.5, 1]), "b": 0.25, "c": 1.0}
    total = sum(truth.values()) + 0.8**2 + 0.5**2
    covered, eta, omega = np.zeros(3), [], []
    for rng in range(40):
        terms = anova(grid(LEVELS, additive, seeds=5, noise=0.8, common=0.5, rng=rng)).terms.iloc[:3]
        share = np.array([truth[name] for name in terms["term"]]) / total
        covered += (terms["low"] <= share) & (share <= terms["high"])
        eta.append(terms["eta2"] - share)
        omega.append(terms["omega2"] - share)
    assert (covered >= 34).all()
    assert np.abs(np.mean(omega, axis=0)).max() < 0.03


def test_percentile_bootstrap_over_seeds_is_no_interval_for_a_share() -> None:
    """Why the jackknife is used: resampled means are noisier than the data's, and the share moves down with them."""
    levels, truth = (5, 4, 2), np.add.outer(np.add.outer(np.linspace(0, 3, 5), np.linspace(0, 1, 4)), np.zeros(2))
    rng, covered = np.random.default_rng(0), {"jackknife": 0, "bootstrap": 0}

    def share(values: np.ndarray) -> np.ndarray:
        means = values.mean(axis=1).reshape(levels)
        return effect_sums(means, [(0,)]) / (means.size * means.var())

    target = share(truth.reshape(-1, 1))
    for _ in range(60):
        values = truth.reshape(-1, 1) + 0.5 * rng.standard_normal((40, 3))
        bands = jackknife(values, share)
        covered["jackknife"] += bool((bands.low <= target) & (target <= bands.high))
        drawn = [share(values[:, rng.integers(3, size=3)]) for _ in range(100)]
        low, high = np.quantile(drawn, [0.025, 0.975])
        covered["bootstrap"] += bool((low <= target) & (target <= high))
    assert covered["bootstrap"] < 20 and covered["jackknife"] > 45


def test_curves_are_marginal_means_with_a_t_interval_over_seeds() -> None:
    settings = grid(LEVELS, additive, seeds=4, noise=0.3, common=0.5)
    curves = main_effects(settings, np.random.default_rng(0))
    rows = curves.table[curves.table["hyperparameter"] == "a"]
    per_seed = settings.grid().mean(axis=(1, 2))
    np.testing.assert_allclose(rows["mean"].astype(float), per_seed.mean(axis=1))
    half = 3.182446305284263 * per_seed.std(axis=1, ddof=1) / 2  # t(.975, 3)
    np.testing.assert_allclose(rows["high"].astype(float) - rows["mean"].astype(float), half)
    thin = lines(settings, "a")
    assert thin["line"].nunique() == 4
    np.testing.assert_allclose(thin.groupby("level")["mean"].mean(), per_seed.mean(axis=1))
