"""Which studies lie at an address: that of a store, which holds one folder a study, or that of a study's own folder."""

from __future__ import annotations

import os
from pathlib import Path

from study.store.files import Files, whole
from study.store.store import Store
from trainables.errors import StoreError, choose


def studies(uri: str | Path, name: str | None = None) -> list[Store]:
    """The studies at ``uri`` by name, or the one called ``name``. Raises StoreError where there is none."""
    place = whole(str(uri))
    if os.path.isfile(place):  # noqa: PTH113 - of any text, where Path raises
        raise StoreError(f"a store must be a folder, but {uri} is a file; a table of results is given with --table")
    files = Files(place)
    if files.is_folder("trials") and not files.is_folder("trials/trials"):  # a study may be called that
        path, question, options = place.partition("?")
        parent, _, own = path.rstrip("/").rpartition("/")
        if name not in (None, own):
            raise StoreError(f"{uri} is the folder of study {own!r}, but study {name!r} was asked for")
        return [Store(parent + question + options, own)]
    found = sorted(folder for folder in files.folders() if files.is_folder(f"{folder}/trials"))
    if not found:
        raise StoreError(f"a store must hold a study, but {uri} holds none; run one into it")
    if name is not None and name not in found:
        raise StoreError(f"{uri}: {choose('study', name, found)}")
    return [Store(uri, own) for own in found if name in (None, own)]
