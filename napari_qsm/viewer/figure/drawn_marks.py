"""A mark as a view draws it: arrow, circle, ellipse, line or words, over the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from napari_qsm.arrays import Array
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.marks import arrow

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView

_PIXELS_PER_PT = 1.7
_GRIP = 4.5


@dataclass
class DrawnMark:
    """A mark in canvas pixels.

    Attributes
    ----------
    mark : Annotation
        What it is.
    points : tuple of (x, y)
        ``at_mm`` and, if it has one, ``to_mm``.
    radii : (x, y) or None
        Half axes.
    chosen : bool
        Drawn with grips.
    words : str
        Beside it.
    """

    mark: Annotation
    points: tuple[tuple[float, float], ...]
    radii: tuple[float, float] | None = None
    chosen: bool = False
    words: str = ""

    @property
    def _width(self) -> float:
        return self.mark.width_pt * _PIXELS_PER_PT

    def grips(self) -> dict[str, tuple[float, float]]:
        """Where the chosen mark can be taken hold of, besides its body."""
        if self.radii is not None:
            x, y = self.points[0]
            return {"rim": (x + self.radii[0], y)}
        if len(self.points) == 2:
            return {"at": self.points[0], "to": self.points[1]}
        return {}

    def grip_at(self, pixel: Sequence[float], near: float) -> str:
        """What lies under a pixel: ``"at"``, ``"to"``, ``"rim"``, ``"body"`` or nothing."""
        at = np.asarray(pixel, dtype=float)
        for name, place in self.grips().items():
            if np.hypot(*(at - place)) <= near:
                return name
        if self.radii is not None:  # held at its line, so that marks can be drawn inside
            part = np.hypot(*((at - self.points[0]) / np.maximum(self.radii, 1e-6)))
            return "body" if abs(part - 1) * min(self.radii) <= near else ""
        if self.mark.kind == "text":
            return "body" if self._text_box().adjusted(-3, -3, 3, 3).contains(*at) else ""
        a, b = (np.array(p) for p in self.points)
        along = np.clip((at - a) @ (b - a) / max((b - a) @ (b - a), 1e-9), 0, 1)
        return "body" if np.hypot(*(a + along * (b - a) - at)) <= near else ""

    # -- drawing --------------------------------------------------------------------------

    def paint(self, painter: QPainter) -> None:
        """Draw it, with a dark or bright edge that parts it from its ground."""
        ink = QColor(self.mark.colour)
        rim = QColor(0, 0, 0, 220) if ink.lightness() > 90 else QColor(255, 255, 255, 220)
        if self.mark.kind == "arrow":
            corners = arrow(np.array(self.points[1]), np.array(self.points[0]), self._width)
            polygon = QPolygonF([QPointF(x, y) for x, y in corners])
            painter.setPen(QPen(rim, 2.4))
            painter.setBrush(QBrush(rim))
            painter.drawPolygon(polygon)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QBrush(ink))
            painter.drawPolygon(polygon)
        elif self.mark.kind != "text":
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for colour, width in ((rim, self._width + 1.6), (ink, self._width)):
                painter.setPen(QPen(colour, width))
                if self.radii is not None:
                    painter.drawEllipse(QPointF(*self.points[0]), *self.radii)
                else:
                    painter.drawLine(QPointF(*self.points[0]), QPointF(*self.points[1]))
        if self.words:
            self._paint_words(painter, ink, rim)
        if self.chosen:
            self._paint_grips(painter)

    def _paint_words(self, painter: QPainter, ink: QColor, rim: QColor) -> None:
        box = self._text_box()
        path = QPainterPath()
        metrics = QFontMetricsF(self._font())
        path.addText(QPointF(box.left(), box.top() + metrics.ascent()), self._font(), self.words)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(rim, 3.0))
        painter.drawPath(path)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(ink))
        painter.drawPath(path)

    def _paint_grips(self, painter: QPainter) -> None:
        painter.setPen(QPen(QColor(0, 0, 0), 1.2))
        painter.setBrush(QBrush(QColor(111, 177, 245)))
        for x, y in self.grips().values():
            painter.drawRect(QRectF(x - _GRIP, y - _GRIP, 2 * _GRIP, 2 * _GRIP))
        if self.mark.kind == "text":
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(111, 177, 245), 1.2, Qt.PenStyle.DashLine))
            painter.drawRect(self._text_box().adjusted(-3, -1, 3, 1))

    def _font(self) -> QFont:
        font = QFont()
        font.setPixelSize(round((self.mark.size_pt or 8.0) * _PIXELS_PER_PT))
        font.setWeight(QFont.Weight.DemiBold)
        return font

    def _text_box(self) -> QRectF:
        """Where the words stand: in the middle of a text, beside any other mark."""
        metrics = QFontMetricsF(self._font())
        width, height = metrics.horizontalAdvance(self.words), metrics.height()
        x, y = self.points[0]
        if self.mark.kind == "text":
            return QRectF(x - width / 2, y - height / 2, width, height)
        if self.radii is not None:
            return QRectF(x + self.radii[0] + 7, y - height / 2, width, height)
        if self.mark.kind == "line":
            x, y = (np.array(self.points[0]) + self.points[1]) / 2
            return QRectF(float(x) + 8, float(y) + 4, width, height)
        tail: Array = np.array(self.points[1])
        left = float(tail[0]) + 6 if tail[0] >= x else float(tail[0]) - width - 6
        return QRectF(left, float(tail[1]) - height / 2, width, height)


def drawn_marks(
    view: SliceView,
    frame: Any,
    marks: Sequence[Annotation],
    chosen: str = "",
    live: bool = False,
) -> list[DrawnMark]:
    """Marks in the pixels of a view.

    Parameters
    ----------
    view : SliceView
        Shows their slice.
    frame : DisplayFrame
        Of the views.
    marks : sequence of Annotation
        What to draw.
    chosen : str
        Id of the one with grips.
    live : bool
        Whether the chosen one is being drawn: its size is then written beside it.
    """
    camera = view.camera()
    out = []
    for mark in marks:
        ends = [mark.at_mm] if mark.to_mm is None else [mark.at_mm, mark.to_mm]
        points = tuple(camera.to_pixel(frame.world_to_display(end)) for end in ends)
        radii = None
        if mark.radii_mm is not None:
            radii = (mark.radii_mm[0] * camera.zoom, mark.radii_mm[1] * camera.zoom)
        is_chosen = mark.id == chosen
        out.append(DrawnMark(mark, points, radii, is_chosen, _words(mark, live and is_chosen)))
    return out


def _words(mark: Annotation, live: bool) -> str:
    words = mark.text.strip()
    if mark.kind == "line" and not words and mark.length:
        return f"{mark.length_mm:.1f} mm"
    if live and not words:
        if mark.kind == "circle" and mark.radii_mm is not None:
            return f"{2 * mark.radii_mm[0]:.1f} mm wide"
        if mark.kind == "ellipse" and mark.radii_mm is not None:
            return f"{2 * mark.radii_mm[0]:.1f} × {2 * mark.radii_mm[1]:.1f} mm"
    return words
