"""How long short commands take beside an earlier version of this project: python speed/startup.py EARLIER [rounds]

EARLIER is a checkout of an earlier commit, as `git worktree add` makes one. Each command runs in a process of its own,
the two versions by turns; CPU time of the process. They take milliseconds, so what is measured is what they import.
Linux only.
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
COMMANDS = {
    "import analysis": ("-c", "import analysis"),
    "nas-study --help": ("-m", "study.cli", "--help"),
    "nas-study methods": ("-m", "study.cli", "methods"),
    "nas-study methods show darts": ("-m", "study.cli", "methods", "show", "darts"),
    "nas-study status": ("-m", "study.cli", "status", str(ROOT / "results")),
}


def cpu_s(code: Path, arguments: tuple[str, ...], folder: str) -> float:
    """CPU seconds of a command with the project in ``code``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(code)}
    subprocess.run([sys.executable, *arguments], check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(earlier: Path, rounds: int) -> None:
    print("| command | earlier | now | now / earlier |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in COMMANDS.items():
            times = [[cpu_s(code, arguments, folder) for code in (earlier, ROOT)] for _ in range(rounds)]
            old, new = (median(column) for column in zip(*times, strict=True))
            share = median(now / then for then, now in times)
            print(f"| `{name}` | {old:.2f} s | {new:.2f} s | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
