"""The entrance of ``nas-study``, under a name that no folder of the user's has by chance.

``study``, ``trainables`` and ``analysis`` are names that people give to files of their own. A folder on PYTHONPATH that
holds one would stand before the installed packages, here and in every worker: it is taken off, and named.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
PACKAGES = ("study", "trainables", "analysis")


def main() -> None:
    """Run the command line."""
    left_out = clear(os.environ)
    from study.cli import main as run

    for folder, name in left_out.items():
        print(f"{folder} of PYTHONPATH is left out, since its {name} would stand for ours", file=sys.stderr)
    run()


def clear(environment: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """Take each folder in the way off PYTHONPATH and this process's path; returns these, and what lies in them."""
    listed = environment.get("PYTHONPATH", "").split(os.pathsep)
    found = {folder: name for folder in listed if folder and (name := _in_the_way(Path(folder)))}
    if found:
        environment["PYTHONPATH"] = os.pathsep.join(folder for folder in listed if folder not in found)
        gone = {Path(folder).resolve() for folder in found}
        sys.path[:] = [folder for folder in sys.path if not folder or Path(folder).resolve() not in gone]
    return found


def _in_the_way(folder: Path) -> str | None:
    """What in a folder has the name of one of our packages, unless it is that package."""
    if folder.resolve() == HOME:
        return None
    names = (name for package in PACKAGES for name in (f"{package}.py", f"{package}/__init__.py", package))
    return next((name for name in names if (folder / name).exists()), None)
