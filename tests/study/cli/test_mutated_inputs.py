"""Every entrance of the command line, given what once was right and is a little wrong: an answer, never a traceback.

The examples are the same each time. To look further than the suite does:
``NAS_STUDY_MUTATIONS=100 pytest --timeout 0 -o faulthandler_timeout=0 tests/study/cli/test_mutated_inputs.py``, for
some of these tests then take longer than a test may.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from inline import Inline
from miniature_benchmark import Miniature, build_miniature
from mutations import ODD_TEXTS, bounded, mutated, mutated_table, mutated_tree
from PIL import Image

from study.environment import environment, save
from study.running import runner
from study.store.store import Store
from trainables.errors import NasStudyError
from trainables.spaces.nas_bench_201.genotype import Genotype

pytestmark = pytest.mark.slow

NasStudy = Callable[..., tuple[int, str, str]]

STUDY: dict[str, Any] = {
    "name": "table",
    "dataset": {"name": "cifar10"},
    "methods": {"random_search": {"queries": [5, 7]}, "tpe": [{"queries": 12}], "darts": {"arch_lr": 0.001}},
    "seeds": [0, 1],
    "scale": {"channels": 4, "cells": 1, "epochs": 2, "batch_size": 32},
    "resources": {"cpu": 1, "memory_gib": 2.5},
}
TABLE = pa.table(
    {
        "method": ["A", "A", "A", "A", "B", "B", "B", "B"],
        "seed": [0, 1, 2, 3] * 2,
        "dataset": ["cifar10"] * 8,
        "hp.lr": [0.1, 0.1, 0.2, 0.2] * 2,
        "acc": [90.5, 91.0, 91.25, 92.0, 93.0, 92.5, 94.0, 93.75],
    }
)


@pytest.fixture
def answered(nas_study: NasStudy) -> Callable[..., None]:
    """Run ``nas-study ...`` and see that it ends as documented, and says why in one sentence where it ends with 2."""

    def call(*arguments: str | Path) -> None:
        code, out, err = nas_study(*map(str, arguments))
        assert code in (0, 1, 2, 3) and "Traceback" not in out + err, (code, out, err)
        usage = err.startswith("Usage: ")
        assert code != 2 or usage or (err.startswith("error: ") and err.count("\n") == 1 and len(err) < 3000), err

    return call


@pytest.fixture
def place(tmp_path: Path) -> Callable[[], Path]:
    """An empty folder for each example."""

    def make() -> Path:
        shutil.rmtree(tmp_path / "example", ignore_errors=True)
        (tmp_path / "example").mkdir()
        return tmp_path / "example"

    return make


@bounded(20)
@given(content=mutated(yaml.safe_dump(STUDY).encode()))
def test_a_study_of_other_bytes(answered: Any, place: Any, content: bytes) -> None:
    study = place() / "study.yaml"
    study.write_bytes(content)
    answered("run", study, "--dry-run", "--store", study.parent)


@bounded(40)
@given(tree=mutated_tree(STUDY))
def test_a_study_of_other_values(answered: Any, place: Any, tree: Any) -> None:
    study = place() / "study.yaml"
    study.write_text(yaml.dump(tree), encoding="utf-8", errors="surrogatepass")
    answered("run", study, "--dry-run", "--store", study.parent)


TEXT = (
    st.sampled_from(ODD_TEXTS)
    | st.text(max_size=8)
    | st.sampled_from(["a=1", "\udcff", "-", "--", "1,2", "0.1", "acc", "A"])
)
OPTIONS = {
    "run": ["--seeds", "--methods", "--set", "--max-hours", "--max-trials", "--benchmark", "--data", "--store"],
    "report": ["--output", "--study", "--value", "--collapse-skips", "--collapse-below", "--margin", "--benchmark"],
    "compare": ["--output", "--value", "--column", "--margin", "--against"],
    "sensitivity": ["--output", "--value", "--column", "--method", "--default"],
    "status": ["--study"],
    "compact": ["--study"],
    "benchmark query": ["--benchmark"],
}


@bounded(24)
@given(data=st.data())
def test_options_of_other_values(
    answered: Any, place: Any, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    folder = place()
    monkeypatch.chdir(folder)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    pacsv.write_csv(TABLE, folder / "t.csv")
    command = data.draw(st.sampled_from(list(OPTIONS)))
    option, value = data.draw(st.sampled_from(OPTIONS[command])), data.draw(TEXT)
    given = [option, f"x={value}" if option == "--set" and data.draw(st.booleans()) else value]
    if command == "run":
        answered("run", "study.yaml", "--dry-run", *given)
    elif command.startswith("benchmark"):
        answered(*command.split(), data.draw(TEXT), *given)
    elif command in ("status", "compact"):
        answered(command, data.draw(TEXT), *given)
    else:
        answered(command, "--table", "t.csv", *(["--value", "acc"] if option != "--value" else []), *given)


REPORTS = st.sampled_from(["report", "report", "compare", "sensitivity"])


@bounded(10)
@given(command=REPORTS, data=st.data())
def test_a_table_of_other_bytes(answered: Any, place: Any, command: str, data: st.DataObject) -> None:
    whole = io.BytesIO()
    kind = data.draw(st.sampled_from(["csv", "csv", "parquet"]))
    (pacsv.write_csv if kind == "csv" else pq.write_table)(TABLE, whole)
    table = place() / f"t.{kind}"
    table.write_bytes(data.draw(mutated(whole.getvalue())))
    answered(command, "--table", table, "--value", "acc")


@bounded(10)
@given(command=REPORTS, table=mutated_table(TABLE))
def test_a_table_of_other_columns(answered: Any, place: Any, command: str, table: pa.Table) -> None:
    path = place() / "t.parquet"
    pq.write_table(table, path)
    answered(command, "--table", path, "--value", "acc")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of finished trials, and of one in progress."""
    folder = tmp_path_factory.mktemp("store")
    raw = {"name": "table", "dataset": "cifar10", "methods": {"random_search": {"queries": [3, 4]}}, "seeds": 3}
    run = Inline(raw, folder, in_a_step=2).run()
    save(run.prepared.store, run.prepared.study, environment(run.prepared.fingerprints, "", {}))
    spec = run.work.batches[0][0]
    run.prepared.store.remove([spec.id])
    run.prepared.store.claim(spec.id, "run")
    run.prepared.store.write_checkpoint(spec.id, b"begun")
    claim = (folder / f"table/checkpoints/{spec.id}.claim").read_bytes()
    run.prepared.store.release(spec.id)
    (folder / f"table/checkpoints/{spec.id}.claim").write_bytes(claim)
    return folder


