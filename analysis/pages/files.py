"""Where a report may write: what it wrote before, and what nobody else has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from trainables.errors import ConfigError

WRITTEN = ".nas-study-files"
"""The list of what a report wrote into its folder, beside it."""
GENERATOR = "nas-study"
"""By this name in its head a page says that it is a report."""


def check_output(output: Path) -> Path:
    """``output`` as a path. Raises ConfigError where it does not end in .html, or is a file that no report wrote."""
    output = Path(output)
    if output.suffix not in (".html", ".htm") or output.is_dir():
        raise ConfigError(f"a report is a file that ends in .html, but got {output}; name one, as in -o report.html")
    if output.exists() and not is_report(output):
        raise ConfigError(
            f"a report replaces nothing but an earlier report, and {output} is none; name another file with -o"
        )
    return output


def is_report(page: Path) -> bool:
    """Whether a page was written by this program: newer ones say so, older ones begin with their kind."""
    try:
        with page.open("rb") as file:
            start = file.read(200_000)
    except OSError:
        return False
    return f'<meta name="generator" content="{GENERATOR}">'.encode() in start or b'<p class="kind">NAS ' in start


def make_room(files: Path, page: Path, wanted: Iterable[str]) -> None:
    """Make the folders of ``files`` and remove what a former report left: a stale table would be taken for a result.

    ``wanted`` are the files to come, relative to it. They are listed before any is written, so that what a report
    leaves that was cut short is known, too. Raises ConfigError where a file that no report wrote is in the way, and
    OSError.
    """
    wanted = list(dict.fromkeys(wanted))
    former = _listed(files)
    # A report of before there was such a list is known by its page.
    ours = set(wanted) if former is None and is_report(page) else former or set()
    for name in wanted:
        if name not in ours and (files / name).exists():
            raise ConfigError(
                f"a report replaces nothing but an earlier report, and did not write {files / name}; move that away, "
                "or name another file with -o"
            )
    for folder in ("tables", "figures"):
        (files / folder).mkdir(parents=True, exist_ok=True)
    _list(files, {*wanted, *(former or ())})
    for name in former or ():
        (files / name).unlink(missing_ok=True)
    _list(files, wanted)


def _list(files: Path, names: Iterable[str]) -> None:
    (files / WRITTEN).write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")


def _listed(files: Path) -> set[str] | None:
    """What the list in ``files`` names, as far as it lies in there; None without one."""
    try:
        names = (files / WRITTEN).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    paths = [PurePosixPath(name) for name in names if name]
    return {str(path) for path in paths if ".." not in path.parts and not path.is_absolute()}
