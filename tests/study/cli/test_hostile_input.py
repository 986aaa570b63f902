"""What a stranger may write: refused in one sentence with exit code 2, at once, before anything is made of it."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inline import Inline

from study import cli
from study.environment import environment, save

NasStudy = Any

INPUTS = Path(__file__).parents[4] / "shared" / "inputs" / "trust"
STUDY = "name: x\ndataset: cifar10\nmethods: {random_search: {queries: 20}}\nseeds: 2\n"


def refused(call: tuple[int, str, str]) -> str:
    """The sentence."""
    code, out, err = call
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1, (code, out, err)
    return err


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


@pytest.mark.parametrize("command", ["status", "report", "compact"])
@pytest.mark.parametrize("store", ["file", "loop", "[/b]", "~nosuchuser", "s3://", "\udcff", "x" * 5000])
def test_a_store_that_is_none(
    nas_study: NasStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, store: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("loop").symlink_to("loop")
    assert "store must" in refused(nas_study(command, store))


def test_several_settings_of_a_method_are_a_list(nas_study: NasStudy, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("{queries: 20}", "[{queries: 20}, {queries: [30, 40]}, null]"))
    code, out, _ = dry_run(nas_study, study)
    assert code == 0 and "left: 8 trials" in out and all(f"queries={n}" in out for n in (20, 30, 40))


def test_too_many_trials_are_counted_not_made(nas_study: NasStudy, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("20", str(list(range(1, 100)))).replace("seeds: 2", "seeds: 20000"))
    assert "at most 1000000 trials, but this one has 1980000" in refused(dry_run(nas_study, study))


def test_names_are_shown_as_they_are(nas_study: NasStudy, tmp_path: Path) -> None:
    """Square brackets and colons are no markup."""
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    code, out, _ = nas_study("run", str(study), "--dry-run", "--store", str(tmp_path / "[" / "b]:smile:[x]"))
    assert code == 0 and "b]:smile:[x]" in "".join(line.strip() for line in out.splitlines())


@pytest.mark.parametrize("name", ["study.yaml", "environment.json"])
@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"[1, 2]", b"{", b"a: &a [*a]", b"\xff"])
def test_what_describes_a_stored_study_is_named_where_it_is_damaged(
    nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path, name: str, content: bytes
) -> None:
    """By whoever reads it; once it is deleted, the study runs."""
    prepared = Inline(table_study | {"seeds": 1}, tmp_path / "store").prepared
    save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    (tmp_path / "table.yaml").write_text(prepared.study.as_yaml())
    damaged = tmp_path / "store" / "table" / name
    damaged.write_bytes(content)
    run = ("run", str(tmp_path / "table.yaml"), "--dry-run", "--store", str(tmp_path / "store"))
    for command in (run, ("status", str(tmp_path / "store"))):
        said = refused(nas_study(*command))
        assert f"a study's {name} must be whole" in said and str(damaged.parent) in said and "delete it" in said
    damaged.unlink()
    assert nas_study(*run)[0] == 0


@pytest.mark.parametrize("name", ["study.yaml", "environment.json"])
def test_a_pipe_in_a_store_is_not_waited_for(
    nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path, name: str
) -> None:
    prepared = Inline(table_study | {"seeds": 1}, tmp_path).prepared
    save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    (tmp_path / "table" / name).unlink()
    os.mkfifo(tmp_path / "table" / name)
    assert f"{name} is not (it is no regular file)" in refused(nas_study("status", str(tmp_path)))


def test_stray_files_among_checkpoints_are_no_trials(
    nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path
) -> None:
    prepared = Inline(table_study, tmp_path / "store").run().prepared
    save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    for name in ("notes.txt", "README", "x.claim.bak"):
        (tmp_path / "store/table/checkpoints" / name).write_text("mine")
    code, out, _ = nas_study("status", str(tmp_path / "store"))
    assert code == 0 and "random_search" in out


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "to nowhere", "to itself"])
@pytest.mark.parametrize("name", ["x.claim", "x.pt"])
def test_what_is_named_as_a_claim_but_is_no_file_is_said_before_anything_runs(
    nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path, kind: str, name: str
) -> None:
    prepared = Inline(table_study | {"seeds": 1}, tmp_path / "store").prepared
    save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    (tmp_path / "table.yaml").write_text(prepared.study.as_yaml())
    odd = tmp_path / "store/table/checkpoints" / name
    if kind == "folder":
        odd.mkdir()
    elif kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to({"device": "/dev/zero", "to nowhere": "nowhere", "to itself": odd}[kind])
    expected = f"leads to {odd.readlink()}, where" if kind.startswith("to") else f"{odd} is not (it is no regular"
    run = ("run", str(tmp_path / "table.yaml"), "--store", str(tmp_path / "store"), "--address", "127.0.0.1:1")
    for command in (run, ("status", str(tmp_path / "store"))):
        assert expected in refused(nas_study(*command))


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_report_needs_no_claims(nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path, kind: str) -> None:
    prepared = Inline(table_study | {"seeds": 1}, tmp_path).run().prepared
    save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    odd = tmp_path / "table/checkpoints/x.claim"
    os.mkfifo(odd) if kind == "pipe" else odd.mkdir()
    assert nas_study("report", str(tmp_path))[0] == 0


@pytest.mark.parametrize(
    ("command", "full_at"), [("report", "*.pdf"), ("report", "*.html"), ("compare", ".nas-study-files")]
)
def test_a_disk_that_becomes_full_leaves_the_report_that_was_there(
    nas_study: NasStudy,
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    full_at: str,
) -> None:
    def files() -> dict[str, bytes]:
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def open_until_full(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if "w" in mode and path.match(full_at):
            raise OSError(28, "No space left on device")
        return original(path, mode, *arguments, **options)

    original = Path.open
    (tmp_path / "r_files/tables").mkdir(parents=True)
    (tmp_path / "r_files/tables/mine.csv").write_text("mine")
    (tmp_path / "r.html").write_text('<meta name="generator" content="nas-study">the earlier one')
    (tmp_path / "r_files/r.md").write_text("the earlier one's")
    (tmp_path / "r_files/.nas-study-files").write_text("r.md\n")
    before = files()
    monkeypatch.setattr(Path, "open", open_until_full)
    said = refused(nas_study(command, str(results), "-o", str(tmp_path / "r.html")))
    assert f"a report needs a folder that can be written, but {tmp_path}/r_files cannot" in said
    assert "No space left on device" in said
    assert files() == before


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one study that is finished."""
    store = tmp_path_factory.mktemp("results")
    methods = {"random_search": {"queries": 5}, "regularized_evolution": {"queries": 15}}
    prepared = Inline({"name": "table", "dataset": "cifar10", "methods": methods, "seeds": 3}, store).run().prepared
    save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    return store


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("seed", ["one"]),
        ("search_wall_s", ["long"]),
        ("finished_at", ["yesterday"]),
        ("status", [3]),
        ("hp.queries", [[5]]),
        ("hp.queries", [{"a": 1}]),
        ("trial_id", None),
    ],
)
def test_a_result_file_with_other_columns_is_named(
    nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path, column: str, values: list[Any] | None
) -> None:
    """Text where numbers belong, lists, none at all."""
    prepared = Inline(table_study | {"seeds": 1}, tmp_path).run().prepared
    save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    file = sorted((tmp_path / "table/trials").glob("*.parquet"))[0]
    table = pq.read_table(file)
    other = table.drop_columns([column])
    pq.write_table(other if values is None else other.append_column(column, pa.array(values)), file)
    for command in ("status", "report", "compact"):
        said = refused(nas_study(command, str(tmp_path)))
        assert f"`{column}` is missing, double or of another type; delete the file" in said and file.name in said


