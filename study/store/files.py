"""Whole files under one address, on any file system that pyarrow reaches: a folder, s3://, gs://, abfs://.

A file appears whole or not at all, whenever its writer dies: on a disk it is written aside and renamed; object storage
publishes an object when its upload is complete. Nothing is ever appended to.

A network that fails is waited for; an answer that would be the same the next time (no such file, access denied, disk
full) is not. Listings are only ever a hint: on some storage they lag behind what was written.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from study.store.waiting import waiting_for
from trainables.errors import StoreError, shown
from trainables.reading import Unreadable, whole_path
from trainables.secrets import redact, refuse_credentials

WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses between attempts. pyarrow itself repeats a request to S3 for 6 s before it gives up, so that this rides out
almost two minutes without storage."""
TRANSIENT = re.compile(
    r"NETWORK_CONNECTION|SLOW_?DOWN|THROTTL|INTERNAL_?(FAILURE|ERROR)|SERVICE_?UNAVAILABLE|REQUEST_TIME_?OUT"
    r"|NO_SUCH_UPLOAD"  # the first answer to the end of an upload was lost: it is done anew
    r"|HTTP status (429|5\d\d)|TIMED? ?OUT|CONNECTION|UNAVAILABLE|DEADLINE_EXCEEDED|SERVER_?BUSY|TOO ?MANY ?REQUESTS",
    re.I,
)
AT_ONCE = 16
"""Requests to object storage that are under way together."""

OURS = (".parquet", ".pt", ".claim")
"""So end the names of the files in a store's folders."""
NO_FILES = (pafs.FileType.Directory, pafs.FileType.Unknown)
"""Unknown is a pipe, a socket or a device."""

T = TypeVar("T")
S = TypeVar("S")


def whole(uri: str) -> str:
    """The address as it is understood in any working folder. Raises StoreError."""
    try:
        if not uri:
            raise Unreadable("it is empty")
        uri.encode()
        return uri if "://" in uri else str(whole_path(uri))
    except (Unreadable, UnicodeEncodeError) as error:
        raise StoreError(f"a store must be a folder or an address, but {shown(uri)} is not: {error}") from None


