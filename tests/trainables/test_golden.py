"""The golden numbers kept here are those of the design documents, where these are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from golden import FILE

DESIGN = Path(__file__).parents[2].parent / "shared" / "golden" / "methods.json"


def test_own_golden_numbers_are_those_of_the_design() -> None:
    if not DESIGN.exists():
        pytest.skip(f"the design's golden numbers are not at {DESIGN}")
    design = {check["id"]: check for check in json.loads(DESIGN.read_text())["checks"]}
    for name, case in json.loads(FILE.read_text()).items():
        assert case == {key: design[name][key] for key in ("inputs", "expected", "rtol", "atol")}, name
