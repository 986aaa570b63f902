"""A published grid of 30,000 settings x 5 seeds, through a Parquet table, against other ways to decompose it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hpobench import VALUE, tidy, write_table
from statsmodels.stats.anova import anova_lm

from analysis.sensitivity.numbers import anova, exact_importances, fanova_importances, read_settings

NAMES = ["alpha", "batch_size", "depth", "learning_rate_init", "width"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return pd.read_parquet(write_table("vehicle", tmp_path_factory.mktemp("tables")))


def thinned(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """The grid of about ``most`` evenly chosen levels of each hyperparameter."""
    keep = np.ones(len(table), dtype=bool)
    for name in NAMES:
        levels = np.unique(table[f"hp.{name}"])
        keep &= table[f"hp.{name}"].isin(levels[:: -(-len(levels) // most)])
    return table[keep]


def test_table_layout(table: pd.DataFrame) -> None:
    assert list(table) == ["method", "dataset", "seed", *(f"hp.{name}" for name in NAMES), VALUE]
    assert len(table) == 150_000 and table[VALUE].between(0, 100).all()
    pd.testing.assert_frame_equal(table, tidy("vehicle"), check_dtype=False)


def test_full_grid_shares_are_those_of_the_marginal_means(table: pd.DataFrame) -> None:
    settings = read_settings(table, VALUE)
    assert settings.is_full_grid and settings.levels == (10, 10, 3, 10, 10)
    assert [h.scale for h in settings.hyperparameters] == ["log", "log", "linear", "log", "log"]
    found = exact_importances(settings)
    keys = [f"hp.{name}" for name in NAMES]
    total = table.groupby(keys)[VALUE].mean().var(ddof=0)
    for row in found.table.itertuples():
        marginal = table.groupby(f"hp.{row.hyperparameter}")[VALUE].mean().var(ddof=0)
        assert row.importance == pytest.approx(marginal / total, rel=1e-9)
    assert found.table["hyperparameter"].iloc[0] == "learning_rate_init"


def test_decomposition_of_a_part_equals_least_squares(table: pd.DataFrame) -> None:
    part = thinned(table, 3)
    found = anova(read_settings(part, VALUE)).terms.set_index("term")
    names = [name for name in NAMES if part[f"hp.{name}"].nunique() > 1]
    frame = part.rename(columns={f"hp.{name}": name for name in NAMES})
    formula = f"{VALUE} ~ " + " * ".join(f"C({name}, Sum)" for name in names)
    theirs = anova_lm(smf.ols(formula, frame).fit(), typ=1)
    for term, row in theirs.iterrows():
        ours = (
            "seeds" if term == "Residual" else " × ".join(p.split("(")[1].split(",")[0] for p in str(term).split(":"))
        )
        assert found.loc[ours, "ss"] == pytest.approx(row["sum_sq"], rel=1e-6, abs=1e-6)
        assert found.loc[ours, "df"] == row["df"]


def test_fanova_finds_the_order_that_the_exact_shares_have(table: pd.DataFrame) -> None:
    settings = read_settings(thinned(table, 3), VALUE)
    exact = exact_importances(settings).table.set_index("hyperparameter")
    forest = fanova_importances(settings, np.random.default_rng(0), trees=2)
    for row in forest.table.itertuples():
        assert row.importance == pytest.approx(exact.loc[row.hyperparameter, "importance"], abs=0.15)
