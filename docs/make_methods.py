"""Writes docs/methods.md from the registry: python docs/make_methods.py. A test holds the two together."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from trainables.hyperparameters import Range, choices_of, search_space, source_of
from trainables.methods import METHODS

PAGE = Path(__file__).parent / "methods.md"
HEADER = """# Search methods

Generated from `trainables/methods/` by `python docs/make_methods.py`; do not edit. Cost is the time of an epoch
relative to first-order DARTS at the same scale, with the method's defaults. Ranges are what a hyperparameter search
draws from.
"""


def page() -> str:
    """The whole page."""
    lines = [HEADER, "| method | paper | protocol | cost |", "| --- | --- | --- | --- |"]
    for name, method in METHODS.items():
        config = method.Config()
        trains = method.needs(config) == "images"
        cost = f"{method.relative_cost(config):.2g} ×" if trains else "table only"
        lines.append(f"| [`{name}`](#{name}) | {method.paper} | {method.protocol(config) or '–'} | {cost} |")
    for name, method in METHODS.items():
        document = inspect.cleandoc(sys.modules[method.__module__].__doc__ or "")
        summary, _, specification = document.partition("\n\n")
        lines += ["", f"## {name}", "", re.sub(r"\s+", " ", summary), "", "```text", specification, "```", ""]
        lines += ["| hyperparameter | default | range | meaning | source |", "| --- | --- | --- | --- | --- |"]
        for key, field in method.Config.model_fields.items():
            values = choices_of(field) or search_space(method.Config, name, key)
            listed = str(values) if isinstance(values, Range) else ", ".join(map(str, values))
            lines.append(f"| `{key}` | {field.default} | {listed} | {field.description} | {source_of(field)} |")
        if method.paper_scale:
            scale = ", ".join(f"{key} {value}" for key, value in method.paper_scale.model_dump().items())
            lines += ["", f"Paper's scale: {scale}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
