"""A page in millimetres: the few things that figures are drawn from.

One axes covers the page, x to the right and y down, in mm. Texts are measured before they
are drawn and their places kept, so that nothing collides and nothing is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.figures.spec import Style
from napari_qsm.volume import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MM_PER_PT = 25.4 / 72
#: Letters are never made smaller than this to fit.
MIN_PT = 5.0
_FALLBACK = "DejaVu Sans"
#: Parts of the letter size above and below the baseline.
_ASCENT, _DESCENT, _CAPITAL = 0.77, 0.24, 0.73

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

    try:
        findfont(FontProperties(family=[name]), fallback_to_default=False)
    except ValueError:
        raise QsmError(
            f"The font '{name}' is not on this computer; '{_FALLBACK}' comes with the program."
        ) from None


@lru_cache(maxsize=32)
def _characters(name: str) -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=[name]))).get_charmap())


class Page:
    """A sheet to draw on.

    Parameters
    ----------
    style : Style
        Width, font, ground.
    height_mm : float
        Of the sheet.
    dpi : float
        Of pictures and of the canvas.
    """

    def __init__(self, style: Style, height_mm: float, dpi: float) -> None:
        from matplotlib.figure import Figure

        check_font(style.font)
        self.style = style
        self.rect = Rect(0, 0, style.width_mm, height_mm)
        self.ink = "#000000" if style.ground == "light" else "#ffffff"
        self.ground = "#ffffff" if style.ground == "light" else "#000000"
        self.faint = "#666666" if style.ground == "light" else "#aaaaaa"
        self.family = tuple(dict.fromkeys((style.font, _FALLBACK)))
        self.figure: Figure = Figure(
            figsize=(style.width_mm / 25.4, height_mm / 25.4), dpi=dpi, facecolor=self.ground
        )
        self.axes: Any = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, style.width_mm)
        self.axes.set_ylim(height_mm, 0)
        self.written: list[Written] = []
        self.missing: set[str] = set()

    # Measures ---------------------------------------------------------------------------

    def width(self, text: str, size_pt: float | None = None, weight: str = "normal") -> float:
        """Width of a line of text in mm."""
        size = size_pt or self.style.size_pt
        return _width_pt(text, self.family, weight, size) * MM_PER_PT

    def line_height(self, size_pt: float | None = None) -> float:
        """Distance of two lines in mm."""
        return (size_pt or self.style.size_pt) * 1.3 * MM_PER_PT

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

    # Drawing ----------------------------------------------------------------------------

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size_pt: float | None = None,
        across: Side = "left",
        level: Level = "top",
        colour: str | None = None,
        weight: str = "normal",
        halo: str | None = None,
        zorder: float = 5,
    ) -> Rect:
        """Write one line, if asked with a soft edge around its letters; returns its place."""
        size = size_pt or self.style.size_pt
        rect = self.text_rect(x, y, text, size_pt=size, across=across, level=level, weight=weight)
        if not text:
            return rect
        self._note_missing(text)
        baseline = rect.top + _ASCENT * size * MM_PER_PT
        if halo is not None:
            self._halo(rect.left, baseline, text, size, weight, halo, zorder - 0.1)
        self.axes.text(
            rect.left,
            baseline,
            text,
            family=list(self.family),
            size=size,
            weight=weight,
            color=colour or self.ink,
            ha="left",
            va="baseline",
            zorder=zorder,
            parse_math=False,
        )
        self.written.append(Written(text, rect, size))
        return rect

    def _halo(
        self, x: float, y: float, text: str, size: float, weight: str, colour: str, zorder: float
    ) -> None:
        """The outlines of letters, drawn broad below them; the text itself stays text."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Curve
        from matplotlib.textpath import text_to_path

        font = FontProperties(family=list(self.family), weight=weight, size=size)
        vertices, codes = text_to_path.get_text_path(font, text, ismath=False)
        if not len(vertices):
            return
        scale = size / text_to_path.FONT_SCALE * MM_PER_PT
        outline = Curve(np.asarray(vertices) * [scale, -scale] + [x, y], codes)
        patch = PathPatch(
            outline,
            facecolor="none",
            edgecolor=colour,
            linewidth=1.4,
            joinstyle="round",
            alpha=0.75,
            zorder=zorder,
        )
        self.axes.add_artist(patch)

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
        size = size_pt or self.style.size_pt
        width = self.width(text, size, weight)
        unit = size * MM_PER_PT
        top = {
            "top": y,
            "middle": y - (_ASCENT - _CAPITAL / 2) * unit,
            "bottom": y - (_ASCENT + _DESCENT) * unit,
        }[level]
        left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[across] * width
        return Rect(left, top, width, (_ASCENT + _DESCENT) * unit)

    def upright(
        self, x: float, y: float, text: str, *, size_pt: float, weight: str = "normal"
    ) -> Rect:
        """Write a line that runs upwards, its middle at (x, y)."""
        width = self.width(text, size_pt, weight)
        height = (_ASCENT + _DESCENT) * size_pt * MM_PER_PT
        self._note_missing(text)
        self.axes.text(
            x + (_CAPITAL / 2) * size_pt * MM_PER_PT,
            y + width / 2,
            text,
            family=list(self.family),
            size=size_pt,
            weight=weight,
            color=self.ink,
            rotation=90,
            rotation_mode="anchor",
            ha="left",
            va="baseline",
            zorder=5,
            parse_math=False,
        )
        rect = Rect(x - height / 2, y - width / 2, height, width)
        self.written.append(Written(text, rect, size_pt))
        return rect

    def _note_missing(self, text: str) -> None:
        known = set().union(*(_characters(name) for name in self.family))
        self.missing |= {letter for letter in text if ord(letter) not in known}

    def fill(self, rect: Rect, colour: str, *, alpha: float = 1.0, zorder: float = 1) -> None:
        """A filled rectangle."""
        from matplotlib.patches import Rectangle

        self.axes.add_artist(
            Rectangle(
                (rect.left, rect.top),
                rect.width,
                rect.height,
                facecolor=colour,
                alpha=alpha,
                linewidth=0,
                zorder=zorder,
            )
        )

    def image(
        self,
        rgb: Array,
        edges: tuple[float, float, float, float],
        clip: Rect,
        *,
        smooth: bool = False,
        zorder: float = 2,
    ) -> None:
        """A picture between (left, right, bottom, top) in page mm, cut off at ``clip``."""
        from matplotlib.image import AxesImage

        picture = AxesImage(
            self.axes,
            extent=edges,
            origin="upper",
            interpolation="bilinear" if smooth else "nearest",
            zorder=zorder,
        )
        picture.set_data(rgb)
        picture.set_clip_path(self._clip(clip))
        self.axes.add_artist(picture)

    def lines(
        self,
        paths: Sequence[Array],
        colour: str,
        width_pt: float,
        *,
        clip: Rect | None = None,
        closed: bool = False,
        fill: str | None = None,
        alpha: float = 1.0,
        zorder: float = 3,
    ) -> None:
        """Polylines in page mm, each of shape (n, 2); filled if a colour is given."""
        if not paths:
            return
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Curve

        parts = [Curve(path, closed=False) for path in paths]
        if closed:
            parts = [Curve(np.vstack([path, path[:1]]), closed=True) for path in paths]
        patch = PathPatch(
            Curve.make_compound_path(*parts),
            facecolor=fill or "none",
            edgecolor=colour if width_pt else "none",
            linewidth=width_pt,
            joinstyle="miter",
            capstyle="butt",
            alpha=alpha,
            zorder=zorder,
        )
        self.axes.add_artist(patch)
        if clip is not None:
            patch.set_clip_path(self._clip(clip))

    def _clip(self, rect: Rect) -> Any:
        from matplotlib.patches import Rectangle

        return Rectangle(
            (rect.left, rect.top), rect.width, rect.height, transform=self.axes.transData
        )


def tick_texts(values: Sequence[float]) -> list[str]:
    """Ticks as text, all with as many decimals as the finest needs."""
    places = 0
    while places < 6 and any(abs(v - round(v, places)) > 1e-9 * max(1, abs(v)) for v in values):
        places += 1
    return [f"{v + 0.0:.{places}f}".replace("-", "−") for v in values]
