"""What lies over the pictures: letters, slice, crosshair, scale bar, colour bar.

Drawn with Qt in a transparent widget above the canvas, so that text is sharp and a moving
crosshair does not redraw the images.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from qtpy.QtCore import QPointF, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QImage, QPainter, QPaintEvent, QPen, QRegion
from qtpy.QtWidgets import QWidget

from napari_qsm.anatomy import Letters
from napari_qsm.arrays import Array
from napari_qsm.viewer.canvas.overlay_items import (
    HALO,
    LIGHT,
    Outline,
    OverlayItem,
    Patch,
    Ring,
    draw_text,
    font_of,
)

#: Room for the longest title and the tallest bar, at the lower right.
_BAR_WIDTH, _BAR_HEIGHT = 420, 300
CROSSHAIR = QColor(90, 200, 255, 200)
MARGIN = 12


@dataclass
class ColourBar:
    """A map's colours beside its numbers.

    Attributes
    ----------
    title : str
        For example ``"χ (ppm)"``.
    table : (n, 4) ndarray
        RGBA from the low end to the high end.
    low, high : float
        Values at the ends, in the unit of the title.
    ticks : list of (value, text)
        Where numbers stand.
    stamp : str
        Differs whenever the table does.
    """

    title: str
    low: float
    high: float
    ticks: list[tuple[float, str]]
    stamp: str
    table: Array = field(compare=False)


@dataclass
class OverlayContent:
    """All that one view shows over its picture, in canvas pixels."""

    letters: Letters | None = None
    title: str = ""
    slice_text: str = ""
    notes: list[str] = field(default_factory=list)
    crosshair: tuple[float, float] | None = None
    bar_mm: float = 0.0
    pixels_per_mm: float = 1.0
    colour_bar: ColourBar | None = None
    items: list[OverlayItem] = field(default_factory=list)


class Overlay(QWidget):
    """Transparent to the mouse; follows the size of the canvas it lies on."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        # napari's style sheet gives every widget a background; this one has none.
        self.setStyleSheet("background: transparent;")
        self.content = OverlayContent()
        self._kept_bar: tuple[tuple[ColourBar, int, float], QImage, QSize] | None = None
        self.resize(canvas.size())
        self.show()

    def show_content(self, content: OverlayContent) -> None:
        """Draw this from now on."""
        if content != self.content:
            before, self.content = self.content, content
            area = _moved(before, content, self.size())
            if area is None:
                self.update()
            else:
                self.update(area)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the content."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        content, width, height = self.content, self.width(), self.height()
        if content.crosshair is not None:
            _crosshair(painter, content.crosshair, width, height)
        for item in content.items:
            item.paint(painter)
        if content.letters is not None:
            _letters(painter, content.letters, width, height)
        _corner_text(painter, content, width)
        if content.bar_mm:
            _scale_bar(painter, content, height)
        if content.colour_bar is not None and height > 260:
            picture, left, top = self._bar(content.colour_bar, width, height)
            painter.drawImage(QPointF(left, top), picture)
        painter.end()

    def _bar(self, bar: ColourBar, width: int, height: int) -> tuple[QImage, int, int]:
        """The colour bar as a picture, and where it lies; most repaints find it as it was."""
        key = (bar, height, self.devicePixelRatioF())
        if self._kept_bar is None or self._kept_bar[0] != key:
            size = QSize(min(width, _BAR_WIDTH), min(height, _BAR_HEIGHT))
            picture = QImage(size * key[2], QImage.Format.Format_ARGB32_Premultiplied)
            picture.setDevicePixelRatio(key[2])
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            _colour_bar(painter, bar, size.width(), size.height(), height)
            painter.end()
            self._kept_bar = (key, picture, size)
        _, picture, size = self._kept_bar
        return picture, width - size.width(), height - size.height()


def _moved(before: OverlayContent, after: OverlayContent, size: QSize) -> QRegion | None:
    """Where two contents differ, if only crosshair and items do; None for everywhere.

    Drawing a whole canvas anew takes longer than all the work of a drag.
    """
    if replace(before, items=after.items, crosshair=after.crosshair) != after:
        return None
    area = QRegion()
    gone = [item for item in before.items if item not in after.items]
    for item in gone + [item for item in after.items if item not in before.items]:
        if not isinstance(item, Ring | Outline | Patch):
            return None
        area = area.united(item.reach())
    for at in {before.crosshair, after.crosshair} if before.crosshair != after.crosshair else ():
        if at is not None:
            x, y = round(at[0]), round(at[1])
            area = area.united(QRect(0, y - 3, size.width(), 7))
            area = area.united(QRect(x - 3, 0, 7, size.height()))
    return area


