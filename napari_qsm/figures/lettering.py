"""Places on a page, and how broad letters are: everything is measured before it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.units import ticks

MM_PER_PT = 25.4 / 72
#: The least that journals print (Brain, Radiology, Frontiers); nothing is ever written smaller.
MIN_PT = 6.0
#: Comes with the program and has the widths of Arial; what it lacks is written in the fallback,
#: which comes with matplotlib.
FONT, FALLBACK = "Arimo", "DejaVu Sans"
#: Parts of the letter size above and below the baseline.
ASCENT, DESCENT, CAPITAL = 0.77, 0.24, 0.73

Side = Literal["left", "center", "right"]
Level = Literal["top", "middle", "bottom"]


@dataclass(frozen=True)
class Rect:
    """A rectangle on the page, mm from the upper left corner."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height

    def overlaps(self, other: Rect, slack: float = 0.05) -> bool:
        """Whether the two share more than a hair's breadth."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > slack
            and min(self.bottom, other.bottom) - max(self.top, other.top) > slack
        )

    def holds(self, other: Rect, slack: float = 0.05) -> bool:
        """Whether the other lies inside."""
        return (
            other.left >= self.left - slack
            and other.top >= self.top - slack
            and other.right <= self.right + slack
            and other.bottom <= self.bottom + slack
        )


@dataclass(frozen=True)
class Written:
    """A text on the page and the place it takes."""

    text: str
    rect: Rect
    size_pt: float


@lru_cache(maxsize=1)
def _make_font_known() -> None:
    from matplotlib.font_manager import fontManager

    for path in sorted((Path(__file__).parent / "fonts").glob("*.ttf")):
        fontManager.addfont(path)


@lru_cache(maxsize=4096)
def _width_pt(text: str, family: tuple[str, ...], weight: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=list(family), weight=weight, size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


@lru_cache(maxsize=32)
def check_font(name: str) -> None:
    """Refuse a font that is not installed.

    Raises
    ------
    QsmError
        Naming it.
    """
    from matplotlib.font_manager import FontProperties, findfont

    _make_font_known()
    try:
        findfont(FontProperties(family=[name]), fallback_to_default=False)
    except ValueError:
        raise QsmError(
            f"The font '{name}' is not on this computer; '{FONT}' comes with the program."
        ) from None


def for_any_reader(svg: str) -> str:
    """An SVG whose texts are written in a font of the same widths where ours is not at hand."""
    return svg.replace(f"'{FONT}'", f"'{FONT}', Arial, 'Liberation Sans', Helvetica")


@lru_cache(maxsize=32)
def characters(name: str) -> frozenset[int]:
    """Code points that a font can write."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=[name]))).get_charmap())


class Lettering:
    """Measures and fits texts.

    Parameters
    ----------
    font : str
        Its name.
    size_pt : float
        Where no size is given.

    Raises
    ------
    QsmError
        If the font is not installed.
    """

    def __init__(self, font: str, size_pt: float) -> None:
        check_font(font)
        self.size_pt = max(size_pt, MIN_PT)
        #: Of small notes: numbers of axes, positions of slices, names of regions.
        self.small_pt = max(size_pt - 1, MIN_PT)
        #: Of the letters A, B, C of panels.
        self.letter_pt = self.size_pt + 3
        self.family = tuple(dict.fromkeys((font, FALLBACK)))

    def width(self, text: str, size_pt: float | None = None, weight: str = "normal") -> float:
        """Width of a line of text in mm."""
        size = size_pt or self.size_pt
        return _width_pt(text, self.family, weight, size) * MM_PER_PT

    def line_height(self, size_pt: float | None = None) -> float:
        """Distance of two lines in mm."""
        return (size_pt or self.size_pt) * 1.3 * MM_PER_PT

    def fitted(
        self,
        text: str,
        width_mm: float,
        size_pt: float,
        weight: str = "normal",
        min_pt: float = MIN_PT,
    ) -> tuple[str, float]:
        """The text and the size at which it fits: made smaller first, then shortened with …."""
        full = self.width(text, size_pt, weight)
        if full <= width_mm:
            return text, size_pt
        smaller = max(np.floor(size_pt * width_mm / full * 20) / 20, min(min_pt, size_pt))
        if self.width(text, smaller, weight) <= width_mm:
            return text, float(smaller)
        for keep in range(len(text) - 1, 0, -1):
            short = text[:keep].rstrip() + "…"
            if self.width(short, smaller, weight) <= width_mm:
                return short, float(smaller)
        return "", float(smaller)

    def wrapped(
        self, text: str, width_mm: float, size_pt: float, weight: str = "normal"
    ) -> list[str]:
        """The text in lines no wider than asked for; long words are broken."""
        lines = []
        for paragraph in text.split("\n"):
            line = ""
            for word in paragraph.split():
                tried = f"{line} {word}" if line else word
                if self.width(tried, size_pt, weight) <= width_mm:
                    line = tried
                    continue
                if line:
                    lines.append(line)
                while self.width(word, size_pt, weight) > width_mm and len(word) > 1:
                    keep = next(
                        (
                            n
                            for n in range(len(word) - 1, 1, -1)
                            if self.width(word[:n], size_pt, weight) <= width_mm
                        ),
                        1,
                    )
                    lines.append(word[:keep])
                    word = word[keep:]
                line = word
            lines.append(line)
        return lines

    def text_rect(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size_pt: float | None = None,
        across: Side = "left",
        level: Level = "top",
        weight: str = "normal",
    ) -> Rect:
        """The place that a line of text would take."""
        size = size_pt or self.size_pt
        width = self.width(text, size, weight)
        unit = size * MM_PER_PT
        top = {
            "top": y,
            "middle": y - (ASCENT - CAPITAL / 2) * unit,
            "bottom": y - (ASCENT + DESCENT) * unit,
        }[level]
        left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[across] * width
        return Rect(left, top, width, (ASCENT + DESCENT) * unit)


def spaced_ticks(low: float, high: float, length_mm: float, least_mm: float) -> list[float]:
    """Round ticks at most seven in number and at least so far apart on an axis of a length."""
    found = best = ticks(low, high, 7)
    for count in range(7, 1, -1):
        found = ticks(low, high, count)
        if len(found) < 2:
            break
        best = found
        if (found[1] - found[0]) / (high - low) * length_mm >= least_mm and len(found) <= 7:
            return found
    if len(best) < 2:
        return best
    return best[:: len(best) - 1] if length_mm >= least_mm else best[:1]
