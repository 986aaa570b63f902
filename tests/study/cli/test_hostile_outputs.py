"""Where output cannot go, and what must not be shown as it is: full disks, poor terminals, odd names."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from inline import Inline
from refusals import refused

from study import cli
from study.environment import environment, save

NasStudy = Any

STUDY = "name: x\ndataset: cifar10\nmethods: {random_search: {queries: 20}}\nseeds: 2\n"


def test_names_are_shown_as_they_are(nas_study: NasStudy, tmp_path: Path) -> None:
    """Square brackets and colons are no markup."""
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    code, out, _ = nas_study("run", str(study), "--dry-run", "--store", str(tmp_path / "[" / "b]:smile:[x]"))
    assert code == 0 and "b]:smile:[x]" in "".join(line.strip() for line in out.splitlines())


def test_a_sentence_is_one_line_whatever_the_names_in_it(nas_study: NasStudy) -> None:
    for name in ("a\nb", "\x1b[31m", "x" * 5000):
        said = refused(nas_study("status", name))
        assert "\x1b" not in said and len(said) < 2100


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
