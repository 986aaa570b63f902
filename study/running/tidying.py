"""Merging the files of finished trials while a run goes on, so that its end does not have to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sized

from study.store.compaction import SINGLE_FILES
from study.store.store import Store
from trainables.errors import StoreError

LOOK_EVERY_S = 5.0


@contextlib.contextmanager
def tidying(store: Store, done: Sized) -> Iterator[None]:
    """Within the block a thread compacts the store whenever ``done``, the finished trials, has grown enough.

    A storage that fails here is left alone: it fails the trials that write to it, too, and they say so.
    """
    over = threading.Event()

    def tidy() -> None:
        compacted = len(done)
        while not over.wait(LOOK_EVERY_S):
            if len(done) - compacted >= SINGLE_FILES:
                compacted = len(done)
                with contextlib.suppress(StoreError):
                    store.compact()

    thread = threading.Thread(target=tidy, name="tidying", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
