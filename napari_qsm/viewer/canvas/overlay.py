"""What lies over the pictures: letters, slice, crosshair, scale bar, colour bar.

Drawn with Qt in a transparent widget above the canvas, so that text is sharp and a moving
crosshair does not redraw the images.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil, floor
from typing import Any, Protocol

import numpy as np
from qtpy.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from qtpy.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from qtpy.QtWidgets import QWidget

from napari_qsm.anatomy import Letters
from napari_qsm.arrays import Array

LIGHT = QColor(245, 245, 245)
HALO = QColor(0, 0, 0, 255)
CROSSHAIR = QColor(90, 200, 255, 200)
RING = QColor(255, 214, 64)
MARGIN = 12
_RIM = 4.0


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
class Ring:
    """A circle drawn on the slice, with words beside it."""

    centre: tuple[float, float]
    radius: float
    text: str = ""


@dataclass
class Outline:
    """Straight lines drawn on the slice, in canvas pixels.

    Attributes
    ----------
    points : tuple of (x, y)
        Corners in order.
    closed : bool
        Whether the last is joined to the first.
    dashed : bool
        For what is only planned.
    text : str
        Words beside the last corner.
    """

    points: tuple[tuple[float, float], ...]
    closed: bool = False
    dashed: bool = False
    text: str = ""


@dataclass
class Patch:
    """Voxels on the slice: their common edge, with words beside it. Canvas pixels throughout.

    Attributes
    ----------
    loops : list of list of (x, y)
        Closed edges.
    curve : list of (x, y)
        A thin closed line besides, for the shape that the voxels stand for; may be empty.
    colour : str
        ``"#rrggbb"``.
    filled : bool
        Whether the voxels are tinted.
    dashed : bool
        Edges drawn broken, for what needs a second look.
    bold : bool
        Edges drawn thicker, for what is chosen.
    text : str
        Beside it, several lines.
    text_at : (x, y)
        Base line of the first line of the text.
    """

    loops: list[list[tuple[float, float]]]
    curve: list[tuple[float, float]] = field(default_factory=list)
    colour: str = "#ffd640"
    filled: bool = False
    dashed: bool = False
    bold: bool = False
    text: str = ""
    text_at: tuple[float, float] = (0.0, 0.0)


class Painted(Protocol):
    """Anything else on the slice: it paints itself."""

    def paint(self, painter: QPainter) -> None:
        """Draw it."""


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
    rings: list[Ring | Outline | Patch | Painted] = field(default_factory=list)


class Overlay(QWidget):
    """Transparent to the mouse; follows the size of the canvas it lies on."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        # napari's style sheet gives every widget a background; this one has none.
        self.setStyleSheet("background: transparent;")
        self.content = OverlayContent()
        self.resize(canvas.size())
        self.show()

    def show_content(self, content: OverlayContent) -> None:
        """Draw this from now on."""
        if content != self.content:
            before, self.content = self.content, content
            area = _moved(before, content)
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
        for ring in content.rings:
            if isinstance(ring, Ring):
                _ring(painter, ring)
            elif isinstance(ring, Patch):
                _patch(painter, ring)
            elif isinstance(ring, Outline):
                _outline(painter, ring)
            else:
                ring.paint(painter)
        if content.letters is not None:
            _letters(painter, content.letters, width, height)
        _corner_text(painter, content, width)
        if content.bar_mm:
            _scale_bar(painter, content, height)
        if content.colour_bar is not None and height > 260:
            _colour_bar(painter, content.colour_bar, width, height)
        painter.end()


def _moved(before: OverlayContent, after: OverlayContent) -> QRect | None:
    """Where two contents differ, if only patches do; None for everywhere.

    Drawing a whole canvas anew takes longer than all the work of a drag.
    """
    if replace(before, rings=after.rings) != after:
        return None
    gone = [ring for ring in before.rings if ring not in after.rings]
    come = [ring for ring in after.rings if ring not in before.rings]
    area = QRect()
    for ring in gone + come:
        if not isinstance(ring, Patch):
            return None
        area = area.united(_reach(ring))
    return area