@bounded(14)
@given(data=st.data())
def test_a_store_with_another_file(answered: Any, place: Any, store: Path, data: st.DataObject) -> None:
    folder = place() / "store"
    shutil.copytree(store, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    file = data.draw(st.sampled_from(files))
    content = file.read_bytes()
    if file.suffix == ".json" and data.draw(st.booleans()):
        file.write_text(json.dumps(data.draw(mutated_tree(json.loads(content)))))
    elif file.suffix == ".yaml" and data.draw(st.booleans()):
        file.write_text(yaml.dump(data.draw(mutated_tree(yaml.safe_load(content)))))
    elif file.suffix == ".parquet" and data.draw(st.booleans()):
        pq.write_table(data.draw(mutated_table(pq.read_table(file))), file)
    else:
        file.write_bytes(data.draw(mutated(content)))
    study = folder.parent / "study.yaml"
    study.write_text("name: table\ndataset: cifar10\nmethods: {random_search: {queries: [3, 4]}}\nseeds: 3\n")
    command = data.draw(
        st.sampled_from(["status", "status", "compact", "run", "run", "report", "compare", "sensitivity"])
    )
    answered(*(("run", study, "--dry-run", "--store") if command == "run" else (command,)), folder)


CLAIM = {"run": "x", "host": "h", "machine": "m", "pid": 1, "beat": 0, "attempts": {"x": 1}}


@bounded(60)
@given(claim=mutated(json.dumps(CLAIM).encode()) | mutated_tree(CLAIM).map(lambda tree: json.dumps(tree).encode()))
def test_a_claim_of_another_kind(place: Any, claim: bytes) -> None:
    """A worker that comes upon it takes the trial, or leaves it to whoever wrote it."""
    store = Store(place(), "s")
    store.prepare()
    store.files.write("checkpoints/t.claim", claim)
    assert store.claim("t", "run") in (None, 1)
    store.release("t")


@pytest.fixture(scope="module")
def miniature() -> Miniature:
    return build_miniature([str(Genotype.from_index(i)) for i in (0, 7, 15624)], np.random.default_rng(0))


@bounded(10)
@given(data=st.data())
def test_a_benchmark_of_other_bytes(
    answered: Any, place: Any, monkeypatch: pytest.MonkeyPatch, miniature: Miniature, data: st.DataObject
) -> None:
    folder = place()
    monkeypatch.setenv("NAS_STUDY_CACHE", str(folder))
    form = data.draw(st.sampled_from(["pth", "pickle", "folder", "csv", "parquet"]))
    writers = {"pth": miniature.write_pth, "pickle": miniature.write_pickle, "folder": miniature.write_folder}
    if form in writers:
        file = path = writers[form](folder)
        if path.is_dir():
            file = path / "000000.pickle.pbz2"
        if "-" in path.name and path.is_file():
            file = path = path.rename(
                folder / f"mine{''.join(path.suffixes[-2:] if form == 'pickle' else path.suffixes[-1:])}"
            )
        content = file.read_bytes()
    else:
        file = path = folder / f"t.{form}"
        whole = io.BytesIO()
        (pacsv.write_csv if form == "csv" else pq.write_table)(CELLS, whole)
        content = whole.getvalue()
    file.write_bytes(data.draw(mutated(content)))
    answered("benchmark", "import", path, "--partial")


CELLS = pa.table(
    {
        "genotype": [str(Genotype.from_index(i)) for i in (0, 7, 15624)],
        "cifar10_test_accuracy": [90.0, 91.0, 60.5],
        "cifar10_train_time_s": [1.0, 2.0, 3.0],
    }
)


@bounded(8)
@given(table=mutated_table(CELLS))
def test_a_benchmark_of_other_columns(
    answered: Any, place: Any, monkeypatch: pytest.MonkeyPatch, table: pa.Table
) -> None:
    path = place() / "t.parquet"
    monkeypatch.setenv("NAS_STUDY_CACHE", str(path.parent))
    pq.write_table(table, path)
    answered("benchmark", "import", path, "--partial")


def picture(seed: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(content, "png")
    return content.getvalue()


def folder_of(root: Path) -> None:
    for number in range(20):
        file = root / f"train/{'ab'[number % 2]}/{number:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(number))


def idx_of(root: Path) -> None:
    for part, count in (("train", 20), ("t10k", 4)):
        sizes = b"".join(n.to_bytes(4, "big") for n in (count, 28, 28))
        images = b"\0\0\x08\x03" + sizes + bytes(count * 28 * 28)
        labels = b"\0\0\x08\x01" + sizes[:4] + bytes(i % 10 for i in range(count))
        (root / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (root / f"{part}-labels-idx1-ubyte").write_bytes(labels)


def cifar_of(root: Path) -> None:
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        batch = {"data": np.zeros((10, 3072), np.uint8), "labels": list(range(10))}
        (root / name).write_bytes(pickle.dumps(batch, protocol=2))


def parquet_of(root: Path) -> None:
    pq.write_table(pa.table({"image": [picture(i) for i in range(20)], "label": [0, 1] * 10}), root / "train.parquet")


DATASETS: dict[str, Callable[[Path], None]] = {
    "image_folder": folder_of,
    "fashion_mnist": idx_of,
    "cifar10": cifar_of,
    "own parquet": parquet_of,
}


@bounded(24)
@given(data=st.data())
def test_images_of_other_bytes(answered: Any, place: Any, monkeypatch: pytest.MonkeyPatch, data: st.DataObject) -> None:
    """Up to the first trial."""

    def ended(*_: Any, **__: Any) -> None:
        raise NasStudyError("the first trial would begin")

    monkeypatch.setattr(runner, "run", ended)
    folder, name = place(), data.draw(st.sampled_from(list(DATASETS)))
    (folder / "data").mkdir()
    DATASETS[name](folder / "data")
    file = data.draw(st.sampled_from(sorted(path for path in (folder / "data").rglob("*") if path.is_file())))
    if file.suffix == ".parquet" and data.draw(st.booleans()):
        pq.write_table(data.draw(mutated_table(pq.read_table(file))), file)
    else:
        file.write_bytes(data.draw(mutated(file.read_bytes())))
    study = {
        "name": "images",
        "dataset": "image_folder" if name == "own parquet" else name,
        "scale": {"channels": 4, "cells": 1, "epochs": 1, "batch_size": 2},
        "methods": {"darts": {}},
        "seeds": 1,
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    answered("run", folder / "study.yaml", "--data", folder / "data", "--store", folder / "store")
