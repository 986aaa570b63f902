"""The golden numbers of tests/golden.json: inputs and expected outputs of single formulas, computed in float64."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FILE = Path(__file__).parents[1] / "golden.json"


@dataclass(frozen=True)
class GoldenCase:
    """One check."""

    inputs: dict[str, Any]
    expected: dict[str, Any]
    rtol: float
    atol: float

    def tensor(self, name: str) -> Tensor:
        """An input as float64."""
        return torch.tensor(self.inputs[name], dtype=torch.float64)

    def check(self, got: Tensor | Sequence[float] | float, name: str) -> None:
        """Assert that ``got`` is the expected output ``name`` within the case's tolerance."""
        expected = torch.tensor(self.expected[name], dtype=torch.float64)
        got = torch.as_tensor(got, dtype=torch.float64)
        torch.testing.assert_close(got, expected, rtol=self.rtol, atol=self.atol)


def golden(name: str) -> GoldenCase:
    """A case by its id."""
    return GoldenCase(**_cases()[name])


@cache
def _cases() -> dict[str, Any]:
    cases: dict[str, Any] = json.loads(FILE.read_text())
    return cases