def _reach(patch: Patch) -> QRect:
    """All that a patch can draw on."""
    points = [point for loop in patch.loops for point in loop] + patch.curve
    if patch.text:
        x, y = patch.text_at
        lines = patch.text.split("\n")
        points += [(x, y - 20), (x + 12.0 * max(map(len, lines)), y + 18 * len(lines))]
    across, down = zip(*points, strict=True) if points else ((0.0,), (0.0,))
    low, high = (
        QPoint(floor(min(across)), floor(min(down))),
        QPoint(ceil(max(across)), ceil(max(down))),
    )
    return QRect(low, high).adjusted(-8, -8, 8, 8)


def _font(pixels: int, bold: bool = False) -> QFont:
    font = QFont()
    font.setPixelSize(pixels)
    font.setWeight(QFont.Weight.Bold if bold else QFont.Weight.DemiBold)
    return font


def _text(painter: QPainter, at: QPointF, text: str, font: QFont, colour: QColor = LIGHT) -> None:
    """Text with a dark rim, legible on black and on white tissue; ``at`` is its base line."""
    device = painter.device()
    ratio = float(device.devicePixelRatioF()) if device is not None else 1.0
    picture, above = _rimmed(text, font.pixelSize(), font.weight(), colour.rgba(), ratio)
    painter.drawImage(QPointF(at.x() - _RIM, at.y() - above), picture)


@lru_cache(maxsize=256)
def _rimmed(text: str, pixels: int, weight: Any, rgba: int, ratio: float) -> tuple[QImage, float]:
    """The text as a picture, and how far its base line lies below the top.

    Drawing rims takes long and most texts stay as they are, so pictures are kept.
    """
    font = QFont()
    font.setPixelSize(pixels)
    font.setWeight(weight)
    metrics = QFontMetricsF(font)
    above = metrics.ascent() + _RIM
    width = metrics.horizontalAdvance(text) + 2 * _RIM + pixels
    height = metrics.height() + 2 * _RIM
    size = (ceil(width * ratio), ceil(height * ratio))
    picture = QImage(*size, QImage.Format.Format_ARGB32_Premultiplied)
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    path = QPainterPath()
    path.addText(QPointF(_RIM, above), font, text)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(
        QPen(
            HALO,
            _RIM,
            Qt.PenStyle.SolidLine,
            Qt.PenCapStyle.RoundCap,
            Qt.PenJoinStyle.RoundJoin,
        )
    )
    painter.drawPath(path)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(QColor.fromRgba(rgba)))
    painter.drawPath(path)
    painter.end()
    return picture, above


def _width(painter: QPainter, text: str, font: QFont) -> float:
    painter.setFont(font)
    return float(painter.fontMetrics().horizontalAdvance(text))


def _letters(painter: QPainter, letters: Letters, width: int, height: int) -> None:
    size = 20 if width > 420 else 16
    font = _font(size, bold=True)
    for text, x, y in (
        (letters.left, MARGIN + size / 2, height / 2),
        (letters.right, width - MARGIN - size / 2, height / 2),
        (letters.top, width / 2, MARGIN + size / 2),
        (letters.bottom, width / 2, height - MARGIN - size / 2),
    ):
        half = _width(painter, text, font) / 2
        _text(painter, QPointF(x - half, y + size * 0.36), text, font)


def _corner_text(painter: QPainter, content: OverlayContent, width: int) -> None:
    y = MARGIN + 13.0
    small = 13 if width > 420 else 12
    lines = [(content.title, _font(small + 1, bold=True)), (content.slice_text, _font(small))]
    lines += [(note, _font(12)) for note in content.notes]
    for text, font in lines:
        if not text:
            continue
        painter.setFont(font)
        text = painter.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideRight, max(width // 2 - MARGIN - 8, 60)
        )
        _text(painter, QPointF(MARGIN, y), text, font)
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


