"""Small drawings for rows of regions: colour, eye, lock."""

from __future__ import annotations

from functools import lru_cache

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

_SIDE = 36


@lru_cache(maxsize=512)
def swatch(color: str) -> QIcon:
    """A square of a region's colour."""
    picture, painter = _canvas()
    painter.setPen(QPen(QColor(128, 128, 128), 2))
    painter.setBrush(QBrush(QColor(color)))
    painter.drawRoundedRect(QRectF(4, 4, _SIDE - 8, _SIDE - 8), 5, 5)
    painter.end()
    return _icon(picture)


@lru_cache(maxsize=8)
def eye(is_open: bool, dark: bool) -> QIcon:
    """An eye; struck through where a region is hidden."""
    picture, painter = _canvas()
    painter.setPen(_pen(dark, faint=not is_open))
    lids = QPainterPath(QPointF(3, 18))
    lids.quadTo(QPointF(18, 3), QPointF(33, 18))
    lids.quadTo(QPointF(18, 33), QPointF(3, 18))
    painter.drawPath(lids)
    if is_open:
        painter.setBrush(QBrush(painter.pen().color()))
    painter.drawEllipse(QPointF(18, 18), 4.5, 4.5)
    if not is_open:
        painter.drawLine(QPointF(5, 31), QPointF(31, 5))
    painter.end()
    return _icon(picture)


@lru_cache(maxsize=8)
def lock(is_locked: bool, dark: bool) -> QIcon:
    """A lock, closed or with its shackle open."""
    picture, painter = _canvas()
    painter.setPen(_pen(dark, faint=not is_locked))
    if is_locked:
        painter.setBrush(QBrush(painter.pen().color()))
    painter.drawRoundedRect(QRectF(7, 17, 22, 15), 3, 3)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    shift = 0 if is_locked else 9
    shackle = QPainterPath(QPointF(11 + shift, 17))
    shackle.lineTo(QPointF(11 + shift, 11))
    shackle.arcTo(QRectF(11 + shift, 4, 14, 14), 180, -180)
    if is_locked:
        shackle.lineTo(QPointF(25, 17))
    painter.drawPath(shackle)
    painter.end()
    return _icon(picture)


def _icon(picture: QPixmap) -> QIcon:
    """The same in a chosen row: Qt would tint it, and colours would not be true."""
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)
    return icon


def _canvas() -> tuple[QPixmap, QPainter]:
    picture = QPixmap(_SIDE, _SIDE)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return picture, painter


def _pen(dark: bool, *, faint: bool) -> QPen:
    ink = QColor(235, 235, 235) if dark else QColor(40, 40, 40)
    if faint:
        ink.setAlpha(110)
    return QPen(ink, 2.6)
