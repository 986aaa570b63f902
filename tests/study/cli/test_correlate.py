"""``nas-study correlate``: numbers against SciPy, what is counted, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import analysis

NasStudy = Callable[..., tuple[int, str, str]]
RESULTS = Path(__file__).parents[3] / "results"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """40 architectures on two data sets; the proxy lacks one on the first and three on the second."""
    generator, frames = np.random.default_rng(0), []
    for dataset, noise in (("a", 1.0), ("b", 3.0)):
        acc = generator.normal(90, 2, 40).round(1)
        frame = pd.DataFrame({"arch": [f"n{i}" for i in range(40)], "dataset": dataset, "acc": acc})
        frames.append(frame.assign(proxy=acc + noise * generator.normal(size=40), loss=100 - acc, same=1))
    frames[0].loc[5, "proxy"] = None
    frames[1].loc[:2, "proxy"] = None
    path = tmp_path / "t.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


def numbers(page: Path) -> pd.DataFrame:
    return pd.read_csv(page.with_name(f"{page.stem}_files") / "tables/correlations.csv")


def test_each_group_has_the_numbers_of_scipy(nas_study: NasStudy, table: Path) -> None:
    page = table.with_suffix(".html")
    code, out, err = nas_study(
        "correlate", str(table), "--x", "proxy", "--y", "acc", "--by", "dataset", "-o", str(page)
    )
    assert code == 0, err
    found, frame = numbers(page), pd.read_csv(table)
    for group, row in found.set_index("group").iloc[:2].iterrows():
        own = frame[frame["dataset"] == group].dropna()
        assert row["tau"] == pytest.approx(stats.kendalltau(own["proxy"], own["acc"]).statistic)
        assert row["rho"] == pytest.approx(stats.spearmanr(own["proxy"], own["acc"]).statistic)
        assert row["tau_lo"] < row["tau"] < row["tau_hi"] and row["rho_lo"] < row["rho"] < row["rho_hi"]
    assert found["architectures"].tolist()[:2] == [39, 37] and found["rows without a pair"].tolist()[:2] == [1, 3]
    assert found["tau"][2] == pytest.approx(found["tau"][:2].mean()) and found["group"][2] == "mean of 2 groups"
    assert np.isnan(found["tau_lo"][2])
    assert f"{found['tau'][0]:.2f} [{found['tau_lo'][0]:.2f}, {found['tau_hi'][0]:.2f}]" in out
    assert "one of the two values is missing: proxy (4 rows)" in out and "Pairs that tie: acc" in out
    dots = pd.read_csv(page.with_name("t_files") / "figures/scatter_proxy.csv")
    assert len(dots) == 76 and "4 rows" in page.read_text()


def test_less_is_better_where_that_is_said_and_asked_for_where_it_is_not(nas_study: NasStudy, table: Path) -> None:
    page = table.with_suffix(".html")
    asked = ["correlate", str(table), "--x", "loss", "--y", "acc", "-o", str(page)]
    code, _, err = nas_study(*asked)
    assert code == 2 and "named after 'loss'; say --lower-is-better loss, or --higher-is-better loss" in err
    code, out, _ = nas_study(*asked, "--lower-is-better", "loss")
    assert code == 0 and numbers(page).loc[0, ["tau", "top precision"]].tolist() == pytest.approx([1, 1])
    assert "--by dataset keeps them apart" in out and "loss, lower is better" in page.read_text()
    assert nas_study(*asked, "--higher-is-better", "loss")[0] == 0
    assert numbers(page).loc[0, ["tau", "top precision"]].tolist() == pytest.approx([-1, 0])


def test_rows_of_one_architecture_are_averaged_where_it_is_named(nas_study: NasStudy, table: Path) -> None:
    page = table.with_suffix(".html")
    asked = ["correlate", str(table), "--x", "proxy", "--y", "acc", "-o", str(page)]
    assert nas_study(*asked)[0] == 0 and numbers(page)["architectures"].tolist() == [76]
    assert nas_study(*asked, "--architecture", "arch")[0] == 0
    means = pd.read_csv(table).dropna().groupby("arch")[["proxy", "acc"]].mean()
    found = numbers(page).iloc[0]
    assert (found["architectures"], found["rows"]) == (40, 76)
    assert found["tau"] == pytest.approx(stats.kendalltau(means["proxy"], means["acc"]).statistic)


def test_cells_of_a_study_are_averaged_over_the_trials_that_derived_them(nas_study: NasStudy, tmp_path: Path) -> None:
    page, columns = tmp_path / "s.html", ["supernet_valid_accuracy", "cifar10_test_accuracy"]
    asked = ["correlate", str(RESULTS), "--study", "all_methods_cifar10_small", "--y", columns[1], "-o", str(page)]
    code, out, err = nas_study(*asked, "--x", columns[0])
    assert code == 0, err
    trials = analysis.load(RESULTS, "all_methods_cifar10_small").trials
    cells = trials[["genotype", *columns]].dropna().groupby("genotype").mean()
    found = numbers(page).iloc[0]
    assert found["architectures"] == len(cells) and "--by method keeps them apart" in out
    assert found["tau"] == pytest.approx(stats.kendalltau(cells[columns[0]], cells[columns[1]]).statistic)
    assert nas_study(*asked, "--x", "cifar10_test_regret")[0] == 0
    assert numbers(page)["tau"][0] == pytest.approx(1)  # a regret is turned around
    code, _, err = nas_study(*asked, "--x", "cifar10_test")
    assert code == 2 and "unknown column of derived cells 'cifar10_test'; did you mean 'cifar10_test_regret'" in err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--x", "prox", "--y", "acc"], "unknown column 'prox'; did you mean 'proxy'?"),
        (["--x", "arch", "--y", "acc"], "column 'arch' must hold numbers, but"),
        (
            ["--x", "same", "--y", "acc"],
            "has none (same is 1.00 throughout); name other columns",
        ),
        (["--x", "acc", "--y", "acc"], "--x and --y name columns that differ, but 'acc' is given twice"),
        (["--x", "proxy", "--x", "proxy", "--y", "acc"], "'proxy' is given twice; drop one"),
        (
            ["--x", "proxy", "--y", "acc", "--by", "arch"],
            "has none (1 architecture with both values; 2 archi",
        ),
        (["--x", "proxy", "--y", "acc", "--lower-is-better", "loss"], "unknown column of --x or --y 'loss'"),
        (["--x", "proxy", "--y", "acc", "--study", "demo"], "--study names one of a store's"),
        (
            ["--x", "proxy", "--y", "acc", "--lower-is-better", "acc", "--higher-is-better", "acc"],
            "but 'acc' is named as both",
        ),
        (["--x", "proxy", "--y", "acc", "-o", "page.txt"], "a report is a file that ends in .html"),
    ],
)
def test_what_has_no_answer_is_refused(nas_study: NasStudy, table: Path, options: list[str], sentence: str) -> None:
    code, out, err = nas_study("correlate", str(table), *options)
    assert code == 2 and sentence in err and err.count("\n") == 1 and not out, err
    assert [path.name for path in table.parent.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("value", ["inf", "NA", "-1e308"])
def test_values_are_finite_numbers(nas_study: NasStudy, table: Path, value: str) -> None:
    lines = table.read_text().splitlines()
    fields = lines[1].split(",")
    table.write_text("\n".join([lines[0], ",".join([*fields[:3], value, *fields[4:]]), *lines[2:]]))
    code, _, err = nas_study("correlate", str(table), "--x", "proxy", "--y", "acc")
    assert code == 2 and "column 'proxy'" in err and str(table) in err


def test_options_of_tables_are_refused_for_a_study(nas_study: NasStudy) -> None:
    options = ["--study", "svge_small", "--x", "cifar10_valid_accuracy", "--y", "cifar10_test_accuracy"]
    code, _, err = nas_study("correlate", str(RESULTS), *options, "--architecture", "genotype")
    assert code == 2 and "are of a .csv or .parquet table, but" in err
    code, _, err = nas_study("correlate", str(RESULTS), *options, "--by", "seed")
    assert code == 2 and "--by: unknown column to group by 'seed'" in err


def test_many_architectures_are_drawn_in_part_and_counted_whole(nas_study: NasStudy, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = np.exp(9 * generator.normal(size=5_000))
    pd.DataFrame({"x": x, "y": np.log(x) + generator.normal(size=5_000)}).to_parquet(tmp_path / "t.parquet")
    page = tmp_path / "t.html"
    assert nas_study("correlate", str(tmp_path / "t.parquet"), "--x", "x", "--y", "y", "-o", str(page))[0] == 0
    assert numbers(page)["architectures"].tolist() == [5_000]
    words = page.read_text()
    assert "2,000 of a group are drawn" in words and "1e+" in words  # on an axis with plain powers of ten
    assert "mathdefault" not in words and page.stat().st_size < 1_000_000
