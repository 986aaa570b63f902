"""Variance of methods, settings and seeds, against hand-written moments, REML and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from sensitivity_trials import VALUE, trials_of

from analysis.sensitivity.numbers import Settings, read_settings, variance_decomposition
from analysis.sensitivity.numbers.components import mean_squares, moments
from trainables.errors import StoreError


def study(
    methods: int = 3, settings: int = 6, seeds: int = 4, *, spread: float = 1.0, rng: int = 0, lose: int = 0
) -> list[Settings]:
    """Method means of sd 0.6 and setting means of sd ``spread``; seeds shift all by sd 0.4, and each trial by 0.5."""
    generator = np.random.default_rng(rng)
    found = []
    for method in range(methods):
        means = 90 + 0.6 * generator.standard_normal() + spread * generator.standard_normal(settings)
        rows = [{"a": a} for a in range(settings)]
        noise = {"noise": 0.5, "common": 0.4, "rng": 1000 + rng}  # the same seeds' shifts for every method
        trials = trials_of(rows, lambda a, means=means: means[a], seeds=seeds, method=f"m{method}", **noise)
        trials[VALUE] += 0.5 * generator.standard_normal(len(trials))
        found.append(read_settings(trials.iloc[lose * method :], VALUE))
    return found


def test_balanced_moments_by_hand() -> None:
    methods = study()
    y = np.stack([settings.values for settings in methods])
    found = variance_decomposition(methods, np.random.default_rng(0))
    raw = found.table.set_index("component")["raw"]
    cells, residual = y.mean(axis=2), y - y.mean(axis=2, keepdims=True) - y.mean(axis=(0, 1)) + y.mean()
    error = np.square(residual).sum() / (17 * 3)
    settings = 4 * cells.var(axis=1, ddof=1).mean()
    assert raw["seed within setting"] == pytest.approx(error)
    assert raw["shared seed"] == pytest.approx((18 * y.mean(axis=(0, 1)).var(ddof=1) - error) / 18)
    assert raw["setting"] == pytest.approx((settings - error) / 4)
    assert raw["method"] == pytest.approx((24 * y.mean(axis=(1, 2)).var(ddof=1) - settings) / 24)
    assert found.test.statistic == pytest.approx(24 * y.mean(axis=(1, 2)).var(ddof=1) / settings)
    assert found.table["share"].sum() == pytest.approx(1)


def test_reml_of_a_nearly_balanced_design_agrees_with_the_moments() -> None:
    whole = variance_decomposition(study(spread=1.5), np.random.default_rng(0)).table.set_index("component")
    holed = variance_decomposition(study(spread=1.5, lose=1), np.random.default_rng(0))
    assert "REML" in holed.method and holed.table["low"].isna().all()
    assert np.isnan(holed.test.p) and "all seeds" in holed.test.note
    for row in holed.table.itertuples():
        assert row.variance == pytest.approx(whole.loc[row.component, "variance"], rel=0.35, abs=0.05)


def test_moments_of_methods_with_unequal_numbers_of_settings_are_unbiased() -> None:
    """Against the truth, over many studies; the method's share by moments, whatever the counts."""
    found = []
    for rng in range(150):
        generator = np.random.default_rng(rng)
        parts = [
            0.6 * generator.standard_normal() + generator.standard_normal((count, 1)) + np.zeros((count, 4))
            for count in (3, 12, 6, 9)
        ]
        shift = 0.4 * generator.standard_normal(4)
        parts = [part + shift + 0.7 * generator.standard_normal(part.shape) for part in parts]
        squares, _ = mean_squares(parts, shared=True)
        found.append(list(moments(squares, [3, 12, 6, 9], 4).values()))
    assert np.mean(found, axis=0) == pytest.approx([0.36, 1.0, 0.16, 0.49], abs=0.08)


def test_unequal_numbers_of_settings_need_no_model() -> None:
    methods = [study(settings=count, rng=count)[0] for count in (4, 6, 9)]
    found = variance_decomposition(methods, np.random.default_rng(0))
    assert "3 × 4 to 9 settings × 4 seeds" in found.method and "approximate" in found.method
    assert found.table["low"].notna().all() and 0 <= found.test.p <= 1


def test_a_component_that_is_absent_is_shown_as_zero_and_said() -> None:
    settings = study(methods=1, spread=0.0, rng=4)
    found = variance_decomposition(settings, np.random.default_rng(0))
    row = found.table.set_index("component").loc["setting"]
    assert row["raw"] < 0 == row["variance"] and "negative, so shown as 0: setting" in found.note
    holed = variance_decomposition(study(methods=2, spread=0.0, rng=4, lose=1), np.random.default_rng(0))
    assert holed.note == "no variance was found for setting, shared seed: on the boundary"


def test_intervals_cover_the_true_shares() -> None:
    truth = np.array([0.36, 1.0, 0.16, 0.5])
    covered = np.zeros(4)
    for rng in range(40):
        table = variance_decomposition(study(settings=8, rng=rng), np.random.default_rng(0)).table
        covered += (table["low"] <= truth / truth.sum()) & (truth / truth.sum() <= table["high"])
    assert (covered >= 34).all()


def test_one_seed_cannot_tell_settings_from_seeds_and_data_sets_are_not_mixed() -> None:
    single = variance_decomposition(study(seeds=1), np.random.default_rng(0))
    assert single.table.empty and "cannot be told apart" in single.note
    other = read_settings(trials_of([{"a": 1}, {"a": 2}], lambda a: a, dataset="other"), VALUE)
    with pytest.raises(StoreError, match="on one data set"):
        variance_decomposition([*study(), other], np.random.default_rng(0))
