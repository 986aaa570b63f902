"""What commands print: words as they are, whatever the names in them, on whatever a terminal can show."""

from __future__ import annotations

import io
import os
import sys

from rich.console import Console
from rich.text import Text

LONGEST = 2000
"""Characters of a sentence; a name in it may be as long as it likes."""


def console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Names and paths are no markup; ``soft_wrap`` leaves long lines, paths in them above all, to the terminal."""
    return Console(stderr=stderr, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)


def show_any_character() -> None:
    """What the encoding of the output lacks is written as its number, not refused."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def fail(sentence: str) -> None:
    """The one sentence of a command that ends with exit code 2, on one line whatever the names in it."""
    console(stderr=True, soft_wrap=True).print(Text("error: ", "bold red"), Text(_on_one_line(sentence)), sep="")


def _on_one_line(text: str) -> str:
    """What ends a line, moves the cursor or cannot be seen as its number; what nobody reads to its end in short."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST * 3 // 4]} … {shown[-LONGEST // 4 :]}"


def unprinted() -> str | None:
    """Why what was printed did not arrive; then nothing more is tried, as Python would at its end."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error.strerror
    return None