def _ring(painter: QPainter, ring: Ring) -> None:
    centre = QPointF(*ring.centre)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, pen_width in ((HALO, 4.0), (RING, 1.8)):
        painter.setPen(QPen(colour, pen_width))
        painter.drawEllipse(centre, ring.radius, ring.radius)
    font = _font(13, bold=True)
    for line, text in enumerate(part for part in ring.text.split("\n") if part):
        at = QPointF(centre.x() + ring.radius + 8, centre.y() + 5 + 18 * line)
        _text(painter, at, text, font, RING)


def _outline(painter: QPainter, outline: Outline) -> None:
    if not outline.points:
        return
    path = QPainterPath(QPointF(*outline.points[0]))
    for point in outline.points[1:]:
        path.lineTo(QPointF(*point))
    if outline.closed:
        path.closeSubpath()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    style = Qt.PenStyle.DashLine if outline.dashed else Qt.PenStyle.SolidLine
    for colour, pen_width in ((HALO, 4.0), (RING, 1.8)):
        pen = QPen(colour, pen_width, style)
        if outline.dashed:  # in units of the pen's width: rim and line must agree
            pen.setDashPattern([10 / pen_width, 6 / pen_width])
        painter.setPen(pen)
        painter.drawPath(path)
    if outline.text:
        x, y = outline.points[-1]
        _text(painter, QPointF(x + 8, y - 6), outline.text, _font(13, bold=True), RING)


def _patch(painter: QPainter, patch: Patch) -> None:
    colour = QColor(patch.colour)
    path = QPainterPath()
    for loop in patch.loops:
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in loop]))
        path.closeSubpath()
    if patch.filled:
        faint = QColor(colour)
        faint.setAlpha(70)
        painter.fillPath(path, QBrush(faint))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    width = 2.6 if patch.bold else 1.6
    painter.setPen(QPen(HALO, width + 2.0))
    painter.drawPath(path)
    pen = QPen(colour, width)
    if patch.dashed:
        pen.setDashPattern([7 / width, 5 / width])
    painter.setPen(pen)
    painter.drawPath(path)
    if patch.curve:
        painter.setPen(QPen(LIGHT, 1.0))
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in patch.curve]))
    font = _font(13, bold=True)
    for line, text in enumerate(patch.text.split("\n") if patch.text else []):
        x, y = patch.text_at
        _text(painter, QPointF(x, y + 18 * line), text, font, RING)


def _scale_bar(painter: QPainter, content: OverlayContent, height: int) -> None:
    length = content.bar_mm * content.pixels_per_mm
    x, y = float(MARGIN), float(height - MARGIN - 4)
    for colour, pen_width in ((HALO, 6.0), (LIGHT, 2.4)):
        painter.setPen(QPen(colour, pen_width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        painter.drawLine(QPointF(x, y), QPointF(x + length, y))
        for end in (x, x + length):
            painter.drawLine(QPointF(end, y - 5), QPointF(end, y + 1))
    _text(painter, QPointF(x, y - 10), f"{content.bar_mm:g} mm", _font(13))


def _colour_bar(painter: QPainter, bar: ColourBar, width: int, height: int) -> None:
    thick = 16.0
    tall = float(min(max(height * 0.34, 110), 240))
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
    font = _font(13)
    for value, text in bar.ticks:
        part = (value - bar.low) / (bar.high - bar.low)
        y = box.bottom() - part * tall
        painter.setPen(QPen(LIGHT, 1.4))
        painter.drawLine(QPointF(box.left() - 5, y), QPointF(box.left(), y))
        at = QPointF(box.left() - 9 - _width(painter, text, font), y + 4.5)
        _text(painter, at, text, font)
    title = _font(14, bold=True)
    at = QPointF(box.right() - _width(painter, bar.title, title), box.top() - 14)
    _text(painter, at, bar.title, title)


def _strip(table: Array) -> QImage:
    """The ramp as a one-pixel-wide picture, high end on top."""
    rgba = np.ascontiguousarray((np.clip(table[::-1], 0, 1) * 255).round().astype(np.uint8))
    image = QImage(rgba.tobytes(), 1, len(rgba), 4, QImage.Format.Format_RGBA8888)
    return image.copy()