def test_a_link_to_a_study_that_is_gone_is_named(nas_study: NasStudy, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to("nowhere")
    assert f"{tmp_path / 'mine'} leads to nowhere, where nothing is" in refused(nas_study("status", str(tmp_path)))


def test_a_sentence_is_one_line_whatever_the_names_in_it(nas_study: NasStudy) -> None:
    for name in ("a\nb", "\x1b[31m", "x" * 5000):
        said = refused(nas_study("status", name))
        assert "\x1b" not in said and len(said) < 2100


def test_a_study_called_trials_hides_no_other(nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path) -> None:
    for name in ("trials", "other"):
        prepared = Inline(table_study | {"name": name, "seeds": 1}, tmp_path).prepared
        save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    code, out, _ = nas_study("status", str(tmp_path))
    assert code == 0 and str(tmp_path / "trials") in out and str(tmp_path / "other") in out
    code, out, _ = nas_study("status", str(tmp_path / "trials"))
    assert code == 0 and "other" not in out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_is_full_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(sys, "argv", ["nas-study", "methods"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    err = capsys.readouterr().err
    assert ended.value.code == 2 and "No space left on device" in err and err.count("\n") == 1


def test_an_output_without_the_characters_is_given_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, encoding="latin-1"))
    monkeypatch.setattr(sys, "argv", ["nas-study", "methods", "show", "drnas"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0 and b"arXiv:2006.10355" in said.getvalue() and b"\\u" in said.getvalue()


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
