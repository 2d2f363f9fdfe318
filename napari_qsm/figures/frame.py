"""One slice on a page: display mm into page mm, free places for words, inks that show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_qsm.anatomy import DRAWN_AXES
from napari_qsm.arrays import Array
from napari_qsm.figures.lettering import MIN_PT, Level, Rect, Side
from napari_qsm.figures.page import Page
from napari_qsm.figures.slices import View
from napari_qsm.io.label_table import rgb

#: Between words and the edge of a picture.
PAD_MM = 0.7


@dataclass(eq=False)
class Frame:
    """A slice on the page: turns display mm into page mm and keeps track of free space.

    Attributes
    ----------
    rect : Rect
        Place on the page.
    view : View
        The part of the plane that fills ``rect``.
    taken : list of Rect
        Places of what is written already.
    """

    page: Page
    rect: Rect
    view: View
    plane: Any
    sign: int
    under: Array | None = None
    taken: list[Rect] = field(default_factory=list)

    @property
    def scale(self) -> float:
        """Page mm per mm of the head."""
        return self.rect.width / self.view.size[0]

    def place(self, across: Any, up: Any) -> tuple[Any, Any]:
        """Page mm of display positions along the drawn axes."""
        x = self.rect.left + self.rect.width / 2
        y = self.rect.top + self.rect.height / 2
        return (
            x + self.sign * (across - self.view.centre[0]) * self.scale,
            y - (up - self.view.centre[1]) * self.scale,
        )

    def at(self, display: Array) -> tuple[float, float]:
        """Page mm of a display position (x, y, z)."""
        across, up = DRAWN_AXES[self.plane]
        x, y = self.place(display[across], display[up])
        return float(x), float(y)

    def write(
        self,
        places: list[tuple[float, float, Side, Level]],
        text: str,
        *,
        size_pt: float,
        weight: str = "normal",
        colour: str | None = None,
        smaller: bool = True,
        apart_mm: float = 0.15,
    ) -> bool:
        """Write a text at the first place where it fits and covers no other text.

        Returns
        -------
        bool
            Whether there was one; letters get smaller before it is given up.
        """
        sizes = [size_pt]
        if smaller:
            sizes += np.arange(size_pt - 0.5, MIN_PT - 0.01, -0.5).tolist()
        for size in sizes:
            for x, y, across, level in places:
                rect = self.page.text_rect(
                    x, y, text, size_pt=float(size), across=across, level=level, weight=weight
                )
                if self.rect.holds(rect) and not any(
                    rect.overlaps(t, -apart_mm) for t in self.taken
                ):
                    ink, halo = self.ink(rect, colour)
                    self.page.text(
                        x,
                        y,
                        text,
                        size_pt=float(size),
                        across=across,
                        level=level,
                        weight=weight,
                        colour=ink,
                        halo=halo,
                    )
                    self.taken.append(rect)
                    return True
        return False

    def ink(self, rect: Rect, colour: str | None = None) -> tuple[str, str | None]:
        """Ink that shows on what lies below, and the edge its letters need, if any."""
        light = self.lightness_under(rect)
        if light.size == 0:
            return colour or "#ffffff", None
        low, high = float(light.min()), float(light.max())
        if colour is None:
            middle = float(light.mean())
            colour = "#ffffff" if _contrast(1, middle) >= _contrast(0, middle) else "#000000"
        own = float(lightness(np.array([rgb(colour)])).item())
        worst = min(_contrast(own, low), _contrast(own, high))
        if low <= own <= high or worst < 3.0:
            return colour, "#000000" if own > 0.18 else "#ffffff"
        return colour, None

    def lightness_under(self, rect: Rect) -> Array:
        """Relative luminance of the picture under a place on the page."""
        if self.under is None or not self.under.size:
            return np.empty(0)
        rows, columns = self.under.shape
        x = np.linspace(rect.left, rect.right, 12)
        y = np.linspace(rect.top, rect.bottom, 6)
        i = np.clip(((y - self.rect.top) / self.rect.height * rows).astype(int), 0, rows - 1)
        j = np.clip(((x - self.rect.left) / self.rect.width * columns).astype(int), 0, columns - 1)
        return self.under[np.ix_(i, j)]


def lightness(colours: Array) -> Array:
    """Relative luminance (WCAG 2) of sRGB colours 0..255."""
    part = np.asarray(colours, dtype=np.float64) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def _contrast(a: float, b: float) -> float:
    light, dark = max(a, b), min(a, b)
    return (light + 0.05) / (dark + 0.05)
