"""What the command line says to what it does not take."""

from __future__ import annotations


def refused(call: tuple[int, str, str]) -> str:
    """The sentence."""
    code, out, err = call
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1, (code, out, err)
    return err
