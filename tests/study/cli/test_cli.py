"""The command line: its surface, its mistakes (one sentence, exit code 2, nothing run), its tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import drills
import pytest
import typer
from inline import Inline

from analysis.robustness.collapse import Collapse
from analysis.statistics.estimate import ALPHA, MARGIN
from study import cli
from study.store.store import Store

NasStudy = Any
RunStudy = Any

SURFACE = {
    "": "run status report compare sensitivity correlate compact methods spaces benchmark",
    "run": "study --store --data --benchmark --seeds --methods --set --address --retry-failed --no-retry-failed "
    "--max-hours --max-trials --tensorboard --dry-run --no-dry-run",
    "status": "store --study --watch --every",
    "report": "store --output -o --study --table --value --lower-is-better --higher-is-better --paired --unpaired "
    "--benchmark --collapse-skips --collapse-below --margin --alpha --target",
    "compare": "store --output -o --study --table --value --lower-is-better --higher-is-better --paired --unpaired "
    "--column --margin --alpha --against --pairs --baseline-of",
    "sensitivity": "store --output -o --study --table --value --lower-is-better --higher-is-better --paired --unpaired "
    "--column --alpha --method --default",
    "correlate": "source --x --y --by --architecture --lower-is-better --higher-is-better --study --alpha --output -o",
    "compact": "store --study",
    "spaces": "show count",
    "spaces show": "name",
    "spaces count": "name architecture --channels --cells --image-size --classes",
    "methods": "show",
    "methods show": "name",
    "benchmark": "info import query",
    "benchmark info": "--benchmark",
    "benchmark import": "path --trust --no-trust --partial",
    "benchmark query": "architecture --benchmark",
}
"""What users may have in their scripts: every command's commands, arguments and options."""


