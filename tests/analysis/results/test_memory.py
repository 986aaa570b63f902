"""What is held at a time, and that a large report shows a stated part of what its files have in full."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pooling
import pytest
from synthetic_store import genotype, trial

from analysis import Results, load
from analysis.pages.page import TABLE_CARRIED_UP_TO, _table_links
from analysis.robustness import figures, summary_tables
from analysis.statistics import bootstrap
from analysis.statistics.summary import iqm

Study = Callable[..., Results]
MEASURE = """
import json, sys
import torch
from analysis import load
from analysis.robustness.courses.curves import curves
from trainables.peak_memory import PeakMemory

results = load(sys.argv[1])
memory = PeakMemory(torch.device("cpu"))
before = memory.mib()
summary = curves(results.trials, results.course(["cifar10_test_regret"]), "cifar10_test_regret").summary
pooled = memory.mib()
frame = results.epochs
found = {"summary": len(summary), "rows": len(frame), "pooled": pooled - before, "naive": memory.mib() - before}
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak since a moment")
def test_curves_take_a_fraction_of_the_memory_of_all_epochs(tmp_path: Path) -> None:
    store = pooling.make(tmp_path, 10_000)
    command = [sys.executable, "-c", MEASURE, str(store)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found["rows"] == 500_000 and found["summary"] == 20 * pooling.EPOCHS_EACH
    assert found["pooled"] < found["naive"] / 3


def test_a_generated_store_is_kept_and_reads_as_one(tmp_path: Path) -> None:
    store = pooling.make(tmp_path, 60, epochs=5)
    files = {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")}
    assert pooling.make(tmp_path, 60, epochs=5) == store
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")} == files
    results = load(store)
    assert len(results.trials) == 60 and results.trials["variant"].nunique() == 20
    assert len(results.epochs) == 300 and results.has_epochs


def test_the_jackknife_is_the_same_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).normal(size=37)
    whole = bootstrap._jackknife(data, iqm)
    monkeypatch.setattr(bootstrap, "CHUNK", 100)
    np.testing.assert_array_equal(bootstrap._jackknife(data, iqm), whole)
    np.testing.assert_allclose(whole[5], iqm(np.delete(data, 5)))


def test_a_large_variant_is_drawn_by_dots_that_keep_its_ends_and_quartiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST_DOTS", 101)
    values = np.random.default_rng(0).permutation(np.arange(1001.0))
    names = pd.Categorical(["large"] * 1001 + ["small"] * 5, ordered=True)
    trials = pd.DataFrame({"variant": names, "status": "ok", "x": [*values, *range(5)]})
    dots = figures._dots(trials, "x").groupby("variant", observed=True)["x"]
    assert dots.size().to_dict() == {"large": 101, "small": 5}
    assert dots.quantile([0, 0.25, 0.5, 0.75, 1]).loc["large"].tolist() == [0, 250, 500, 750, 1000]


def test_a_long_table_of_failures_says_what_it_shows(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary_tables, "MOST_ROWS", 3)
    trials = [trial("m", s, status="failed", error=f"error {s}") for s in range(5)]
    table = summary_tables.failed(study([*trials, trial("m", 9, genotype=genotype(1))]).trials)
    assert len(table.shown) == 3 and len(table.data) == 5
    assert "first 3 of 5 are shown; the CSV file has all" in table.caption


def test_a_table_too_large_for_the_page_is_a_link_beside_it() -> None:
    table = summary_tables.Table(
        "t", "T", "", pd.DataFrame({"a": [1]}), pd.DataFrame({"a": ["x" * TABLE_CARRIED_UP_TO]})
    )
    links = _table_links(table, "my report_files")
    assert links["CSV"].uri == "my%20report_files/tables/t.csv"
    assert links["LaTeX"].uri.startswith("data:")
