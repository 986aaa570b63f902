"""How every figure looks: colours, markers, fonts, labels and axes.

Colour is never the only code: rows and panels carry the variant's name, markers differ, and the palette is seaborn's
colour-blind one without its two shades that vanish on white paper.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator, SymmetricalLogLocator

INK, MUTED, GRID = "#20242b", "#6a717c", "#e3e6ea"
"""Text, secondary marks, grid lines; the page swaps these three for its own in dark mode."""
_PALETTE = [sns.color_palette("colorblind").as_hex()[i] for i in (0, 1, 2, 3, 4, 5, 9, 7)]
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


@dataclass(frozen=True)
class Look:
    """How one variant is drawn throughout a report."""

    colour: str
    marker: str


def looks(variants: Iterable[str]) -> dict[str, Look]:
    """A fixed look for every variant, by alphabet: results never change a colour."""
    return {
        variant: Look(_PALETTE[i % len(_PALETTE)], _MARKERS[i % len(_MARKERS)])
        for i, variant in enumerate(sorted(variants))
    }


@contextmanager
def style() -> Iterator[None]:
    """The look of every figure; text stays text in SVG, and identical data give identical bytes."""
    settings: dict[str, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "axes.titlelocation": "left",
        "axes.titley": 1.0,  # looked for otherwise, by measuring all ticks once more
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.linewidth": 0.6,
        "savefig.transparent": True,
        "svg.fonttype": "none",
        "text.parse_math": False,  # a $ in a user's setting is a dollar
        "svg.hashsalt": "nas-study",
        "pdf.fonttype": 42,
        "grid.color": GRID,
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), INK),
        **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), MUTED),
    }
    settings = {**sns.axes_style("ticks"), **settings}
    with mpl.rc_context(settings), warnings.catch_warnings():  # type: ignore[arg-type]  # the stubs disagree
        # A page shows its figures in the reader's fonts, which may have what this one lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def wrapped(label: str, width: int = 24) -> str:
    """The label on as many lines as it needs; a word too long for one breaks after an underscore first."""
    words = " ".join(word.replace("_", "_\t") if len(word) > width else word for word in label.split(" "))
    lines = textwrap.wrap(words, width, expand_tabs=False, replace_whitespace=False)
    return "\n".join(line.replace("\t", "") for line in lines) or label


def row_labels(summary: pd.DataFrame) -> list[str]:
    """Variant and n for each row of robustness.summarise."""
    return [
        f"{wrapped(str(row.variant))}\nn = {row.values_}{f' of {row.n}' if row.values_ < row.n else ''}"
        for row in summary.rename(columns={"values": "values_"}).itertuples()
    ]


def row_centres(labels: list[str]) -> np.ndarray:
    """Where the rows lie, from 0 down; a row of two lines is one unit high, a longer label makes its row higher."""
    heights = line_counts(labels) / 2
    return cast(np.ndarray, heights.cumsum() - heights / 2 - 0.5)


def line_counts(labels: list[str]) -> np.ndarray:
    return np.array([label.count("\n") + 1 for label in labels])


def logarithmic_axis(axes: Axes, which: Literal["x", "y"], ticks: int = 6) -> None:
    """A logarithmic axis with plain numbers: 0.1, 1, 10."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(base=10, subs=(1.0,), numticks=ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def logarithmic_regret(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers, linear below 0.1, so that 0 shows."""
    axes.set_yscale("symlog", linthresh=0.1, linscale=0.4)
    axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=0.1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
