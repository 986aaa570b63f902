"""The figures of the README, drawn from the rows in results/: python docs/make_figures.py"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIGURES = {
    "all_methods_seeds.svg": ("report --study all_methods_cifar10_small", "seeds_cifar10_test_accuracy"),
    "table_searchers_differences.svg": ("compare --study table_searchers", "differences"),
    "sensitivity_profile.svg": ("sensitivity --study sensitivity_cifar10_small", "robustness_profile"),
    "sensitivity_tuned.svg": ("sensitivity --study sensitivity_table", "default_tuned"),
}
"""File -> the command that draws it, and the figure's name in what the command writes."""


def make(name: str, folder: Path) -> None:
    """Draw one figure. Its paper is white, since the README may be read on black."""
    command, figure = FIGURES[name]
    verb, *options = command.split()
    page = folder / f"{Path(name).stem}.html"
    arguments = [verb, str(ROOT / "results"), *options, "-o", str(page)]
    subprocess.run([sys.executable, "-m", "study.cli", *arguments], check=True, cwd=ROOT)
    drawn = (page.with_name(f"{page.stem}_files") / "figures" / f"{figure}.svg").read_text()
    (ROOT / "docs" / name).write_text(drawn.replace('style="fill: none"', 'style="fill: #ffffff"', 1))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for name in sys.argv[1:] or FIGURES:
            make(name, Path(temporary))
