"""Benchmarks of users: every format gives the same numbers, and every unusable file a sentence that says why."""

import bz2
import hashlib
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from miniature_benchmark import SECONDS_PER_EPOCH, Miniature, build_miniature
from nas_201_api import NASBench201API

from trainables.benchmarks.cache import load
from trainables.benchmarks.importers import import_table
from trainables.benchmarks.signal import read_signal, signal_fingerprints
from trainables.benchmarks.table import open_table
from trainables.errors import BenchmarkError
from trainables.spaces.nas_bench_201.genotype import NUM_CELLS, Genotype, all_genotypes

ALL_CELLS = np.arange(NUM_CELLS)
SIGNAL_OF = {
    ("cifar10-valid", "x-valid"): "cifar10_valid",
    ("cifar10", "ori-test"): "cifar10_test",
    ("cifar100", "x-valid"): "cifar100_valid",
    ("cifar100", "x-test"): "cifar100_test",
    ("ImageNet16-120", "x-valid"): "imagenet16_120_valid",
    ("ImageNet16-120", "x-test"): "imagenet16_120_test",
}
"""(official training, official evaluation set) -> ours; ('cifar10-valid', 'ori-test') must appear nowhere."""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_STUDY_CACHE", str(folder))
        patch.delenv("NAS_STUDY_BENCHMARK", raising=False)
        yield folder