def surface(command: Any, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Of a command and all below it."""
    commands = getattr(command, "commands", {})
    yield path, {*commands, *(name for one in command.params for name in (*one.opts, *one.secondary_opts))}
    for name, below in commands.items():
        yield from surface(below, f"{path} {name}".strip())


def test_the_surface_is_frozen() -> None:
    found = dict(surface(typer.main.get_command(cli.app)))
    assert found == {path: set(words.split()) for path, words in SURFACE.items()}


def test_defaults_are_those_of_the_reports() -> None:
    """They stand in the command line, too, since it shows its help without loading a report."""
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    given = {name: {one.name: one.default for one in commands[name].params} for name in commands}
    assert given["report"]["margin"] == given["compare"]["margin"] == MARGIN
    assert all(given[name]["alpha"] == ALPHA for name in ("report", "compare", "sensitivity", "correlate"))
    assert (given["report"]["collapse_skips"], given["report"]["collapse_below"]) == astuple(Collapse())


@pytest.mark.parametrize("path", SURFACE)
def test_help_names_every_command_and_option(nas_study: NasStudy, path: str) -> None:
    code, out, _ = nas_study(*path.split(), "--help")
    taken = {word for word in SURFACE[path].split() if word.startswith("-") or path in ("", "methods", "benchmark")}
    assert code == 0 and taken <= set(out.replace("│", " ").replace(",", " ").split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "quickstrat"], "did you mean 'quickstart'?"),
        (["run", "quickstart", "--set", "methods.dartz={}"], "unknown method 'dartz'; did you mean 'darts'?"),
        (["run", "quickstart", "--set", "methods.darts.arch_lrr=1"], "did you mean 'arch_lr'?"),
        (["run", "quickstart", "--set", "methods.gaea.arch_lr=-1"], "`arch_lr` should be greater than 0"),
        (["run", "quickstart", "--methods", "zarts"], "--methods selects from the study: unknown method 'zarts'"),
        (["run", "quickstart", "--seeds", "many"], "--seeds must be a number of seeds or a list"),
        (["run", "quickstart", "--set", "dataset=cifar10"], "cifar10"),
        (["run", "quickstart", "--set", "dataset=cifar10", "--data", "/nowhere"], "/nowhere"),
        (["run", "quickstart", "--set", "dataset=cifer10"], "did you mean 'cifar10'?"),
        (["run", "quickstart", "--set", "scale.batch_size=4000"], "batch_size=4000"),
        (["run", "quickstart", "--benchmark", "/nowhere.parquet"], "/nowhere.parquet"),
        (["status", "/nowhere"], "must hold a study, but /nowhere holds none"),
        (["report", "/nowhere"], "/nowhere"),
        (["methods", "show", "dart"], "unknown method 'dart'; did you mean 'darts'?"),
        (["benchmark", "query", "|conv~0|"], "an architecture string reads |op~0|+|op~0|op~1|"),
        (["benchmark", "import", "/nowhere.pth"], "/nowhere.pth"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    nas_study: NasStudy, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    store = ["--store", str(tmp_path)] if arguments[0] == "run" else []
    code, _, err = nas_study(*arguments, *store)
    assert code == 2 and sentence in err
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_a_gpu_that_is_not_there(nas_study: NasStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, _, err = nas_study("run", "quickstart", "--set", "resources.gpu=0.25", "--store", str(tmp_path))
    assert code == 2 and "asks for gpu: 0.25, but torch sees no GPU" in err


def test_a_gpu_without_triton(nas_study: NasStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "trainables.spaces.nas_bench_201.fused_kernels", raising=False)
    code, _, err = nas_study("run", "quickstart", "--set", "resources.gpu=1", "--store", str(tmp_path))
    assert code == 2 and "searches on a GPU need triton" in err


def test_a_precision_of_gpus_is_refused_on_the_cpu(nas_study: NasStudy, tmp_path: Path) -> None:
    code, _, err = nas_study("run", "quickstart", "--set", "precision=tf32", "--store", str(tmp_path))
    assert code == 2 and "`precision: tf32` is of GPUs, but the study runs on the CPU" in err
    code, _, err = nas_study("run", "quickstart", "--set", "precision=half", "--store", str(tmp_path))
    assert code == 2 and "`precision` should be 'float32' or 'tf32', but got 'half'" in err


def test_a_store_that_is_a_file(nas_study: NasStudy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = nas_study("run", "quickstart", "--store", str(tmp_path / "file"))
    assert code == 2 and "must be writable" in err


def test_dry_run_shows_the_plan_and_touches_nothing(nas_study: NasStudy, tmp_path: Path) -> None:
    code, out, _ = nas_study("run", "quickstart", "--dry-run", "--store", str(tmp_path / "store"))
    assert code == 0 and "left: 25 trials" in out and "arch_lr=0.001" in out
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_a_study_runs_and_is_watched_reported_and_compacted(
    nas_study: NasStudy, run_study: RunStudy, table_study: dict[str, Any], tmp_path: Path
) -> None:
    study, store = drills.write_study(tmp_path, table_study | drills.ONE_WORKER), tmp_path / "store"
    code, said = run_study(study, store)
    page = store / "table/report/report.html"
    assert code == 0 and str(page) in said and page.is_file() and "regularized_evolution" in said, said
    code, out, _ = nas_study("status", str(store))
    assert code == 0
    counts = next(line for line in out.splitlines() if "random_search" in line).replace("│", " ").split()
    assert counts[:8] == ["random_search", "3", "3", "0", "0", "0", "0", "0"]
    code, out, _ = nas_study("compact", str(store))
    assert code == 0 and "6 trials" in out and len(list((store / "table/trials").glob("*.parquet"))) == 1
    code, out, _ = nas_study("report", str(store), "-o", str(tmp_path / "mine.html"))
    assert code == 0 and (tmp_path / "mine.html").is_file()


def test_a_changed_study_is_refused_by_its_store(
    nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, store = drills.write_study(tmp_path, table_study), tmp_path / "store"
    Inline(table_study, store).run()
    assert nas_study("run", str(study), "--store", str(store))[0] == 0  # nothing is left to do but to note what it is
    code, _, err = nas_study("run", str(study), "--store", str(store), "--set", "dataset=cifar100")
    assert code == 2 and "all trials of a study share its dataset" in err and "use another --store" in err
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    other = ["--set", "resources.gpu=1", "--set", "precision=tf32"]
    code, _, err = nas_study("run", str(study), "--store", str(store), *other)
    assert code == 2 and "was run with float32 and now it is tf32" in err
    assert len(Store(store, "table").finished()) == 6


def test_spaces_and_the_sizes_of_their_networks(nas_study: NasStudy) -> None:
    code, out, _ = nas_study("spaces")
    assert code == 0 and "nas_bench_201" in out and "darts" in out
    code, out, _ = nas_study("spaces", "show", "darts")
    assert code == 0 and "rows 0 to 27: none, max_pool_3x3" in out and "pc_darts" in out and "cdarts" not in out
    cell = (
        "s3.0 s3.1 / s3.0 s3.1 / s3.1 skip.0 / skip.0 d3.2 | max.0 max.1 / skip.2 max.1 / max.0 skip.2 / skip.2 max.1"
    )
    code, out, _ = nas_study("spaces", "count", "darts", cell)
    assert code == 0 and "3,349,342 parameters" in out and "36 channels, 20 cells" in out
    code, _, err = nas_study("spaces", "count", "darts", cell, "--cells", "2")
    assert code == 2 and "a network of darts has at least 3 cells, but --cells is 2" in err


def test_methods_and_their_hyperparameters(nas_study: NasStudy) -> None:
    code, out, _ = nas_study("methods")
    assert code == 0 and all(name in out for name in ("darts", "drnas", "gaea", "random_search"))
    code, out, _ = nas_study("methods", "show", "drnas")
    assert code == 0 and "arXiv:2006.10355" in out and "reg_scale" in out and "[1e-05, 0.1] log" in out


def test_benchmark_answers_with_what_is_known(nas_study: NasStudy) -> None:
    code, out, _ = nas_study("benchmark", "info")
    assert code == 0 and "cifar10 valid: best 91.607 %" in out and "cifar10 test: unknown" in out
    all_skip = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
    code, out, _ = nas_study("benchmark", "query", all_skip)
    assert code == 0 and "cifar100" in out and "—" in out
