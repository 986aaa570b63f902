"""Why workers failed: their process died, or they met what only the user can mend, such as a store that is full."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DIED = "its process ended"


def failures(trial: Any) -> list[str]:
    """A sentence for each failure of Tune's trial, one at least: the user's mistake as a worker said it, or DIED."""
    path = Path(trial.error_file or "")
    text = path.read_text() if path.is_file() else ""
    return [_reason(part) for part in re.split(r"^Failure # .*$", text, flags=re.MULTILINE)[1:]] or [DIED]


def _reason(text: str) -> str:
    mistakes = [line for line in text.splitlines() if line.startswith("trainables.errors.")]
    return mistakes[-1].partition(": ")[2] if mistakes else DIED
