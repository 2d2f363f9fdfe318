"""What can lie on a slice: circles, outlines and voxels with words beside them.

Each item paints itself, in canvas pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil, floor
from typing import Any, Protocol

from qtpy.QtCore import QPoint, QPointF, QRect, Qt
from qtpy.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
)

LIGHT = QColor(245, 245, 245)
HALO = QColor(0, 0, 0, 255)
YELLOW = QColor(255, 214, 64)
_RIM = 4.0


class OverlayItem(Protocol):
    """Anything that is painted on a slice."""

    def paint(self, painter: QPainter) -> None:
        """Draw it."""


@dataclass
class Ring:
    """A circle drawn on the slice, with words beside it."""

    centre: tuple[float, float]
    radius: float
    text: str = ""

    def paint(self, painter: QPainter) -> None:
        """Draw it."""
        centre = QPointF(*self.centre)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, pen_width in ((HALO, 4.0), (YELLOW, 1.8)):
            painter.setPen(QPen(colour, pen_width))
            painter.drawEllipse(centre, self.radius, self.radius)
        draw_lines(painter, self._text_at, self._lines)

    def reach(self) -> QRect:
        """All that it can draw on."""
        (x, y), radius = self.centre, self.radius
        rim = [(x - radius, y - radius), (x + radius, y + radius)]
        return _around(rim, self._text_at, self._lines)

    @property
    def _text_at(self) -> tuple[float, float]:
        return self.centre[0] + self.radius + 8, self.centre[1] + 5

    @property
    def _lines(self) -> list[str]:
        return [line for line in self.text.split("\n") if line]


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
    dots : int
        How many of the first corners can be taken and are drawn as dots.
    """

    points: tuple[tuple[float, float], ...]
    closed: bool = False
    dashed: bool = False
    text: str = ""
    dots: int = 0

    def paint(self, painter: QPainter) -> None:
        """Draw it."""
        if not self.points:
            return
        path = QPainterPath(QPointF(*self.points[0]))
        for point in self.points[1:]:
            path.lineTo(QPointF(*point))
        if self.closed:
            path.closeSubpath()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        style = Qt.PenStyle.DashLine if self.dashed else Qt.PenStyle.SolidLine
        for colour, pen_width in ((HALO, 4.0), (YELLOW, 1.8)):
            pen = QPen(colour, pen_width, style)
            if self.dashed:  # in units of the pen's width: rim and line must agree
                pen.setDashPattern([10 / pen_width, 6 / pen_width])
            painter.setPen(pen)
            painter.drawPath(path)
        painter.setPen(QPen(HALO, 1.5))
        painter.setBrush(QBrush(YELLOW))
        for x, y in self.points[: self.dots]:
            painter.drawEllipse(QPointF(x, y), 4.0, 4.0)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.text:
            draw_lines(painter, self._text_at, [self.text])

    def reach(self) -> QRect:
        """All that it can draw on."""
        return _around(list(self.points), self._text_at, [self.text] if self.text else [])

    @property
    def _text_at(self) -> tuple[float, float]:
        x, y = self.points[-1] if self.points else (0.0, 0.0)
        return x + 8, y - 6


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

    def paint(self, painter: QPainter) -> None:
        """Draw it."""
        colour = QColor(self.colour)
        path = QPainterPath()
        for loop in self.loops:
            path.addPolygon(QPolygonF([QPointF(x, y) for x, y in loop]))
            path.closeSubpath()
        if self.filled:
            faint = QColor(colour)
            faint.setAlpha(70)
            painter.fillPath(path, QBrush(faint))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        width = 2.6 if self.bold else 1.6
        painter.setPen(QPen(HALO, width + 2.0))
        painter.drawPath(path)
        pen = QPen(colour, width)
        if self.dashed:
            pen.setDashPattern([7 / width, 5 / width])
        painter.setPen(pen)
        painter.drawPath(path)
        if self.curve:
            painter.setPen(QPen(LIGHT, 1.0))
            painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in self.curve]))
        draw_lines(painter, self.text_at, self.text.split("\n") if self.text else [])

    def reach(self) -> QRect:
        """All that it can draw on."""
        points = [point for loop in self.loops for point in loop] + self.curve
        return _around(points, self.text_at, self.text.split("\n") if self.text else [])


def _around(
    points: list[tuple[float, float]], text_at: tuple[float, float], lines: list[str]
) -> QRect:
    """All that lines through points and words beside them can reach."""
    if lines:
        x, y = text_at
        points = [*points, (x, y - 20), (x + 12.0 * max(map(len, lines)), y + 18 * len(lines))]
    if not points:
        return QRect()
    across, down = zip(*points, strict=True)
    low = QPoint(floor(min(across)), floor(min(down)))
    high = QPoint(ceil(max(across)), ceil(max(down)))
    return QRect(low, high).adjusted(-8, -8, 8, 8)


def draw_lines(painter: QPainter, at: tuple[float, float], lines: list[str]) -> None:
    """Words beside an item, below each other from a base line on."""
    for number, line in enumerate(lines):
        draw_text(painter, QPointF(at[0], at[1] + 18 * number), line, font_of(13, True), YELLOW)


def font_of(pixels: int, bold: bool = False) -> QFont:
    """The font of text over pictures."""
    font = QFont()
    font.setPixelSize(pixels)
    font.setWeight(QFont.Weight.Bold if bold else QFont.Weight.DemiBold)
    return font


def draw_text(
    painter: QPainter, at: QPointF, text: str, font: QFont, colour: QColor = LIGHT
) -> None:
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