@pytest.fixture(scope="module")
def test_only() -> pd.DataFrame:
    """A table with made-up CIFAR-10 test accuracies of all cells, near the validation accuracies, rows shuffled."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"genotype": [str(cell) for cell in all_genotypes()]})
    frame["cifar10_test_accuracy"] = open_table().accuracy("cifar10", "valid", ALL_CELLS)
    frame["cifar10_test_accuracy"] += generator.uniform(1, 5, NUM_CELLS)
    return frame.sample(frac=1.0, random_state=generator)


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    return np.random.default_rng(1).choice(NUM_CELLS, size=8, replace=False)


@pytest.fixture(scope="module")
def miniature(cells) -> Miniature:
    return build_miniature([str(Genotype.from_index(int(cell))) for cell in cells], np.random.default_rng(2))


def in_index_order(frame: pd.DataFrame, column: str) -> np.ndarray:
    return frame.set_index("genotype")[column].loc[[str(cell) for cell in all_genotypes()]].to_numpy()


# ---- Parquet and CSV


def test_parquet_and_csv_give_the_same_table(test_only, tmp_path):
    test_only.to_parquet(tmp_path / "a.parquet")
    test_only.to_csv(tmp_path / "b.csv", index=False)
    table, same = open_table(tmp_path / "a.parquet"), open_table(tmp_path / "b.csv")
    expected = in_index_order(test_only, "cifar10_test_accuracy")
    np.testing.assert_array_equal(table.accuracy("cifar10", "test", ALL_CELLS), expected)
    assert same.fingerprint == table.fingerprint
    assert same.sources["cifar10_test"] == "b.csv: 15,625 cells, means over seeds only"


def test_columns_the_file_lacks_come_from_the_builtin_benchmark(test_only, tmp_path):
    test_only.to_parquet(tmp_path / "a.parquet")
    table, builtin = open_table(tmp_path / "a.parquet"), open_table()
    assert signal_fingerprints(table, "cifar10") == signal_fingerprints(builtin, "cifar10")
    assert table.sources["cifar10_valid"] == builtin.sources["cifar10_valid"]
    assert not table.has("cifar100", "test")
    assert np.isnan(table.per_seed("cifar10", "test", ALL_CELLS)).all()


def test_validation_values_of_the_file_win_whole_and_contradictions_are_told(test_only, tmp_path):
    seeds = open_table().per_seed("cifar100", "valid", ALL_CELLS).copy()
    seeds[:5, 0] += 0.5
    seeds[:, 2] = np.nan
    frame = pd.DataFrame({"arch_str": [str(cell) for cell in all_genotypes()]})
    for run in (1, 2, 3):
        frame[f"cifar100_val_acc_200ep_run{run}"] = seeds[:, run - 1]
    frame["cifar100_val_acc_200ep_mean_v11"] = 1.0
    frame["cifar100_val_acc_12ep"] = 0.5 * seeds[:, 0]
    frame["cifar100_test_acc_12ep"] = 1.0
    frame.to_parquet(tmp_path / "a.parquet")
    table = open_table(tmp_path / "a.parquet")
    np.testing.assert_array_equal(table.per_seed("cifar100", "valid", ALL_CELLS), seeds)
    np.testing.assert_allclose(table.accuracy("cifar100", "valid", ALL_CELLS), seeds[:, :2].mean(axis=1), atol=1e-12)
    assert "a.parquet: 15,625 cells, per training seed; 5 of them differ from" in table.sources["cifar100_valid"]
    assert table.fingerprint != open_table().fingerprint
    assert table.sources["cifar100_valid_12ep"] == "a.parquet: 15,625 cells"
    np.testing.assert_array_equal(read_signal(table, "cifar100", 12).accuracy, 0.5 * seeds[:, 0])


def test_a_signal_known_of_few_cells_does_not_displace_the_builtin_one(test_only, tmp_path):
    frame = test_only.assign(cifar10_valid_accuracy_seed777=np.nan)
    frame.iloc[:3, -1] = 50.0
    frame.to_parquet(tmp_path / "a.parquet")
    import_table(tmp_path / "a.parquet", partial=True)
    table = open_table(tmp_path / "a.parquet")
    assert signal_fingerprints(table, "cifar10") == signal_fingerprints(open_table(), "cifar10")
    assert table.sources["cifar10_valid"].endswith("; a.parquet has only 3 cells")


def test_a_changed_file_is_read_again(test_only, tmp_path):
    file = tmp_path / "a.csv"
    test_only.round(1).to_csv(file, index=False, float_format="%.1f")
    before, state = open_table(file), file.stat()
    order = np.r_[1, 0, 2:NUM_CELLS]
    changed = test_only.round(1).assign(cifar10_test_accuracy=lambda f: f.cifar10_test_accuracy.to_numpy()[order])
    changed.to_csv(file, index=False, float_format="%.1f")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file.stat().st_size == state.st_size
    after = open_table(file)
    assert after.fingerprint != before.fingerprint
    np.testing.assert_array_equal(
        after.accuracy("cifar10", "test", ALL_CELLS), in_index_order(changed, "cifar10_test_accuracy")
    )


def test_the_converted_file_is_a_benchmark_itself(test_only, tmp_path):
    test_only.to_csv(tmp_path / "a.csv", index=False)
    small = import_table(tmp_path / "a.csv").rename(tmp_path / "small.parquet")
    assert open_table(small).fingerprint == open_table(tmp_path / "a.csv").fingerprint


BAD_TABLES = {
    "fractions": (lambda f: f.assign(cifar10_test_accuracy=f.cifar10_test_accuracy / 100), "look like fractions"),
    "above 100": (lambda f: f.assign(cifar10_test_accuracy=f.cifar10_test_accuracy + 50), r"percent in 0\.\.100"),
    "infinite": (lambda f: f.assign(cifar10_test_accuracy=np.inf), r"percent in 0\.\.100"),
    "text": (lambda f: f.assign(cifar10_test_accuracy="high"), "must hold numbers"),
    "negative time": (lambda f: f.assign(cifar10_train_time_s=-1.0), "positive seconds"),
    "a cell lacks": (lambda f: f.iloc[1:], "lacks 1 and repeats 0"),
    "a cell twice": (lambda f: pd.concat([f.iloc[1:], f.iloc[[5]]]), "lacks 1 and repeats 1"),
    "another cell": (lambda f: f.assign(genotype=f.genotype.str.replace("avg_pool_3x3", "max_pool_3x3")), "max_pool"),
    "no rows": (lambda f: f.iloc[:0], "lacks 15,625"),
    "no cells": (lambda f: f.drop(columns="genotype"), "arch_str, genotype, arch_index"),
    "no accuracies": (lambda f: f.rename(columns={"cifar10_test_accuracy": "accuracy"}), "at least one column"),
    "two of a kind": (lambda f: f.assign(cifar10_test_acc_200ep_mean=50.0), "two for cifar10_test_accuracy"),
    "another mean": (lambda f: f.assign(cifar10_test_accuracy_seed777=3.0), "must be the mean of the cell's"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_an_unusable_table_is_refused_with_its_reason(test_only, tmp_path, case):
    spoil, message = BAD_TABLES[case]
    spoil(test_only).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(BenchmarkError, match=message) as caught:
        open_table(tmp_path / "a.parquet")
    assert "a.parquet" in str(caught.value)


def test_a_repeated_column_is_refused(test_only, tmp_path):
    test_only.to_csv(tmp_path / "a.csv", index=False, columns=["genotype", *["cifar10_test_accuracy"] * 2])
    with pytest.raises(BenchmarkError, match="two for cifar10_test_accuracy"):
        open_table(tmp_path / "a.csv")


def test_a_damaged_file_is_refused(test_only, tmp_path):
    file = tmp_path / "a.parquet"
    test_only.to_parquet(file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BenchmarkError, match=r"readable \.parquet file"):
        open_table(file)


def test_a_missing_or_foreign_path_is_refused(tmp_path):
    with pytest.raises(BenchmarkError, match="there is no"):
        open_table(tmp_path / "nowhere.parquet")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(BenchmarkError, match=r"\.parquet or \.csv"):
        open_table(tmp_path / "a.json")
    with pytest.raises(BenchmarkError, match="NATS-tss-v1_0-3ffb9-simple"):
        open_table(tmp_path)


# ---- official files


def write(miniature: Miniature, form: str, folder: Path) -> Path:
    return {"pth": miniature.write_pth, "pickle": miniature.write_pickle, "folder": miniature.write_folder}[form](
        folder
    )


@pytest.mark.parametrize("form", ["pth", "pickle", "folder"])
def test_official_files_give_every_seed_they_have(miniature, cells, tmp_path, form):
    file = write(miniature, form, tmp_path)
    columns = load(import_table(file, partial=True))
    for key, signal in SIGNAL_OF.items():
        for place, seed in enumerate((777, 888, 999)):
            expected = np.full(NUM_CELLS, np.nan)
            expected[cells] = miniature.accuracies[key][:, place]
            np.testing.assert_array_equal(columns[f"{signal}_accuracy_seed{seed}"], expected)
        np.testing.assert_allclose(
            columns[f"{signal}_accuracy"][cells], np.nanmean(miniature.accuracies[key], axis=1), atol=1e-12
        )
    np.testing.assert_allclose(columns["cifar10_train_time_s"][cells], 200 * SECONDS_PER_EPOCH)
    for signal, accuracies in miniature.short_accuracies.items():
        np.testing.assert_allclose(columns[f"{SIGNAL_OF[signal]}_accuracy_12ep"][cells], accuracies.mean(axis=1))
    table = open_table(file)
    assert (
        table.sources["cifar10_test"]
        == f"{file.name}: 8 cells of 15,625, so no best cell and no regret, per training seed"
    )
    assert table.sources["cifar10_valid"].endswith(f"; {file.name} has only 8 cells")


def test_official_numbers_are_those_of_the_official_package(miniature, cells, tmp_path):
    file = miniature.write_pth(tmp_path)
    import_table(file, partial=True)
    table = open_table(file)
    api = NASBench201API(torch.load(file, weights_only=False), verbose=False)
    for cell in cells:
        index = api.query_index_by_arch(str(Genotype.from_index(int(cell))))
        for dataset, official in {
            "cifar10": "cifar10",
            "cifar100": "cifar100",
            "imagenet16_120": "ImageNet16-120",
        }.items():
            told = api.get_more_info(index, official, hp="200", is_random=False)["test-accuracy"]
            assert table.accuracy(dataset, "test", np.array([cell]))[0] == pytest.approx(told, abs=1e-12)


def test_an_official_file_is_imported_on_request_only(miniature, tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_STUDY_CACHE", str(tmp_path / "cache"))
    file = miniature.write_pth(tmp_path)
    with pytest.raises(BenchmarkError, match=f"nas-study benchmark import {file}"):
        open_table(file)
    imported = import_table(file, partial=True)
    (tmp_path / "moved").mkdir()
    moved = file.rename(tmp_path / "moved" / file.name)
    assert import_table(moved) == imported
    assert open_table(moved).has("cifar10", "test")


@pytest.mark.parametrize("form", ["pth", "pickle"])
def test_a_file_that_is_not_what_its_name_says_is_refused_even_if_trusted(miniature, tmp_path, form):
    file = write(miniature, form, tmp_path)
    with file.open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(BenchmarkError, match="last digits of its MD5"):
        import_table(file, trust=True)


class Payload:
    """Runs code while it is unpickled, as any pickle can."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def named_by_digest(file: Path, base: str, digits: int) -> Path:
    """Whoever makes a file can give it the digest that its name is checked for."""
    digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    return file.rename(file.with_name(file.name.replace("benchmark", f"{base}-{digest[-digits:]}")))


