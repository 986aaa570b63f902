"""What a stranger may write: refused in one sentence with exit code 2, at once, before anything is made of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from inline import Inline
from refusals import refused

from study.environment import environment, save

NasStudy = Any

INPUTS = Path(__file__).parents[4] / "shared" / "inputs" / "trust"
STUDY = "name: x\ndataset: cifar10\nmethods: {random_search: {queries: 20}}\nseeds: 2\n"


def dry_run(nas_study: NasStudy, path: Path, *options: str) -> tuple[int, str, str]:
    found: tuple[int, str, str] = nas_study("run", str(path), "--dry-run", "--store", str(path.parent / "s"), *options)
    return found


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("repeated_keys.yaml", "the key 'seeds' stands on line 7 and again on line 8; keep one"),
        ("empty_axis.yaml", "`methods.random_search.queries` must hold at least one value"),
        ("latin1.yaml", "line 1 holds a byte that is not UTF-8; save it as UTF-8"),
        ("laughs.yaml", "it stands for more than 100000 values"),
        ("seed_too_large.yaml", "`seeds.3` should be less than or equal to 9223372036854775807"),
    ],
)
def test_inputs_that_were_let_in_once(nas_study: NasStudy, tmp_path: Path, name: str, sentence: str) -> None:
    if not INPUTS.is_dir():
        pytest.skip(f"needs {INPUTS}")
    assert sentence in refused(nas_study("run", str(INPUTS / name), "--dry-run", "--store", str(tmp_path)))


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("{queries: 20}", "{queries: 20, queries: 30}", "the key 'queries' stands on line 3 and again on line 3"),
        ("{random_search: {queries: 20}}", "\n  tpe: {}\n  tpe: {}", "'tpe' stands on line 4 and again on line 5"),
        ("{queries: 20}", "[]", "`methods.random_search` must hold at least one value"),
        ("{queries: 20}", "3", "`methods.random_search` must hold hyperparameters, such as"),
        (
            "{queries: 20}",
            "{queries: null}",
            "must be a number, a word or true or false, a list of such values, a rang",
        ),
        ("{queries: 20}", "{queries: [[1]]}", "`methods.random_search.queries.0` must be a number, a word"),
        ("{queries: 20}", "{queries: .nan}", "must be a number, a word"),
        ("20", "1" + "0" * 50, "`queries` should be less than or equal to"),
        ("seeds: 2", "seeds: '3'", "`seeds` must be a number of seeds from 1 to 1000000, or a list of them such as"),
        ("seeds: 2", "seeds: 1000000000", "`seeds` must be a number of seeds from 1 to 1000000"),
        ("seeds: 2", "seeds: [1.5]", "`seeds.0` should be a valid integer"),
        ("seeds: 2", "seeds: " + "9" * 5000, "line 4 holds a number of 5000 digits"),
        ("seeds: 2", "seeds: 0x" + "f" * 5000, "line 4 holds a number of 5002 digits"),
        ("seeds: 2", "seeds: " + "[" * 500 + "]" * 500, "it nests deeper than 20 levels"),
        ("seeds: 2", "seeds: &a [*a]", "it nests deeper than 20 levels"),
        ("seeds: 2", "seeds: !!int many", "invalid literal"),
        ("seeds: 2", "seeds: [010, 011]", "line 4 holds '010', which YAML takes for a number to the base of 8 or 60"),
        ("seeds: 2", "seeds: [1:30]", "line 4 holds '1:30', which YAML takes for"),
        ("{queries: 20}", "{on: 20}", "the key on on line 3 is no text to YAML, but true, false or null"),
        ("20", "true", "`queries` must be a number, not true or false"),
        ("20}}", "20}}\nscale: {epochs: true}", "`scale.epochs` must be a number, not true or false"),
        ("seeds: 2", "seeds: 1000000\nsearch: {algorithm: random, samples: 1000}", "no hyperparameter to search"),
        ("20}}", "[1, 2]}}\nscale: {cells: 1000000000}", "`scale.cells` should be less than or equal to 100"),
        ("name: x", "name: " + "x" * 300, "`name` should have at most 200 characters, but got 'xxx"),
        ("cifar10", "[cifar10]", "`dataset` must be a name such as cifar10, or keys such as"),
        ("random_search", "? " + "q" * 100_000 + "\n ", "unknown method 'qqq"),
        ("seeds: 2", "seeds: 2\nscale: small", "`scale` must be the word `paper`, or keys such as"),
        (
            "seeds: 2",
            "seeds: 2\nresources: {gpu: [1]}",
            "`resources.gpu` must be a share of a GPU such as 0.25, or auto",
        ),
        ("seeds: 2", "seeds: 2\nresources: {trial_timeout_s: 1.0e+300}", "`resources.trial_timeout_s` should be less"),
        ("seeds: 2", "seeds: 2\nsearch: {algorithm: optuna, samples: 2, seed: 4294967296}", "`search.seed` should be"),
    ],
)
def test_a_study_that_says_what_cannot_be_meant(
    nas_study: NasStudy, tmp_path: Path, before: str, after: str, sentence: str
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace(before, after), encoding="utf-8")
    said = refused(dry_run(nas_study, study))
    assert sentence in said and len(said) < 1000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (STUDY.encode("utf-16"), "it is UTF-16; save it as UTF-8"),
        (bytes(range(256)), "line 2 holds a byte that is not UTF-8"),
        (b"name: \0", "special characters are not allowed"),
        (b"", "must hold keys such as name, dataset and methods"),
        (b"#" * 300_000, "it is larger than 256 KiB"),
    ],
)
def test_a_study_that_is_no_text(nas_study: NasStudy, tmp_path: Path, content: bytes, sentence: str) -> None:
    study = tmp_path / "study.yaml"
    study.write_bytes(content)
    assert sentence in refused(dry_run(nas_study, study))


def test_a_byte_order_mark_and_a_name_like_a_date_are_let_pass(nas_study: NasStudy, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("name: x", "name: 2001-99-99"), encoding="utf-8-sig")
    code, out, _ = dry_run(nas_study, study)
    assert code == 0 and "study 2001-99-99 in" in out


@pytest.mark.parametrize("kind", ["loop", "fifo", "folder", "device", "long", "nobody", "zero"])
def test_a_study_that_is_no_file(nas_study: NasStudy, tmp_path: Path, kind: str) -> None:
    paths = {name: tmp_path / f"{name}.yaml" for name in ("loop", "fifo", "folder")}
    paths["loop"].symlink_to(paths["loop"])
    os.mkfifo(paths["fifo"])
    paths["folder"].mkdir()
    odd = {"device": "/dev/zero", "long": "x" * 5000 + ".yaml", "nobody": "~nosuchuser/x.yaml", "zero": "a\0b.yaml"}
    assert "a study must be a file" in refused(nas_study("run", str(paths.get(kind, odd.get(kind))), "--dry-run"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--seeds", "²"], "--seeds must be a number of seeds or a list"),
        (["--seeds", "9" * 5000], "--seeds must be a number of seeds or a list"),
        (["--seeds", "9223372036854775808,1"], "`seeds.0` should be less than or equal to 9223372036854775807"),
        (["--set", "seeds=[1"], "the value of an override must be YAML"),
        (["--set", "seeds=" + "9" * 5000], "a number of 5000 digits"),
        (["--set", "methods=[1]", "--set", "methods.a=1"], "`methods` in 'methods.a=1' is a list; give it whole"),
        (["--data", "~nosuchuser/x"], "--data must name a file or a folder"),
        (["--benchmark", "~nosuchuser/x"], "--benchmark must name a file or a folder"),
        (["--methods", "[/b]"], "unknown method '[/b]'"),
        (["--store", "~nosuchuser/x"], "a store must be a folder or an address"),
        (["--store", ""], "a store must be a folder or an address, but '' is not: it is empty"),
        (["--store", "\udcff"], "a store must be a folder or an address"),
        (["--store", "s3://"], "names no bucket"),
        (["--store", "nowhere://x"], "must be a folder or an address that pyarrow opens"),
        (["--store", "x" * 5000], "must be readable"),
    ],
)
def test_options_that_mean_nothing(nas_study: NasStudy, tmp_path: Path, options: list[str], sentence: str) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    assert sentence in refused(dry_run(nas_study, study, *options))


def test_curves_that_cannot_be_written_are_said_before_anything_runs(nas_study: NasStudy, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    for folder in ("/dev/null/x", "x" * 300):
        said = refused(nas_study("run", str(study), "--store", str(tmp_path / "s"), "--tensorboard", folder))
        assert "must be within its reach" in said and folder in said


@pytest.mark.parametrize("setting", ["lr", "lr=[1", "lr=1,lr", "lr=" + "9" * 5000, "lr=&a [*a]"])
def test_a_default_that_is_no_setting(nas_study: NasStudy, setting: str) -> None:
    results = Path(__file__).parents[3] / "results"
    said = refused(nas_study("sensitivity", str(results), "--study", "svge_small", "--default", setting))
    assert "--default must be a list such as lr=0.1,depth=2" in said


@pytest.mark.parametrize("option", ["--max-hours", "--max-trials"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e300", "9" * 5000])
def test_numbers_out_of_all_bounds(nas_study: NasStudy, option: str, value: str) -> None:
    code, _, err = nas_study("run", "quickstart", "--dry-run", option, value)
    assert code == 2 and option in err and "Traceback" not in err


@pytest.mark.parametrize("value", ["nan", "inf", "0"])
def test_pauses_out_of_all_bounds(nas_study: NasStudy, value: str) -> None:
    code, _, err = nas_study("status", "--watch", "--every", value)
    assert code == 2 and "--every" in err


def test_several_settings_of_a_method_are_a_list(nas_study: NasStudy, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("{queries: 20}", "[{queries: 20}, {queries: [30, 40]}, null]"))
    code, out, _ = dry_run(nas_study, study)
    assert code == 0 and "left: 8 trials" in out and all(f"queries={n}" in out for n in (20, 30, 40))


def test_too_many_trials_are_counted_not_made(nas_study: NasStudy, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("20", str(list(range(1, 100)))).replace("seeds: 2", "seeds: 20000"))
    assert "at most 1000000 trials, but this one has 1980000" in refused(dry_run(nas_study, study))


def test_the_largest_seed_is_a_seed_like_others(nas_study: NasStudy, tmp_path: Path) -> None:
    """Every searcher draws from it, its row holds it, and ``status`` finds it."""
    names = ("random_search", "regularized_evolution", "local_search", "reinforce", "tpe")
    searchers = {name: {"queries": 12} for name in names}
    raw = {"name": "x", "dataset": "cifar10", "methods": searchers, "seeds": [2**63 - 1]}
    prepared = Inline(raw, tmp_path).run().prepared
    save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    rows = prepared.store.finished(("seed", "status", "error")).values()
    assert [(row["seed"], row["status"], row["error"]) for row in rows] == [(2**63 - 1, "ok", None)] * 5
    assert nas_study("status", str(tmp_path))[0] == 0
