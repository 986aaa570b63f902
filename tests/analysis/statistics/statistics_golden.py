"""The golden numbers of tests/golden_statistics.json: samples, and what libraries or definitions say of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "golden_statistics.json"


@dataclass(frozen=True)
class GoldenCase:
    """One sample and the numbers it must give."""

    inputs: dict[str, Any]
    expected: dict[str, Any]
    rtol: float
    atol: float

    def approx(self, *keys: str) -> Any:
        """The expected value under ``keys``, one inside the other, with the case's tolerance."""
        value: Any = self.expected
        for key in keys:
            value = value[key]
        return pytest.approx(value, rel=self.rtol, abs=self.atol)


def golden(name: str) -> GoldenCase:
    """A case by its id."""
    return GoldenCase(**cases()[name])


@cache
def cases() -> dict[str, Any]:
    """All cases, by id."""
    loaded: dict[str, Any] = json.loads(FILE.read_text())
    return loaded
