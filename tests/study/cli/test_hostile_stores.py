"""Stores that are none, that are damaged, and in which other things lie: named in one sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inline import Inline
from refusals import refused

from study.environment import environment, save

NasStudy = Any


@pytest.mark.parametrize("command", ["status", "report", "compact"])
@pytest.mark.parametrize("store", ["file", "loop", "[/b]", "~nosuchuser", "s3://", "\udcff", "x" * 5000])
def test_a_store_that_is_none(
    nas_study: NasStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, store: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("loop").symlink_to("loop")
    assert "store must" in refused(nas_study(command, store))


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


def test_a_study_called_trials_hides_no_other(nas_study: NasStudy, table_study: dict[str, Any], tmp_path: Path) -> None:
    for name in ("trials", "other"):
        prepared = Inline(table_study | {"name": name, "seeds": 1}, tmp_path).prepared
        save(prepared.store, prepared.study, environment(prepared.fingerprints, "", {}))
    code, out, _ = nas_study("status", str(tmp_path))
    assert code == 0 and str(tmp_path / "trials") in out and str(tmp_path / "other") in out
    code, out, _ = nas_study("status", str(tmp_path / "trials"))
    assert code == 0 and "other" not in out
