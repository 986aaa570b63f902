"""Which benchmarks are let in, through the command line: all cells or said to be a part, and what the columns say."""

from __future__ import annotations

import bz2
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from miniature_benchmark import build_miniature

from trainables.benchmarks import official, plausibility
from trainables.benchmarks.builtin import builtin_folder, read_builtin
from trainables.benchmarks.columns import complete
from trainables.benchmarks.table import _open
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, all_genotypes

NasStudy = Any
REAL_FILE = Path(__file__).parents[2].parent / "shared" / "data" / "nas_bench_201.parquet"
CELLS = [str(cell) for cell in all_genotypes()]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_STUDY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def plausible() -> pd.DataFrame:
    """Made-up accuracies of all cells, near the built-in ones, per training seed where those were trained."""
    builtin, generator = complete(read_builtin(builtin_folder()), "built-in"), np.random.default_rng(0)
    frame = pd.DataFrame({"genotype": CELLS})
    for dataset, above in (("cifar10", 3.0), ("cifar100", 0.1)):
        for seed in (777, 888, 999):
            valid = builtin[f"{dataset}_valid_accuracy_seed{seed}"]
            frame[f"{dataset}_valid_accuracy_seed{seed}"] = valid
            frame[f"{dataset}_test_accuracy_seed{seed}"] = valid + above + generator.uniform(0, 1, NUM_CELLS)
    return frame


def imported(nas_study: NasStudy, frame: pd.DataFrame, folder: Path, *options: str) -> tuple[int, str]:
    frame.to_parquet(folder / "mine.parquet")
    code, out, err = nas_study("benchmark", "import", str(folder / "mine.parquet"), *options)
    return code, out + err


@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_what_is_plausible_is_let_in(
    nas_study: NasStudy, plausible: pd.DataFrame, tmp_path: Path, decimals: int
) -> None:
    code, said = imported(nas_study, plausible.round(decimals), tmp_path)
    assert code == 0 and "cifar10_test: mine.parquet: 15,625 cells, per training seed" in said


def test_the_real_table_is_let_in(nas_study: NasStudy) -> None:
    if not REAL_FILE.exists():
        pytest.skip(f"needs the real NAS-Bench-201 table at {REAL_FILE}")
    code, out, _ = nas_study("benchmark", "import", str(REAL_FILE))
    assert code == 0 and "cifar10_test: nas_bench_201.parquet: 15,625 cells" in out


