"""Signs for severities and verdicts: each has a shape and a letter of its own, not only a colour."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QIcon, QPainter, QPixmap, QPolygonF

#: Kind: shape, fill, letter and its colour. The letters hold at least 4.5 : 1 to their fill, and
#: fills stand out from dark and bright ground.
_SIGNS = {
    "serious": ("octagon", "#c62f2f", "×", "white"),
    "fail": ("octagon", "#c62f2f", "×", "white"),
    "warning": ("triangle", "#e8a317", "!", "black"),
    "doubtful": ("diamond", "#e8a317", "?", "black"),
    "note": ("circle", "#2f6fc4", "i", "white"),
    "good": ("circle", "#20803c", "✓", "white"),
    "pass": ("circle", "#20803c", "✓", "white"),
}
SEVERITY_WORDS = {"serious": "Serious", "warning": "Warning", "note": "Note"}
VERDICT_WORDS = {"pass": "Pass", "doubtful": "Doubtful", "fail": "Fail"}


def sign(kind: str, side: int = 20) -> QPixmap:
    """The picture of a severity or verdict."""
    shape, fill, letter, ink = _SIGNS[kind]
    drawn = 3 * side  # sharp on dense displays
    picture = QPixmap(drawn, drawn)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(fill))
    painter.scale(drawn, drawn)
    if shape == "circle":
        painter.drawEllipse(QRectF(0.04, 0.04, 0.92, 0.92))
    else:
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in _CORNERS[shape]]))
    painter.resetTransform()
    font = QFont()
    font.setBold(True)
    font.setPixelSize(round(0.62 * drawn))
    painter.setFont(font)
    painter.setPen(QColor(ink))
    lower = 0.12 * drawn if shape == "triangle" else 0.0
    painter.drawText(QRectF(0, lower, drawn, drawn), int(Qt.AlignmentFlag.AlignCenter), letter)
    painter.end()
    picture.setDevicePixelRatio(3.0)
    return picture


_CORNERS = {
    "octagon": (
        (0.3, 0.02), (0.7, 0.02), (0.98, 0.3), (0.98, 0.7),
        (0.7, 0.98), (0.3, 0.98), (0.02, 0.7), (0.02, 0.3),
    ),
    "triangle": ((0.5, 0.02), (1.0, 0.96), (0.0, 0.96)),
    "diamond": ((0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5)),
}  # fmt: skip


def sign_icon(kind: str) -> QIcon:
    """The same for a button."""
    return QIcon(sign(kind, 24))


def ink_of(viewer: Any) -> QColor:
    """The colour of text in the window's theme."""
    return QColor(*get_theme(viewer.theme).text.as_rgb_tuple()[:3])
