"""Where a report is written before it takes its place: what a killed one leaves, and what is nobody's to remove."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analysis.pages.files import WRITTEN, replacing

PROJECT = Path(__file__).parents[3]
WRITER = """
import sys
from pathlib import Path
from analysis.pages.files import replacing
with replacing(Path(sys.argv[1]), Path(sys.argv[2])) as aside:
    (aside / "tables/half.csv").write_text("1,")
    print(aside.name, flush=True)
    sys.stdin.read()
"""


@contextmanager
def writing(files: Path, page: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process in the middle of a report, and the folder that it writes into."""
    command = [sys.executable, "-c", WRITER, str(files), str(page)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, files / process.stdout.readline().strip()
        finally:
            process.kill()


def write(files: Path, page: Path) -> None:
    with replacing(files, page) as aside:
        (aside / page.name).write_text("new")


@pytest.mark.slow
def test_the_next_report_removes_what_a_killed_one_left_and_nothing_that_a_living_one_holds(tmp_path: Path) -> None:
    files, page = tmp_path / "r_files", tmp_path / "r.html"
    mine, linked = files / f"{WRITTEN}-mine", files / f"{WRITTEN}-abcd1234"
    mine.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    linked.symlink_to(tmp_path / "elsewhere")
    with writing(files, page) as (process, aside):
        assert (aside / "tables/half.csv").exists()
        write(files, page)
        assert (aside / "tables/half.csv").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (aside / "tables/half.csv").exists()
        write(files, page)
    assert sorted(path.name for path in files.iterdir()) == sorted([WRITTEN, mine.name, linked.name])
    assert linked.is_symlink() and (tmp_path / "elsewhere").exists() and page.read_text() == "new"


def test_two_reports_at_once_both_end(tmp_path: Path) -> None:
    files, page = tmp_path / "r_files", tmp_path / "r.html"
    with replacing(files, page) as first:
        (first / page.name).write_text("first")
        write(files, page)
    assert page.read_text() == "first" and [path.name for path in files.iterdir()] == [WRITTEN]