@pytest.mark.parametrize("form", ["legacy.pth", "zip.pth", "benchmark.pickle.pbz2", "folder/000000.pickle.pbz2"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "beside cells"])
def test_no_code_runs_without_trust(nas_study, miniature, tmp_path, form, wrapped):
    trace = tmp_path / "executed"
    content = {**miniature.content, "note": Payload(trace)} if wrapped else Payload(trace)
    if form.endswith(".pth"):
        torch.save(content, tmp_path / "benchmark.pth", _use_new_zipfile_serialization=form == "zip.pth")
        path = named_by_digest(tmp_path / "benchmark.pth", "NAS-Bench-201-v1_1", 6)
    else:
        (tmp_path / "folder").mkdir()
        with bz2.open(tmp_path / ("benchmark.pickle.pbz2" if "/" not in form else form), "wb") as stream:
            pickle.dump(content, stream)
        path = tmp_path / "folder"
        if "/" not in form:
            path = named_by_digest(tmp_path / "benchmark.pickle.pbz2", "NATS-tss-v1_0", 5)
    code, _, err = nas_study("benchmark", "import", str(path))
    assert code == 2 and "names posix.mkdir" in err and f"{path} --trust" in err and err.count("\n") == 1
    assert not trace.exists()
    nas_study("benchmark", "import", str(path), "--trust")
    assert trace.exists(), "the payload is alive"


