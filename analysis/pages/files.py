"""Where a report may write: what it wrote before, and what nobody else has."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from trainables.errors import ConfigError

WRITTEN = ".nas-study-files"
"""The list of what a report wrote into its folder, beside it."""
GENERATOR = "nas-study"
"""By this name in its head a page says that it is a report."""
_ASIDE = re.compile(re.escape(WRITTEN) + r"-\w{8}")
"""A folder that a report is written into before it is moved to its place."""


def check_output(output: Path) -> Path:
    """``output`` as a path. Raises ConfigError where it does not end in .html, or is a file that no report wrote."""
    output = Path(output)
    if output.suffix not in (".html", ".htm") or output.is_dir():
        raise ConfigError(f"a report is a file that ends in .html, but got {output}; name one, as in -o report.html")
    if os.path.lexists(output) and not is_report(output):
        raise ConfigError(
            f"a report replaces nothing but an earlier report, and {output} is none; name another file with -o"
        )
    return output


def is_report(page: Path) -> bool:
    """Whether a page was written by this program: newer ones say so, older ones begin with their kind."""
    if not page.is_file():  # a pipe would be waited for
        return False
    try:
        with page.open("rb") as file:
            start = file.read(200_000)
    except OSError:
        return False
    return f'<meta name="generator" content="{GENERATOR}">'.encode() in start or b'<p class="kind">NAS ' in start


@contextmanager
def replacing(files: Path, page: Path) -> Iterator[Path]:
    """A folder to write a report's page and files into. Only when all is written does it take an earlier one's place.

    So a disk that becomes full leaves what was there. What the former report wrote and this one does not is removed: a
    stale table would be taken for a result; and so is what a report that was killed left on its way. Raises ConfigError
    where ``files`` cannot be written, or a file that no report wrote is in the way.
    """
    try:
        files.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(files)
        aside, held = _held_folder(files)
    except OSError as error:
        raise _unwritable(files, error, "an earlier report there is as it was") from None
    try:
        for folder in ("tables", "figures"):
            (aside / folder).mkdir()
        yield aside
    except OSError as error:
        raise _unwritable(files, error, "an earlier report there is as it was") from None
    else:
        try:
            _move(aside, files, page)
        except OSError as error:
            raise _unwritable(files, error, "a report there may be of two, so write it again") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(held)
        with suppress(OSError):
            files.rmdir()  # where nothing else is in it


def _held_folder(files: Path) -> tuple[Path, int]:
    """A new folder, and the lock on it that ends with this process: whoever finds it unlocked may remove it."""
    while True:
        aside = Path(tempfile.mkdtemp(prefix=f"{WRITTEN}-", dir=files))
        with suppress(FileNotFoundError):  # another report took it for abandoned before it was locked
            held = os.open(aside, os.O_RDONLY)
            with suppress(OSError):  # without locks nobody can tell, and nobody removes it
                fcntl.flock(held, fcntl.LOCK_SH)
            if aside.exists():
                return aside, held
            os.close(held)


def _remove_abandoned(files: Path) -> None:
    """The folders that no living report holds."""
    for aside in files.iterdir():
        if not _ASIDE.fullmatch(aside.name) or aside.is_symlink() or not aside.is_dir():
            continue
        with suppress(OSError):  # held, or gone by now
            held = os.open(aside, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(aside, ignore_errors=True)
            finally:
                os.close(held)


def _move(aside: Path, files: Path, page: Path) -> None:
    """The page last. What lies in ``files`` is listed before it is there, so that what is cut short is known, too."""
    written = {path.relative_to(aside).as_posix() for path in aside.rglob("*") if path.is_file()} - {page.name}
    former = _listed(files)
    # A report of before there was such a list is known by its page.
    ours = written if former is None and is_report(page) else former or set()
    for name in sorted(written - ours):
        if (files / name).exists():
            raise ConfigError(
                f"a report replaces nothing but an earlier report, and did not write {files / name}; move that away, "
                "or name another file with -o"
            )
    _list(aside, files, written | (former or set()))
    for name in sorted(written):
        (files / name).parent.mkdir(exist_ok=True)
        (aside / name).replace(files / name)
    for name in (former or set()) - written:
        (files / name).unlink(missing_ok=True)
    (aside / page.name).replace(page)
    _list(aside, files, written)


def _list(aside: Path, files: Path, names: Iterable[str]) -> None:
    (aside / WRITTEN).write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
    (aside / WRITTEN).replace(files / WRITTEN)


def _unwritable(files: Path, error: OSError, state: str) -> ConfigError:
    return ConfigError(f"a report needs a folder that can be written, but {files} cannot ({error}); {state}")


def _listed(files: Path) -> set[str] | None:
    """What the list in ``files`` names, as far as it lies in there; None without one."""
    if not (files / WRITTEN).is_file():
        return None
    try:
        names = (files / WRITTEN).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    paths = [PurePosixPath(name) for name in names if name]
    return {str(path) for path in paths if ".." not in path.parts and not path.is_absolute()}
