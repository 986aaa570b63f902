"""What a report costs beside an earlier version of this project: python speed/report.py EARLIER [rounds]

EARLIER is a checkout of an earlier commit, as `git worktree add` makes one. The reports of the committed studies are
written in turns by both, each in a process of its own; CPU time of the process and its children. The numbers have to
agree: every CSV of a table is compared, byte by byte. Figures may differ; that is what this program is for. Linux only.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
REPORTS = (
    ("report", "all_methods_cifar10_small"),
    ("compare", "all_methods_cifar10_small"),
    ("sensitivity", "sensitivity_cifar10_small"),
    ("report", "table_searchers"),
    ("compare", "table_searchers"),
)


def write(code: Path, command: str, study: str, page: Path) -> float:
    """Write one report with the project in ``code``; returns CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = [sys.executable, "-m", "study.cli", command, str(ROOT / "results" / study), "-o", str(page)]
    environment = os.environ | {"PYTHONPATH": str(code)}
    subprocess.run(arguments, check=True, cwd=page.parent, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tables(page: Path) -> dict[str, bytes]:
    """The CSV files of a report's tables."""
    folder = page.with_name(f"{page.stem}_files") / "tables"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}


def main(earlier: Path, rounds: int) -> None:
    print("| report | study | earlier | now | ratio | tables |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for command, study in REPORTS:
            pages = [Path(temporary) / f"{which}.html" for which in ("earlier", "now")]
            times = [
                [write(code, command, study, page) for code, page in zip((earlier, ROOT), pages, strict=True)]
                for _ in range(rounds)
            ]
            old, new = (median(column) for column in zip(*times, strict=True))
            ratio = median(then / now for then, now in times)
            same = "same numbers" if tables(pages[0]) == tables(pages[1]) else "NUMBERS DIFFER"
            print(f"| {command} | {study} | {old:.1f} s | {new:.1f} s | {ratio:.1f}× | {same} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
