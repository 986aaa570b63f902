"""The house keeps its plan: dependencies point one way, and the top of each package is a table of contents."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
REPORTS = ("analysis.robustness", "analysis.comparison", "analysis.sensitivity", "analysis.correlation")
FORBIDDEN = {
    "trainables": ("study", "analysis"),
    "trainables/methods": ("ray", "pandas", "matplotlib"),
    "study/store": ("analysis", "study.running", "study.status", "study.cli", "ray", "torch"),
    "study/status": ("analysis", "study.running", "study.cli", "ray"),
    "study/running": ("analysis", "study.status", "study.cli"),
    "analysis": (
        "torch",
        "ray",
        "study.running",
        "study.status",
        "study.cli",
        "study.config",
        "study.loading",
        "study.plan",
    ),
    "analysis/statistics": ("analysis.results", "analysis.pages", "trainables.methods", "pandas", "matplotlib"),
    "analysis/results": ("analysis.pages.page", *REPORTS),
    "analysis/pages": REPORTS,
    **{report.replace(".", "/"): tuple({*REPORTS} - {report}) for report in REPORTS},
}
"""Folder -> what no file in it imports, at its top or later."""


def imports(file: Path) -> set[str]:
    """The modules that a file names in its imports, ``package.name`` of what is imported from a package too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_dependencies_point_one_way(folder: str) -> None:
    wrong = {
        f"{file.relative_to(PROJECT)} imports {module}"
        for file in (PROJECT / folder).rglob("*.py")
        for module in imports(file)
        if any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN[folder])
    }
    assert wrong == set()


@pytest.mark.parametrize("package", ["study", "analysis"])
def test_the_top_of_a_package_is_a_table_of_contents(package: str) -> None:
    assert len([path for path in (PROJECT / package).iterdir() if path.is_file()]) <= 12


@pytest.mark.parametrize(
    ("call", "where"),
    [
        ("Console(", {"study/cli/printing.py"}),  # names and paths are no markup
        ("yaml.safe_load", {"study/running/hosts.py"}),  # of a file of Ray's; what users write: trainables/reading.py
    ],
)
def test_there_is_one_way_to_print_and_to_read(call: str, where: set[str]) -> None:
    files = [file for package in ("study", "trainables", "analysis") for file in (PROJECT / package).rglob("*.py")]
    found = {str(file.relative_to(PROJECT)) for file in files if call in file.read_text(encoding="utf-8")}
    assert found == where


def test_tests_that_train_lie_where_make_test_portable_looks() -> None:
    marked = {f for f in (PROJECT / "tests").rglob("test_*.py") if "mark.trains" in f.read_text(encoding="utf-8")}
    elsewhere = [file for file in marked - {Path(__file__)} if PROJECT / "tests/trainables" not in file.parents]
    assert len(marked) > 1 and elsewhere == []
