"""What a figure writes and where, to tell whether a text is cut off or covers another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox

TOLERANCE = 1.0
"""Points by which two boxes may meet: a box is a little larger than the ink in it."""


@dataclass(frozen=True)
class Text:
    """One line of text and the outline of its box, in points from the lower left corner."""

    words: str
    outline: Path

    @property
    def box(self) -> Bbox:
        return self.outline.get_extents()


class _Writer(RendererBase):
    """Draws nothing and keeps every line of text, with its place."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[Text] = []

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, *args: Any, **kwargs: Any
    ) -> None:
        width, height, descent = self.get_text_width_height_descent(s, prop, False)
        corners = Bbox.from_bounds(TOLERANCE / 2, TOLERANCE / 2 - descent, width - TOLERANCE, height - TOLERANCE)
        turned = Affine2D().rotate_deg(angle).translate(x, y)
        self.texts.append(Text(s, turned.transform_path(Path(corners.corners()[[0, 1, 3, 2, 0]]))))

    def draw_path(self, *args: Any, **kwargs: Any) -> None: ...

    def draw_image(self, *args: Any, **kwargs: Any) -> None: ...

    def flipy(self) -> bool:
        return False


def drawn_texts(figure: Figure) -> list[Text]:
    """Every line of text, as it is written with one pixel a point."""
    figure.set_dpi(72)
    writer = _Writer()
    figure.draw(writer)
    return [text for text in writer.texts if text.words.strip()]


def misplaced(figure: Figure) -> list[str]:
    """What is wrong with the texts of a figure: those cut off by its edge, and those that cover each other."""
    texts = drawn_texts(figure)
    width, height = 72 * figure.get_size_inches()
    boxes = np.array([text.box.extents for text in texts])
    outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2:] > (width, height)).any(axis=1)
    wrong = [f"cut off: {text.words}" for text, cut in zip(texts, outside, strict=True) if cut]
    near = [(a, b) for a, b in combinations(texts, 2) if a.box.overlaps(b.box)]
    return wrong + [
        f"cover each other: {a.words} / {b.words}" for a, b in near if a.outline.intersects_path(b.outline, filled=True)
    ]
