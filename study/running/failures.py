"""Why workers failed: they met what only the user can mend, such as a store that is full, or their process died."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ray._private import worker

MISTAKE = "trainables.errors."
"""The module of all errors that are written for users, as tracebacks name it."""
SETUP = re.compile("error raised in its creation task|failed to import on the worker|set up runtime environment", re.I)
"""How Ray tells of a worker that never was one."""
OUT_OF_MEMORY = re.compile(
    r"Memory on the node \(IP: (?P<host>[^,)]+).*?was (?P<used>[\d.]+) ?GB(?: used)? / (?P<limit>[\d.]+) ?GB"
)
"""How Ray begins to tell of workers that it killed so that the host keeps some memory; lists of processes follow."""


class Failure(NamedTuple):
    reason: str
    mendable: bool
    """by the user: what the worker said is a sentence for them"""
    at_setup: bool = False
    """before it took up a trial"""


@dataclass(frozen=True)
class Brief:
    """How a driver prints what raylets report: whole, but nothing of workers that were killed for memory.

    Of these a raylet sends a page that lists the host's processes, and Ray prints it past ``log_to_driver``; the
    worker's own failure says it in a sentence.
    """

    printed: Callable[..., None]

    def __call__(self, data: dict[str, Any], ignore_prefix: bool) -> None:
        if lines := [line for line in data["lines"] if not OUT_OF_MEMORY.search(line)]:
            self.printed(data | {"lines": lines}, ignore_prefix)

    @classmethod
    def install(cls) -> None:
        """Into this process's Ray, once."""
        if not isinstance(worker.print_to_stdstream, cls):
            worker.print_to_stdstream = cls(worker.print_to_stdstream)


def failures(trial: Any) -> list[Failure]:
    """Each failure of Tune's trial; one at least of a trial that has failed, even if Ray did not write down why."""
    path = Path(trial.error_file or "")
    text = path.read_text() if path.is_file() else ""
    found = [_failure(part) for part in re.split(r"^Failure # .*$", text, flags=re.MULTILINE)[1:]]
    return found or [Failure("Ray does not say why", mendable=False)]


def _failure(text: str) -> Failure:
    return _reason(text)._replace(at_setup=SETUP.search(text) is not None)


def _reason(text: str) -> Failure:
    """The user's mistake; a host without memory; what Ray knows of a process that died; or a traceback's end."""
    lines = [line for line in text.splitlines() if line.strip()]
    if mistakes := [line for line in lines if line.startswith(MISTAKE)]:
        return Failure(mistakes[-1].partition(": ")[2], mendable=True)
    if full := OUT_OF_MEMORY.search(text):
        return Failure(
            f"Memory on the node {full['host']} was exhausted: {full['used']} of {full['limit']} GB; run fewer trials "
            "at once, limit each with resources.memory_gib, or end what else runs there",
            mendable=False,
        )
    if "is unavailable: " in text:
        return Failure("it does not answer any more", mendable=False)
    if death := re.search(r"The actor is dead because (.+?)\.(?:\s|$)", text):
        host = re.search(r"^\s*ip: (\S+)", text, re.MULTILINE)
        return Failure(f"{death[1]}, on {host[1]}" if host else death[1], mendable=False)
    return Failure(lines[-1].strip() if lines else "Ray does not say why", mendable=False)
