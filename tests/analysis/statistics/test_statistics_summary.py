"""Point statistics against golden numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from statistics_golden import cases, golden

from analysis.statistics.summary import (
    cvar,
    describe,
    iqm,
    mean,
)


def test_every_golden_case_is_tested() -> None:
    sources = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in cases() if f'"{name}"' not in sources] == []


def test_iqm_trims_a_quarter_and_says_how_much() -> None:
    case = golden("rliable_iqm_degenerate")
    for n in case.inputs["n"]:
        summary = describe(np.arange(n) ** 2)
        assert (summary.iqm, summary.mean) == (case.approx(str(n), "iqm"), case.approx(str(n), "mean"))
        assert summary.trimmed == case.expected[str(n)]["trimmed_each_side"]


def test_tails_match_golden() -> None:
    case = golden("worst_seed_cvar")
    values = np.array(case.inputs["x"])
    for tail in (0.1, 0.2, 0.25, 0.5):
        assert cvar(values, tail) == case.approx(f"cvar_{tail}")
    summary = describe(values)
    assert summary.worst == case.approx("worst")
    assert summary.mean == case.approx("mean")
    assert summary.std == case.approx("sd_ddof1")


def test_functions_reduce_the_last_axis_only() -> None:
    stacked = np.random.default_rng(0).normal(size=(7, 5, 9))
    for statistic in (mean, iqm, cvar):
        expected = [[statistic(row) for row in block] for block in stacked]
        np.testing.assert_allclose(statistic(stacked), expected)


def test_regrets_are_turned_around() -> None:
    accuracy = np.array([91.0, 90.0, 70.0, 93.0, 92.0])
    good, bad = describe(accuracy), describe(94 - accuracy, higher_is_better=False)
    for name in ("worst", "best", "cvar", "mean"):
        assert getattr(bad, name) == pytest.approx(94 - getattr(good, name)), name
    assert bad.std == pytest.approx(good.std)


def test_missing_values_are_counted_and_nothing_left_is_no_error() -> None:
    summary = describe([1.0, np.nan, 3.0, np.inf])
    assert (summary.n, summary.dropped, summary.mean, summary.std) == (2, 2, 2.0, pytest.approx(2**0.5))
    assert np.isnan(describe([5.0]).std)
    empty = describe([np.nan, np.nan])
    assert (empty.n, empty.dropped) == (0, 2)
    assert np.isnan([empty.mean, empty.worst, empty.cvar]).all()
