"""The comparison page is written whole, from three trials to many arms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic_store import HOSTILE, genotype, trial

from analysis import Results
from analysis.comparison.report import write_comparison
from analysis.results import accuracies
from trainables.errors import ConfigError

Study = Callable[..., Results]
COLUMN = "cifar10_test_accuracy"


def rows(methods: int, seeds: int, **common: Any) -> list[dict[str, Any]]:
    g = np.random.default_rng(0)
    return [
        trial(f"m{m}", s, genotype=genotype(s + m), **common) | {COLUMN: 93 - 0.3 * m + g.normal(0, 0.1)}
        for m in range(methods)
        for s in range(seeds)
    ]


def test_a_whole_page_with_its_files(study: Study, tmp_path: Path) -> None:
    page = write_comparison(study(rows(3, 8)), tmp_path / "c.html").read_text()
    figures = {path.stem for path in (tmp_path / "c_files" / "figures").glob("*.svg")}
    expected = {"differences", "pairwise_matrix", "paired_seeds", "probability_of_improvement", "rank_distribution"}
    assert expected | {"performance_profile", "critical_difference", "seeds_needed"} <= figures
    numbers = pd.read_csv(tmp_path / "c_files" / "tables" / "verdicts.csv")
    negligible, beyond = "different but negligible", "better by more than the margin"
    assert numbers["verdict"].tolist() == [negligible, beyond, negligible]
    assert "m0 beats m2 by more than 0.5 points" in page and "the common seeds of one data set" in page
    assert "Paired by seed: in a study of this program" in page


def test_three_trials_say_what_is_missing(study: Study, tmp_path: Path) -> None:
    hostile = [trial("x", 0, genotype=genotype(5), config=HOSTILE) | {COLUMN: 90.0}]
    page = write_comparison(study([*rows(2, 1), *hostile]), tmp_path / "c.html").read_text()
    assert "cannot be decided" in page and "No critical-difference diagram" in page and "No rank distribution" in page
    assert "<script>alert" not in page
    assert "1 pair<" in page and "No two arms share two seeds" in page and "1 pairs" not in page


def test_same_bytes_again(study: Study, tmp_path: Path) -> None:
    results = study(rows(2, 4))
    one, two = (write_comparison(results, tmp_path / f / "c.html").read_bytes() for f in _folders(tmp_path))
    assert one == two


def test_column_is_chosen_and_checked(study: Study) -> None:
    trials = study(rows(2, 2)).trials
    assert accuracies.chosen(trials, None) == COLUMN
    assert accuracies.chosen(trials, "cifar100_test_accuracy") == "cifar100_test_accuracy"
    with pytest.raises(ConfigError, match="did you mean 'cifar10_test_accuracy'"):
        accuracies.chosen(trials, "cifar10_test_acuracy")


def _folders(tmp_path: Path) -> list[str]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return ["one", "two"]
