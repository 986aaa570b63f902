"""Writes docs/methods.md from the registry: python docs/make_methods.py. A test holds the two together."""

from __future__ import annotations

import csv
import inspect
import re
import sys
from pathlib import Path

from trainables.hyperparameters import Range, choices_of, range_of, source_of
from trainables.methods import METHODS
from trainables.methods.checked import Checked

PAGE = Path(__file__).parent / "methods.md"
COSTS = Path(__file__).parent.parent / "speed" / "method_cost.csv"
HEADER = """# Search methods

Generated from `trainables/methods/` by `python docs/make_methods.py`; do not edit. Cost is the time of an epoch, as
measured by `speed/method_cost.py`: of methods that train on images relative to first-order DARTS at the same scale, one
so small (six steps an epoch) that evaluations between epochs weigh more than in a real search; of the searchers of the
table relative to a query of random search. Ranges are what a hyperparameter search draws from.

The last column says how a method was held against released code. In *lockstep* both took the same steps on the same
images, initial weights and random draws, in float64; of *functions* of the release only these ran, on the same numbers;
*read* is read line by line, not run. The difference is the largest of any weight or architecture parameter. What a
note or a numbered deviation names was made equal first.
"""


def page() -> str:
    """The whole page."""
    costs = measured()
    lines = [HEADER, "| method | paper | protocol | cost | checked against released code |", "| --- " * 5 + "|"]
    for name, method in METHODS.items():
        config = method.Config()
        cost = "; ".join(f"{ratio} × {given}".rstrip() for given, ratio in costs.get(name, []))
        cells = f"[`{name}`](#{name})", method.paper, method.protocol(config) or "–", cost, check(method.checked)
        lines.append(f"| {' | '.join(cells)} |")
    for name, method in METHODS.items():
        document = inspect.cleandoc(sys.modules[method.__module__].__doc__ or "")
        summary, _, specification = document.partition("\n\n")
        lines += ["", f"## {name}", "", re.sub(r"\s+", " ", summary), "", "```text", specification, "```", ""]
        lines += ["| hyperparameter | default | range | meaning | source |", "| --- | --- | --- | --- | --- |"]
        for key, field in method.Config.model_fields.items():
            values = choices_of(field) or range_of(method.Config, name, key)
            listed = str(values) if isinstance(values, Range) else ", ".join(map(str, values))
            lines.append(f"| `{key}` | {field.default} | {listed} | {field.description} | {source_of(field)} |")
        for space, published in method.published.items():
            scale = ", ".join(f"{key} {value}" for key, value in published.model_dump().items())
            lines += ["", f"Published scale on `{space}`: {scale}."]
    return "\n".join(lines) + "\n"


def check(checked: Checked | None) -> str:
    """One line of how a method was held against its release."""
    if checked is None:
        return "no release"
    difference = "" if checked.difference is None else f", largest difference {checked.difference:.0e}"
    note = f" ({checked.note})" if checked.note else ""
    return f"{checked.how}: {checked.code}, {checked.when}{difference}{note}"


def measured() -> dict[str, list[tuple[str, str]]]:
    """Method -> (changed hyperparameters in brackets, cost relative to first-order DARTS or random search)."""
    found: dict[str, list[tuple[str, str]]] = {}
    with COSTS.open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["method"], []).append((f"({row['config']})" if row["config"] else "", row["cost"]))
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
