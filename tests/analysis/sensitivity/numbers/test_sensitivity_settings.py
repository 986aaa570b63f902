"""Trials -> settings x seeds, and the axes of hyperparameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sensitivity_trials import VALUE, every, grid, trials_of

from analysis.sensitivity.numbers import Settings, read_settings
from trainables.errors import StoreError

LEVELS = {"lr": [1e-3, 1e-2, 1e-1], "opt": ["sgd", "adam"]}


def value_of(lr: float, opt: str) -> float:
    return 90 + np.log10(lr) + (opt == "adam")


def frame(**options: object) -> pd.DataFrame:
    return trials_of(every(LEVELS), value_of, **({"seeds": 3, "noise": 0.1} | options))


def equal(first: Settings, second: Settings) -> bool:
    same = np.array_equal(first.values, second.values, equal_nan=True) and first.seeds == second.seeds
    return same and first.table.equals(second.table) and first.hyperparameters == second.hyperparameters


class TestReading:
    def test_each_trial_lands_in_its_setting_and_seed_whatever_the_order(self) -> None:
        trials = frame().assign(**{"hp.decay": 0.5, "hp.other_method": None})
        settings = read_settings(trials.sample(frac=1, random_state=1), VALUE)
        assert equal(settings, read_settings(trials, VALUE))
        assert settings.names == ("lr", "opt") and settings.fixed == {"decay": 0.5}
        row = settings.position({"lr": 1e-2, "opt": "sgd"})
        asked = trials[(trials["hp.lr"] == 1e-2) & (trials["hp.opt"] == "sgd")].sort_values("seed")
        assert settings.values[row].tolist() == asked[VALUE].tolist()
        assert settings.setting(row) == {"lr": 1e-2, "opt": "sgd"}
        assert settings.is_full_grid and settings.grid().shape == (3, 2, 3)

    def test_a_missing_trial_is_no_full_grid_and_a_missing_setting_is_not_complete(self) -> None:
        short = read_settings(frame().drop(index=4), VALUE)
        assert short.is_complete and not short.is_full_grid and short.failed == 0
        with pytest.raises(StoreError, match="every combination of the levels"):
            short.grid()
        assert not read_settings(frame().drop(index=[0, 1, 2]), VALUE).is_complete

    def test_a_failed_trial_is_counted(self) -> None:
        settings = read_settings(frame().assign(**{VALUE: lambda f: f[VALUE].where(f.index != 4)}), VALUE)
        assert settings.failed == 1 and not settings.is_full_grid
        row = int(np.flatnonzero(np.isnan(settings.values).any(axis=1))[0])
        assert settings.means[row] == pytest.approx(np.nanmean(settings.values[row]))

    def test_seeds_that_no_two_settings_share_become_repeats(self) -> None:
        trials = frame().assign(seed=range(18))
        settings = read_settings(trials, VALUE, shared_seeds=False)
        assert not settings.shared_seeds and settings.is_full_grid and settings.n == 3
        assert np.array_equal(settings.values, read_settings(frame(), VALUE).values)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"method": ["a", "b"] * 9}, "about one method"),
            ({"seed": 0}, "one trial a seed"),
            ({"hp.lr": [None, *[0.1] * 17]}, "`hp.lr` of m is missing in 1 of 18"),
            ({"hp.lr": [np.inf, *[0.1] * 17]}, "`hp.lr` of m is infinite"),
            ({VALUE: np.nan}, "needs values"),
        ],
    )
    def test_trials_that_cannot_be_analysed_are_refused(self, change: dict[str, object], message: str) -> None:
        with pytest.raises(StoreError, match=message):
            read_settings(frame().assign(**change), VALUE)

    def test_a_setting_that_was_not_run_is_refused(self) -> None:
        with pytest.raises(StoreError, match=r"has no \{'lr': 7, 'opt': None\}"):
            read_settings(frame(), VALUE).position({"lr": 7})


class TestScales:
    def test_scale_is_read_off_the_levels(self) -> None:
        rows = [{"a": 10.0**i, "b": i, "c": i % 2 == 0, "e": str(i), "f": 2.0**i} for i in range(1, 5)]
        scales = {h.name: h for h in read_settings(trials_of(rows, lambda **_: 1.0), VALUE).hyperparameters}
        assert [scales[name].scale for name in "abcef"] == ["log", "linear", "categorical", "linear", "log"]
        assert scales["b"].integer and not scales["a"].integer and not scales["a"].declared
        np.testing.assert_allclose(scales["a"].unit(pd.Series([10.0, 100.0, 1e4])), [0, 1 / 3, 1])
        assert scales["e"].levels == (1, 2, 3, 4)  # text of numbers

    def test_own_methods_declare_their_ranges(self) -> None:
        trials = trials_of([{"arch_lr": v} for v in (1e-3, 2e-3, 3e-3)], lambda arch_lr: arch_lr, method="drnas")
        declared = read_settings(trials, VALUE).hyperparameters[0]
        assert declared.declared and declared.scale == "log" and declared.low < 1e-3 and declared.high > 3e-3
        assert read_settings(trials.assign(method="foreign"), VALUE).hyperparameters[0].scale == "linear"

    def test_curve_points_are_the_levels_unless_there_are_many(self) -> None:
        few, many = (grid({"a": np.geomspace(1, 100, count)}, lambda a: a) for count in (3, 30))
        levels, unit = few.hyperparameters[0].points(5)
        np.testing.assert_allclose(levels, [1, 10, 100])
        np.testing.assert_allclose(unit, [0, 0.5, 1])
        levels, unit = many.hyperparameters[0].points(3)
        np.testing.assert_allclose(levels, [1, 10, 100])


def test_table_is_sorted_by_level() -> None:
    settings = read_settings(frame().iloc[::-1], VALUE)
    expected = pd.DataFrame({"lr": np.repeat(LEVELS["lr"], 2), "opt": ["adam", "sgd"] * 3})
    assert_frame_equal(settings.table, expected, check_dtype=False)
