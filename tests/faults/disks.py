"""A file system of a test's own, to be filled up or made read-only."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(folder: Path, mib: int = 16) -> Iterator[Path]:
    """A disk of so many MiB at ``folder`` while the block runs. Skips the test, loudly, without the right to mount."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder], capture_output=True)
    if made.returncode:
        pytest.skip(
            "no right to mount a file system here: a disk that is full or read-only is NOT tested in a real run"
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all that is left; remove it to have room again."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def set_writable(folder: Path, writable: bool) -> None:
    option = "remount,rw" if writable else "remount,ro"
    subprocess.run(["mount", "-o", option, folder], check=True)