def _width(painter: QPainter, text: str, font: QFont) -> float:
    painter.setFont(font)
    return float(painter.fontMetrics().horizontalAdvance(text))


def _letters(painter: QPainter, letters: Letters, width: int, height: int) -> None:
    size = 20 if width > 420 else 16
    font = font_of(size, bold=True)
    for text, x, y in (
        (letters.left, MARGIN + size / 2, height / 2),
        (letters.right, width - MARGIN - size / 2, height / 2),
        (letters.top, width / 2, MARGIN + size / 2),
        (letters.bottom, width / 2, height - MARGIN - size / 2),
    ):
        half = _width(painter, text, font) / 2
        draw_text(painter, QPointF(x - half, y + size * 0.36), text, font)


def _corner_text(painter: QPainter, content: OverlayContent, width: int) -> None:
    y = MARGIN + 13.0
    small = 13 if width > 420 else 12
    room = max(width // 2 - MARGIN - 8, 60)
    bold = font_of(small + 1, bold=True)
    titles = [content.title]
    if _width(painter, content.title, bold) > room:
        titles = content.title.split(" · ", 1)
    lines = [*((title, bold) for title in titles), (content.slice_text, font_of(small))]
    lines += [(note, font_of(12)) for note in content.notes]
    for text, font in lines:
        if not text:
            continue
        painter.setFont(font)
        # Beside the upper letter there is half the width, below it all.
        free = room if y < MARGIN + 36 else max(width - 2 * MARGIN, room)
        # In the middle: a unit stands at the end.
        text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, free)
        draw_text(painter, QPointF(MARGIN, y), text, font)
        y += font.pixelSize() + 6


def _crosshair(painter: QPainter, at: tuple[float, float], width: int, height: int) -> None:
    """Two thin lines with a gap in the middle, so that the voxel itself stays in sight."""
    x, y = round(at[0]) + 0.5, round(at[1]) + 0.5
    gap = 9
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    for colour, pen_width in ((QColor(0, 0, 0, 90), 3), (CROSSHAIR, 1)):
        painter.setPen(QPen(colour, pen_width))
        painter.drawLine(QPointF(0, y), QPointF(x - gap, y))
        painter.drawLine(QPointF(x + gap, y), QPointF(width, y))
        painter.drawLine(QPointF(x, 0), QPointF(x, y - gap))
        painter.drawLine(QPointF(x, y + gap), QPointF(x, height))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)


def _scale_bar(painter: QPainter, content: OverlayContent, height: int) -> None:
    length = content.bar_mm * content.pixels_per_mm
    x, y = float(MARGIN), float(height - MARGIN - 4)
    for colour, pen_width in ((HALO, 6.0), (LIGHT, 2.4)):
        painter.setPen(QPen(colour, pen_width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        painter.drawLine(QPointF(x, y), QPointF(x + length, y))
        for end in (x, x + length):
            painter.drawLine(QPointF(end, y - 5), QPointF(end, y + 1))
    draw_text(painter, QPointF(x, y - 10), f"{content.bar_mm:g} mm", font_of(13))


def _colour_bar(
    painter: QPainter, bar: ColourBar, width: int, height: int, canvas_height: int
) -> None:
    thick = 16.0
    tall = float(min(max(canvas_height * 0.34, 110), 240))
    box = QRectF(width - MARGIN - thick - 2, height - MARGIN - tall - 4, thick, tall)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(QColor(60, 60, 60)))
    painter.drawRect(box)
    painter.setBrush(QBrush(QColor(120, 120, 120), Qt.BrushStyle.BDiagPattern))
    painter.drawRect(box)  # hidden values show hatching, not a colour
    painter.drawImage(box, _strip(bar.table))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(HALO, 3))
    painter.drawRect(box)
    painter.setPen(QPen(LIGHT, 1.2))
    painter.drawRect(box)
    font = font_of(13)
    for value, text in bar.ticks:
        part = (value - bar.low) / (bar.high - bar.low)
        y = box.bottom() - part * tall
        painter.setPen(QPen(LIGHT, 1.4))
        painter.drawLine(QPointF(box.left() - 5, y), QPointF(box.left(), y))
        at = QPointF(box.left() - 9 - _width(painter, text, font), y + 4.5)
        draw_text(painter, at, text, font)
    title = font_of(14, bold=True)
    at = QPointF(box.right() - _width(painter, bar.title, title), box.top() - 14)
    draw_text(painter, at, bar.title, title)


def _strip(table: Array) -> QImage:
    """The ramp as a one-pixel-wide picture, high end on top."""
    rgba = np.ascontiguousarray((np.clip(table[::-1], 0, 1) * 255).round().astype(np.uint8))
    image = QImage(rgba.tobytes(), 1, len(rgba), 4, QImage.Format.Format_RGBA8888)
    return image.copy()