def test_a_name_that_looks_like_markup_is_a_name(
    nas_study: NasStudy, plausible: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine[red].csv"
    plausible.round(3).to_csv(file, index=False)
    monkeypatch.setenv("NAS_STUDY_CACHE", str(tmp_path / "x[/b]"))
    code, out, _ = nas_study("benchmark", "import", str(file))
    assert code == 0 and "mine[red].csv: 15,625 cells" in out and f"converted to {tmp_path}/x[/b]/" in out


def means(frame: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """The frame's CIFAR-10 means over seeds, and others in their place."""
    found = {f"cifar10_{split}_accuracy": seeds_of(frame, split).mean(axis=1) for split in ("valid", "test")}
    return pd.DataFrame({"genotype": frame["genotype"], **found} | columns)


def seeds_of(frame: pd.DataFrame, split: str, dataset: str = "cifar10") -> pd.DataFrame:
    return frame.filter(like=f"{dataset}_{split}_accuracy_seed")


THIRD, SECOND = "cifar10_test_accuracy_seed999", "cifar10_test_accuracy_seed888"
NOT_WHAT_THEY_SAY = {
    "test is validation": (
        lambda f: means(f, cifar10_test_accuracy=seeds_of(f, "valid").mean(axis=1)),
        "equals cifar10_test_accuracy of the same file in 15,625 of 15,625 cells",
    ),
    "test is the built-in validation": (
        lambda f: means(f, cifar10_test_accuracy=seeds_of(f, "valid").mean(axis=1)).drop(
            columns="cifar10_valid_accuracy"
        ),
        "cifar10_test_accuracy equals cifar10_valid_accuracy of the built-in benchmark in 15,625",
    ),
    "test is validation and a hundredth": (
        lambda f: means(f, cifar10_test_accuracy=seeds_of(f, "valid").mean(axis=1) + 0.01),
        "equals cifar10_test_accuracy of the same file plus -0.01 in 15,625 of 15,625 cells",
    ),
    "third seeds are the second in thousands of cells": (
        lambda f: f.assign(**{THIRD: f[THIRD].where(f[THIRD].isna() | (f.index > 6000), f[SECOND])}),
        f"{SECOND} equals {THIRD} of the same file",
    ),
    "one data set twice": (
        lambda f: f.assign(
            **{f"cifar100_test_accuracy_seed{s}": f[f"cifar10_test_accuracy_seed{s}"] for s in (777, 888)}
        ),
        "cifar10_test_accuracy equals cifar100_test_accuracy of the same file",
    ),
    "100 - accuracy": (
        lambda f: means(f, cifar10_test_accuracy=100 - seeds_of(f, "test").mean(axis=1)),
        "the rank correlation is -",
    ),
    "cells in another order": (
        lambda f: means(f, cifar10_test_accuracy=np.roll(seeds_of(f, "test").mean(axis=1), 1)),
        "rank correlation",
    ),
    "seeds never trained": (
        lambda f: f.assign(**{THIRD: f[THIRD].fillna(f[SECOND] + f.index / 1e5)}),
        f"{THIRD} must be empty where the benchmark's authors never trained with that seed, but",
    ),
    "another data set": (
        lambda f: means(f, cifar10_test_accuracy=seeds_of(f, "test", "cifar100").mean(axis=1)),
        "which data set and which unit",
    ),
    "some cells in fractions": (
        lambda f: means(f, cifar10_test_accuracy=seeds_of(f, "test").mean(axis=1) / np.where(f.index < 500, 100, 1)),
        "cifar10_test_accuracy must be percent in every cell, but",
    ),
    "one data set in fractions": (
        lambda f: means(f, cifar100_test_accuracy=seeds_of(f, "test", "cifar100").mean(axis=1) / 50),
        "which data set and which unit",
    ),
}


@pytest.mark.parametrize("case", NOT_WHAT_THEY_SAY)
def test_a_table_that_is_not_what_it_says_is_refused(
    nas_study: NasStudy, plausible: pd.DataFrame, tmp_path: Path, case: str
) -> None:
    spoil, sentence = NOT_WHAT_THEY_SAY[case]
    code, said = imported(nas_study, spoil(plausible), tmp_path)
    assert code == 2 and sentence in said and "mine.parquet" in said and said.count("\n") == 1
    code, _, err = nas_study("benchmark", "info", "--benchmark", str(tmp_path / "mine.parquet"))
    assert code == 2 and sentence in err, "nor can it be opened without an import"


def test_an_official_file_that_repeats_validation_as_test_is_refused(
    nas_study: NasStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plausibility, "FEWEST", 8)
    miniature = build_miniature(CELLS[:8], np.random.default_rng(0))
    for cell in miniature.content["arch2infos"].values():
        for (training, _), trial in cell["full"]["all_results"].items():
            if training == "cifar100":
                trial["eval_acc1es"]["x-test@199"] = trial["eval_acc1es"]["x-valid@199"]
    code, _, err = nas_study("benchmark", "import", str(miniature.write_pth(tmp_path)), "--partial")
    assert code == 2 and "cifar100_valid_accuracy equals cifar100_test_accuracy of the same file in 8 of 8" in err


# ---- a part of the cells


@pytest.mark.parametrize("form", ["pth", "pickle", "folder"])
def test_a_part_of_an_official_release_is_refused_with_its_count(
    nas_study: NasStudy, tmp_path: Path, form: str
) -> None:
    miniature = build_miniature(CELLS[:8], np.random.default_rng(0))
    path = getattr(miniature, f"write_{form}")(tmp_path)
    code, _, err = nas_study("benchmark", "import", str(path))
    assert code == 2 and "knows cifar10_valid of 8: it is not wholly unpacked" in err and f"{path} --partial" in err
    code, out, _ = nas_study("benchmark", "import", str(path), "--partial")
    assert code == 0 and "8 cells of 15,625, so no best cell and no regret" in out
    code, out, _ = nas_study("benchmark", "info", "--benchmark", str(path))
    assert code == 0 and "cifar10 test: known of 8 of 15,625 cells, so no best one" in out
    code, out, _ = nas_study("benchmark", "query", CELLS[0], "--benchmark", str(path))
    numbers = next(line for line in out.splitlines() if "cifar10 " in line and "test" in line).replace("│", " ").split()
    assert code == 0 and float(numbers[-2]) > 0 and numbers[-1] == "—"


@pytest.mark.parametrize("kind", ["rows", "values"])
def test_a_part_of_a_table_is_refused_with_its_count(
    nas_study: NasStudy, plausible: pd.DataFrame, tmp_path: Path, kind: str
) -> None:
    part = plausible[:12_000]
    if kind == "values":
        part = part.reindex(plausible.index).assign(genotype=plausible["genotype"])
    code, said = imported(nas_study, part, tmp_path)
    assert code == 2 and ("lacks 3,625" if kind == "rows" else "of 12,000: rows or values are missing") in said
    assert "mine.parquet --partial" in said
    code, said = imported(nas_study, part, tmp_path, "--partial")
    assert code == 0 and "12,000 cells of 15,625" in said


def test_a_part_is_no_headline_and_has_no_regret(nas_study: NasStudy, plausible: pd.DataFrame, tmp_path: Path) -> None:
    from analysis.results import accuracies
    from analysis.robustness.spread import baseline, values_of
    from trainables.benchmarks.table import open_table
    from trainables.records import look_up

    part = plausible[["genotype", "cifar10_test_accuracy_seed777"]][:12_000]
    assert imported(nas_study, part, tmp_path, "--partial")[0] == 0
    table = open_table(tmp_path / "mine.parquet")
    found = look_up(table, [CELLS[5], CELLS[11_999], CELLS[12_000]])
    trials = pd.DataFrame(found).astype(float).assign(status="ok", dataset="cifar10", variant="a", method="a")
    trials["genotype"] = [CELLS[5], CELLS[11_999], CELLS[12_000]]
    assert trials["cifar10_test_accuracy"].notna().tolist() == [True, True, False]
    assert trials["cifar10_test_regret"].isna().all() and trials["cifar10_valid_regret"].notna().all()
    assert accuracies.headline(trials) == "cifar10_valid_accuracy"
    assert baseline(trials, "cifar10_test_accuracy", table) is None
    assert np.isfinite(values_of(trials, "cifar10_test_accuracy")["a"]).sum() == 2


# ---- what is packed, damaged or no file


def test_packed_benchmarks_are_told_to_be_unpacked_or_joined(nas_study: NasStudy, tmp_path: Path) -> None:
    name = "NATS-tss-v1_0-3ffb9-simple"
    for file, advice in {
        f"{name}.tar": "it is an archive: unpack it and give the folder",
        f"{name}.tar.gz": "it is an archive: unpack it and give the folder",
        f"{name}.taraa": f"join them (cat {name}.tar* > {name}.tar), unpack that",
    }.items():
        (tmp_path / file).touch()
        for command in (("import", str(tmp_path / file)), ("info", "--benchmark", str(tmp_path / file))):
            code, _, err = nas_study("benchmark", *command)
            assert code == 2 and advice in err and err.count("\n") == 1
    code, _, err = nas_study("benchmark", "import", str(tmp_path))
    assert code == 2 and "it holds NATS-tss-v1_0-3ffb9-simple.tar: it is an archive" in err


def test_folders_beside_the_right_one_name_it(nas_study: NasStudy, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/000000-FULL.pth").touch()
    code, _, err = nas_study("benchmark", "import", str(tmp_path / "archive"))
    assert code == 2 and "its 000000-FULL.pth holds trained weights" in err
    (tmp_path / "nats/NATS-simple").mkdir(parents=True)
    (tmp_path / "nats/NATS-simple/000000.pickle.pbz2").touch()
    code, _, err = nas_study("benchmark", "import", str(tmp_path / "nats"))
    assert code == 2 and f"the folder {tmp_path}/nats/NATS-simple holds them: give that" in err


def test_what_is_no_file_is_refused_at_once(nas_study: NasStudy, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    code, _, err = nas_study("benchmark", "import", str(tmp_path / "a.csv"))
    assert code == 2 and f"must consist of ordinary files, but {tmp_path}/a.csv is none" in err


def test_a_flipped_byte_in_its_texts_is_a_damaged_file(
    nas_study: NasStudy, plausible: pd.DataFrame, tmp_path: Path
) -> None:
    file = tmp_path / "mine.parquet"
    plausible.iloc[:, [0, 2]].to_parquet(file, compression=None)
    content = file.read_bytes()
    for text in (b"|avg_pool_3x3~0|+|none~0", b"cifar10_test_accuracy"):
        at = content.index(text) + 4
        file.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
        code, _, err = nas_study("benchmark", "import", str(file))
        assert code == 2 and "mine.parquet" in err and err.count("\n") == 1


@pytest.mark.parametrize("damage", ["missing rows", "another byte", "no columns", "texts"])
def test_a_damaged_cache_is_named(
    nas_study: NasStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("NAS_STUDY_CACHE", str(tmp_path / "cache"))
    assert nas_study("benchmark", "info")[0] == 0
    (file,) = (tmp_path / "cache").rglob("*.parquet")
    frame = pd.read_parquet(file)
    if damage == "another byte":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "missing rows":
        frame[:12_000].to_parquet(file)
    elif damage == "no columns":
        frame[["genotype"]].to_parquet(file)
    else:
        frame.assign(cifar10_valid_accuracy="high").to_parquet(file)
    _open.cache_clear()
    code, _, err = nas_study("benchmark", "info")
    assert code == 2 and f"the converted benchmark {file} must be whole, but" in err and err.endswith("; delete it\n")


def test_a_cell_that_unpacks_without_end_is_refused(
    nas_study: NasStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "MOST_OF_A_CELL", 10_000)
    (tmp_path / "000000.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps({"200": bytes(20_000)})))
    code, _, err = nas_study("benchmark", "import", str(tmp_path))
    assert code == 2 and "has at most 10,000 bytes" in err and "000000.pickle.pbz2 unpacks to more" in err


def test_a_table_of_too_many_rows_is_refused_unread(nas_study: NasStudy, tmp_path: Path) -> None:
    rows = pa.table({"genotype": pa.repeat(CELLS[0], 10**6), "cifar10_test_accuracy": pa.repeat(90.0, 10**6)})
    with pq.ParquetWriter(tmp_path / "many.parquet", rows.schema) as writer:
        for _ in range(3):
            writer.write_table(rows)
    code, _, err = nas_study("benchmark", "import", str(tmp_path / "many.parquet"))
    assert code == 2 and "one row a cell, 15,625 at most, but" in err and "has 3,000,000" in err
