"""A figure as a page takes it: drawn, with its caption, its message in words and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plot:
    """A figure with its caption and, for readers who cannot see it, its message in words.

    ``wide`` figures take the full width of the page; two others lie side by side. ``data`` are the numbers drawn, which
    the page offers as CSV.
    """

    name: str
    caption: str
    alternative: str
    figure: Figure
    wide: bool = False
    data: pd.DataFrame | None = None