def test_a_torchscript_archive_is_not_run(nas_study, tmp_path):
    """torch.load would hand it over to torch.jit.load."""
    with zipfile.ZipFile(tmp_path / "benchmark.pth", "w") as archive:
        archive.writestr("benchmark/constants.pkl", pickle.dumps(()))
        archive.writestr("benchmark/data.pkl", b"c__torch__\nEvil\n.")
    code, _, err = nas_study("benchmark", "import", str(tmp_path / "benchmark.pth"))
    assert code == 2 and "names __torch__.Evil" in err


def test_a_path_in_the_place_of_trainings_is_not_opened(nas_study, tmp_path):
    """The package takes a text for the name of a file to load."""
    torch.save({"all_results": {}}, tmp_path / "other.pth")
    with bz2.open(tmp_path / "benchmark.pickle.pbz2", "wb") as stream:
        pickle.dump({"arch2infos": {0: {"full": str(tmp_path / "other.pth")}}}, stream)
    code, _, err = nas_study("benchmark", "import", str(tmp_path / "benchmark.pickle.pbz2"))
    assert code == 2 and "trainings are a dict, not str" in err


def test_a_cell_twice_is_refused(nas_study, miniature, tmp_path):
    infos = miniature.content["arch2infos"]
    with bz2.open(tmp_path / "benchmark.pickle.pbz2", "wb") as stream:
        pickle.dump({"arch2infos": {0: infos[0], 1: infos[0]}}, stream)
    code, _, err = nas_study("benchmark", "import", str(tmp_path / "benchmark.pickle.pbz2"))
    assert code == 2 and "must hold each cell once" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"arch2infos": {0: {"full": {"arch_str": str(Genotype((0,) * 6))}, "less": None}}}, "must hold 200-epoch"),
        ({"archs": []}, "KeyError"),
        (["nothing"], "must have the structure"),
    ],
)
def test_another_structure_is_refused(tmp_path, content, message):
    file = tmp_path / "benchmark.pickle.pbz2"
    with bz2.open(file, "wb") as stream:
        pickle.dump(content, stream)
    with pytest.raises(BenchmarkError, match=message):
        import_table(file, trust=True)


def test_a_truncated_download_is_refused(miniature, tmp_path):
    file = miniature.write_pickle(tmp_path)
    short = tmp_path / "short.pickle.pbz2"
    short.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(BenchmarkError, match="fetch it anew"):
        import_table(short, trust=True)


def test_the_size_search_space_is_refused(tmp_path):
    file = build_miniature(["8:16:24:32:40"], np.random.default_rng(0)).write_pickle(tmp_path)
    with pytest.raises(BenchmarkError, match="topology search space"):
        import_table(file)


# ---- the cache


@pytest.mark.slow
def test_processes_may_convert_the_same_file_at_once(test_only, tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_STUDY_CACHE", str(tmp_path / "cache"))
    test_only.to_parquet(tmp_path / "a.parquet")
    script = (
        "import sys, pathlib; from trainables.benchmarks.table import open_table; "
        "print(open_table(pathlib.Path(sys.argv[1])).fingerprint)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.parquet")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert printed == {open_table(tmp_path / "a.parquet").fingerprint}
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAS_STUDY_CACHE", str(tmp_path / "file"))
    with pytest.raises(BenchmarkError, match="set NAS_STUDY_CACHE"):
        open_table()
