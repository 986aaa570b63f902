"""PDFs whose fonts cost next to nothing: to cut the letters of each figure out of them is half of a report's time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

from fontTools.ttLib import TTFont
from matplotlib.backends import _backend_pdf_ps

LATIN = frozenset(range(300))
"""The first glyphs of DejaVu Sans: what most figures are written in, and some more."""


@contextmanager
def cut_once() -> Iterator[None]:
    """A font with all Latin letters is made once, for all figures that ask for no others."""
    made: dict[tuple[str, frozenset[int]], tuple[bytes, dict[int, int]]] = {}
    cut = _backend_pdf_ps.get_glyphs_subset

    def get_glyphs_subset(fontfile: Any, glyphs: Any) -> Any:
        key = str(fontfile), LATIN | frozenset(glyphs)
        if key not in made:
            with cut(fontfile, set(key[1])) as subset:
                made[key] = _backend_pdf_ps.font_as_file(subset.font).getvalue(), subset.glyph_index_map
        content, numbers = made[key]
        font = TTFont(io.BytesIO(content), recalcBBoxes=False, recalcTimestamp=False)
        return nullcontext(_backend_pdf_ps.SubsetResults(font, numbers))

    with mock.patch.object(_backend_pdf_ps, "get_glyphs_subset", get_glyphs_subset):
        yield
