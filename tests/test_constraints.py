"""The lock holds what the constraints pin, by hash, and torch finds the triton it asks for."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PINNED = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)")


def entries(file: str) -> list[str]:
    lines = (ROOT / file).read_text().replace("\\\n", "").splitlines()
    return [line for line in lines if not line.startswith("#")]


def pins(file: str) -> dict[str, str]:
    found = [PINNED.match(entry) for entry in entries(file)]
    return {canonicalize_name(pin["name"]): pin["version"] for pin in found if pin}


def test_the_lock_holds_every_constraint() -> None:
    constraints, lock = pins("constraints.txt"), pins("requirements.lock")
    assert constraints
    assert {name: lock.get(name) for name in constraints} == constraints, "CONTRIBUTING.md says how to make the lock"


def test_the_lock_holds_every_dependency() -> None:
    project = requires("nas-robustness-study")
    assert project is not None
    lock = pins("requirements.lock")
    for requirement in map(Requirement, project):
        version = lock[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: the lock has {version}"


def test_everything_in_the_lock_has_hashes() -> None:
    hashed = re.compile(PINNED.pattern + r"( ;[^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+")
    assert not [entry for entry in entries("requirements.lock") if not hashed.fullmatch(entry)]


def test_torch_asks_for_the_triton_that_is_pinned() -> None:
    """CPU builds of torch ask for none, PyPI's for Linux do."""
    asked = [r for r in map(Requirement, requires("torch") or []) if r.name == "triton"]
    if not asked:
        pytest.skip("torch and triton are NOT COMPARED: the installed torch asks for no triton")
    for requirement in asked:
        assert requirement.specifier.contains(pins("constraints.txt")["triton"]), str(requirement)
