"""``--alpha``: every page says the level that it was asked for, in words and in numbers, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import Results
from analysis.robustness.report import write_report
from analysis.robustness.sections import Options

pytestmark = pytest.mark.slow

NasStudy = Callable[..., tuple[int, str, str]]
DEFAULT = re.compile(r"(?<![\d.])95\s%(?! of the resamples)|p ≤ 0\.05|at 0\.05|level 0\.05|0\.975|one case of twenty")
"""What a page says of 0.05 and of nothing else."""
ENDS = {"low": "high", "lo": "hi"}


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A method of 6 settings and one of 2, with 4 seeds each on two data sets, each run with two steps."""
    generator, rows = np.random.default_rng(1), []
    settings = [("A", lr, wd) for lr in (1, 2, 3) for wd in (1, 2)] + [("B", 1, 1), ("B", 2, 1)]
    for method, lr, wd in settings:
        for seed in range(4):
            row = {"method": method, "hp.lr": lr, "hp.wd": wd, "seed": seed}
            for dataset, acc in (("d", 90 + lr - wd / 2), ("e", 70 - lr)):
                own = row | {"dataset": dataset}
                rows += [own | {"step": step, "acc": acc + step + generator.normal(0, 0.5)} for step in (1, 2)]
    path = tmp_path_factory.mktemp("grid") / "t.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def written_of(page: Path) -> dict[str, pd.DataFrame]:
    """The tables and figures of a page, as numbers."""
    return {path.stem: pd.read_csv(path) for path in sorted(page.with_name(f"{page.stem}_files").glob("*/*.csv"))}


def widths(frame: pd.DataFrame) -> pd.DataFrame:
    """Of each interval: a column low, lo, low_..., ..._low, and that of the same name of its other end."""
    pairs = {c: re.sub(r"(?<![a-z])(low|lo)(?![a-z])", lambda m: ENDS[m[0]], c) for c in frame.columns}
    return pd.DataFrame({low: frame[high] - frame[low] for low, high in pairs.items() if high != low})


REPORTS = {
    "report": ["report", "--table", "{grid}", "--value", "acc", "--target", "90", "--target", "92"],
    "compare": ["compare", "--table", "{grid}", "--value", "acc"],
    "sensitivity": ["sensitivity", "--table", "{grid}", "--value", "acc", "--method", "A", "--default", "lr=1,wd=2"],
    "correlate": ["correlate", "{grid}", "--x", "hp.lr", "--x", "step", "--y", "acc"],
}


def check_levels(usual: Path, strict: Path) -> None:
    """The page ``strict``, at 0.01, beside the same at 0.05."""
    files = strict.with_name(f"{strict.stem}_files").rglob("*")
    for path in (strict, *(path for path in files if path.suffix in (".md", ".tex", ".svg"))):
        assert not (found := DEFAULT.findall(path.read_text().replace(r"\%", "%"))), (path, found)
    assert "99 %" in strict.read_text() and DEFAULT.search(usual.read_text())
    before, after = written_of(usual), written_of(strict)
    assert before.keys() == after.keys()
    found = {stem: (widths(before[stem]), widths(after[stem])) for stem in before}
    found = {stem: both for stem, both in found.items() if both[0].notna().any().any()}
    assert found
    for stem, (narrow, wide) in found.items():
        known = wide.notna().to_numpy()  # at a stricter level some seeds are too few for an interval at all
        assert (wide >= narrow - 1e-9).to_numpy()[known].all(), stem
        assert (wide > narrow).to_numpy()[known].any() or not (narrow > 0).to_numpy().any(), stem


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_at_another_level_says_it_everywhere_and_is_wider(
    nas_study: NasStudy, tmp_path: Path, grid: Path, name: str
) -> None:
    command, *arguments = REPORTS[name]
    pages = {alpha: tmp_path / f"{alpha}.html" for alpha in ("0.05", "0.01")}
    for alpha, page in pages.items():
        source = [part.format(grid=grid) for part in arguments]
        code, _, err = nas_study(command, *source, "--alpha", alpha, "-o", str(page))
        assert code == 0, err
    check_levels(pages["0.05"], pages["0.01"])


def test_so_does_the_report_of_a_study_and_students_interval_is_wider_by_the_ratio_of_the_quantiles(
    results: Results, written: Path, tmp_path: Path
) -> None:
    strict = write_report(results, tmp_path / "0.01.html", Options(alpha=0.01))
    check_levels(written, strict)
    both = []
    for page in (written, strict):
        every = written_of(page)["intervals"]
        every = every[every["method"].str.contains("mean with .* Student-t") & every["low"].notna()]
        both.append(every.set_index(["variant", "accuracy"]))
    ratio, n = widths(both[1])["low"] / widths(both[0])["low"], both[0]["n"]
    assert len(ratio) > 5 and ratio.to_numpy() == pytest.approx(stats.t.ppf(0.995, n - 1) / stats.t.ppf(0.975, n - 1))


@pytest.mark.parametrize("command", ["report", "compare", "sensitivity", "correlate"])
@pytest.mark.parametrize("alpha", ["0", "0.6", "nan", "1e-12"])
def test_what_is_no_level_is_refused(nas_study: NasStudy, tmp_path: Path, grid: Path, command: str, alpha: str) -> None:
    source = [str(grid), "--x", "step", "--y", "acc"]
    if command != "correlate":
        source = ["--table", str(grid), "--value", "acc"]
    code, out, err = nas_study(command, *source, "--alpha", alpha, "-o", str(tmp_path / "t.html"))
    assert code == 2 and err.startswith("error: the level of tests is above 0") and not out