def locate(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system of an address and the path in it. Raises StoreError, also where the address holds credentials."""
    refuse_credentials(uri)
    uri = whole(uri)
    if "://" not in uri:
        return pafs.LocalFileSystem(), uri
    try:
        with waiting_for(uri):  # that of S3 asks for the bucket's region
            filesystem, path = pafs.FileSystem.from_uri(uri)
        if not path.strip("/"):
            raise ValueError("it names no bucket and no folder")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(
            f"a store must be a folder or an address that pyarrow opens, but {uri} is not ({one_line(error)})"
        ) from None
    if isinstance(filesystem, pafs.S3FileSystem):
        # A small file is then one request instead of three; an address cannot ask for it, a pickled description can.
        rebuild, (options,) = filesystem.__reduce__()
        filesystem = rebuild(options | {"allow_delayed_open": True})
    return filesystem, path.rstrip("/")


class Files:
    """The files under the address ``uri``, or under a ``folder`` of it; names are relative to that."""

    def __init__(self, uri: str, folder: str | None = None) -> None:
        self.filesystem, place = locate(uri)
        self.root = place if folder is None else f"{place}/{folder}"
        self.is_local = isinstance(self.filesystem, pafs.LocalFileSystem)
        self._reached = False

    def create_folders(self, names: Iterable[str]) -> None:
        """Raises OSError."""
        for name in names:
            self.attempt(self.filesystem.create_dir, f"{self.root}/{name}")

    def read(self, name: str, at_most: int | None = None) -> bytes | None:
        """A file's content, or its first ``at_most`` bytes; None if there is none. Raises StoreError."""

        def get() -> bytes:
            place = Path(f"{self.root}/{name}")
            if self.is_local and place.exists() and not place.is_file():
                raise OSError("it is no regular file")  # a pipe would be waited for
            with self.filesystem.open_input_stream(f"{self.root}/{name}") as stream:
                return bytes(stream.read(at_most))

        try:
            return self.attempt(get)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(f"{self.root}/{name}", error) from None

    def write(self, name: str, content: bytes | pa.Buffer) -> None:
        """Make or replace a file, whole. Raises StoreError."""
        path = f"{self.root}/{name}"
        try:
            if self.is_local:
                self._write_aside(path, content)
            else:
                # In a thread, which no signal interrupts: an exception in the middle would publish an empty object.
                self.attempt(lambda: self._pool.submit(self._put, path, content).result())
        except OSError as error:
            raise StoreError(
                f"the result store must be writable, but {path} is not ({one_line(error)}); see to that and run the "
                "same command again: it goes on where it was"
            ) from None

    def delete(self, name: str) -> None:
        """Remove a file, if it is still there. Raises StoreError."""
        try:
            with suppress(FileNotFoundError):
                self.attempt(self.filesystem.delete_file, f"{self.root}/{name}")
        except OSError as error:
            raise StoreError(
                f"the result store must be writable, but {self.root}/{name} cannot be removed ({one_line(error)})"
            ) from None

    def listing(self, folder: str) -> list[pafs.FileInfo]:
        """The finished files of a folder, by name.

        Raises StoreError, also of a link that leads nowhere, and of what has the name of a file of ours but is none.
        """
        infos = self._infos(pafs.FileSelector(f"{self.root}/{folder}", allow_not_found=True))
        if self.is_local:
            _refuse_dangling(Path(self.root) / folder)
        for info in infos:
            if info.type in NO_FILES and info.base_name.endswith(OURS):
                raise unreadable(info.path, OSError("it is no regular file; move it away"))
        return sorted((i for i in infos if i.is_file and not i.base_name.startswith(".")), key=lambda info: info.path)

    def folders(self) -> list[str]:
        """The names of the folders here. Raises StoreError, also of a link that leads nowhere."""
        infos = self._infos(pafs.FileSelector(self.root, allow_not_found=True))
        if self.is_local:
            _refuse_dangling(Path(self.root))
        return [info.base_name for info in infos if info.type == pafs.FileType.Directory]

    def is_folder(self, name: str) -> bool:
        """Raises StoreError."""
        (info,) = self._infos([f"{self.root}/{name}"])
        return bool(info.type == pafs.FileType.Directory)

    def modified_at(self, name: str) -> float:
        """When a file was last written, in seconds since the epoch by the storage's clock; 0 without one."""
        (info,) = self._infos([f"{self.root}/{name}"])
        return info.mtime_ns / 1e9 if info.is_file else 0.0

    def _infos(self, wanted: pafs.FileSelector | list[str]) -> list[pafs.FileInfo]:
        try:
            return list(self.attempt(self.filesystem.get_file_info, wanted))
        except OSError as error:
            place = wanted[0] if isinstance(wanted, list) else wanted.base_dir
            raise unreadable(place, error) from None

    def attempt(self, action: Callable[..., T], *arguments: object) -> T:
        """Do it, and again after a pause where network or storage failed. Raises OSError.

        Before anything has succeeded nothing is waited for: then it is the address that is wrong, or the network.
        """
        with waiting_for(self.root):
            return self._attempt(action, *arguments)

    def _attempt(self, action: Callable[..., T], *arguments: object) -> T:
        for wait_s in (*WAITS_S, None):
            try:
                result = action(*arguments)
            except FileNotFoundError:
                self._reached = True
                raise
            except OSError as error:
                if wait_s is None or not self._reached or not is_transient(error):
                    raise
                time.sleep(wait_s)
            else:
                self._reached = True
                return result
        raise AssertionError

    def map(self, function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        """``function`` of each item in order, of some of them before they are asked for, several at once."""
        rest, under_way = iter(items), deque[Future[T]]()
        for item in islice(rest, self._at_once):
            under_way.append(self._pool.submit(function, item))
        while under_way:
            result = under_way.popleft().result()
            under_way.extend(self._pool.submit(function, item) for item in islice(rest, 1))
            yield result

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._at_once, "store")

    @property
    def _at_once(self) -> int:
        return (os.cpu_count() or 1) if self.is_local else AT_ONCE

    def _put(self, path: str, content: bytes | pa.Buffer) -> None:
        with self.filesystem.open_output_stream(path) as stream:
            stream.write(content)

    def _write_aside(self, path: str, content: bytes | pa.Buffer) -> None:
        folder, _, name = path.rpartition("/")
        aside = f"{folder}/.{name}-{uuid.uuid4().hex}"
        try:
            self._put(aside, content)
            self.filesystem.move(aside, path)
        except BaseException:
            with suppress(OSError):
                self.filesystem.delete_file(aside)
            raise


def _refuse_dangling(folder: Path) -> None:
    """Raises StoreError where a link of a folder leads nowhere: a listing has no such file."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() and not Path(entry.path).exists():
                raise StoreError(
                    f"what a link among results leads to must be there, but {entry.path} leads to "
                    f"{Path(entry.path).readlink()}, where nothing is; put that back, or delete the link"
                )


def unreadable(path: str, error: Exception) -> StoreError:
    return StoreError(f"the result store must be readable, but {path} is not ({one_line(error)})")


def is_transient(error: OSError) -> bool:
    """Whether it may go well the next time. Errors of a disk have a number and stay; those of a network are words."""
    said = re.sub(r"'[^']*'", "", str(error))  # what stands in quotes is the file's name
    return error.errno is None and TRANSIENT.search(said) is not None


def one_line(error: Exception) -> str:
    """The error as part of a sentence, without secrets."""
    return redact(" ".join(str(error).split()))
