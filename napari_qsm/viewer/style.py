"""Small shared looks: the one main button of a panel, quiet text, drawn icons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QIcon, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QLabel, QPushButton

ACCENT = "#2f7fd8"

#: Tool buttons that show whether they are on; napari's own theme shows neither.
TOOL_BUTTONS = (
    "QToolButton { border: 1px solid palette(mid); border-radius: 4px; padding: 2px 7px; }"
    " QToolButton:hover { border-color: #6fb1f5; }"
    f" QToolButton:checked {{ background: {ACCENT}; color: white; border-color: {ACCENT}; }}"
    " QToolButton:disabled { border-color: transparent; }"
)
#: Headings that fold, without napari's full-width accent.
FOLDING = (
    "QPushButton { background: transparent; border: none; border-top: 1px solid palette(mid);"
    " border-radius: 0; text-align: left; font-weight: bold; padding: 6px 0 2px 0; }"
)


def main_button(text: str, name: str, call: Callable[..., Any]) -> QPushButton:
    """A panel's one main button."""
    button = QPushButton(text)
    button.setObjectName(name)
    button.setStyleSheet(
        f"QPushButton {{ background: {ACCENT}; color: white; font-weight: bold; padding: 7px;"
        " border-radius: 4px; }"
        " QPushButton:hover { background: #4a93e6; }"
        " QPushButton:disabled { background: #6a7684; color: #d0d0d0; }"
    )
    button.clicked.connect(lambda _=False: call())
    return button


def quiet(text: str) -> QLabel:
    """Text that explains, in lines as wide as the panel allows; contrast as any other text."""
    label = QLabel(text)
    label.setWordWrap(True)
    font = label.font()
    font.setItalic(False)
    label.setFont(font)
    label.setProperty("quiet", True)
    return label


def icon(kind: str, dark: bool) -> QIcon:
    """A line drawing for a button of the view bar."""
    side = 40
    picture = QPixmap(side, side)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    ink = QColor(235, 235, 235) if dark else QColor(40, 40, 40)
    painter.setPen(QPen(ink, 2.6))
    _DRAWINGS[kind](painter, ink)
    painter.end()
    return QIcon(picture)


def _three(painter: QPainter, ink: QColor) -> None:
    painter.drawRect(QRectF(4, 6, 32, 28))
    painter.drawLine(QPointF(24, 6), QPointF(24, 34))
    painter.drawLine(QPointF(24, 20), QPointF(36, 20))


def _one(painter: QPainter, ink: QColor) -> None:
    painter.drawRect(QRectF(4, 6, 32, 28))


def _compare(painter: QPainter, ink: QColor) -> None:
    painter.drawRect(QRectF(3, 8, 16, 24))
    painter.drawRect(QRectF(21, 8, 16, 24))


def _volume(painter: QPainter, ink: QColor) -> None:
    points = [(20, 4), (35, 12), (35, 28), (20, 36), (5, 28), (5, 12)]
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        painter.drawLine(QPointF(ax, ay), QPointF(bx, by))
    for x, y in ((5, 12), (35, 12), (20, 36)):
        painter.drawLine(QPointF(20, 20), QPointF(x, y))


def _swap(painter: QPainter, ink: QColor) -> None:
    painter.drawRect(QRectF(4, 6, 18, 28))
    painter.setBrush(QBrush(ink))
    painter.drawLine(QPointF(26, 14), QPointF(36, 14))
    painter.drawLine(QPointF(36, 14), QPointF(31, 9))
    painter.drawLine(QPointF(36, 26), QPointF(26, 26))
    painter.drawLine(QPointF(26, 26), QPointF(31, 31))


def _crosshair(painter: QPainter, ink: QColor) -> None:
    for a, b in (
        ((20, 4), (20, 15)),
        ((20, 25), (20, 36)),
        ((4, 20), (15, 20)),
        ((25, 20), (36, 20)),
    ):
        painter.drawLine(QPointF(*a), QPointF(*b))


def _link(painter: QPainter, ink: QColor) -> None:
    painter.drawRoundedRect(QRectF(3, 14, 19, 12), 6, 6)
    painter.drawRoundedRect(QRectF(18, 14, 19, 12), 6, 6)


def _fit(painter: QPainter, ink: QColor) -> None:
    painter.drawRect(QRectF(11, 13, 18, 14))
    for x, y, dx, dy in ((4, 5, 1, 1), (36, 5, -1, 1), (4, 35, 1, -1), (36, 35, -1, -1)):
        painter.drawLine(QPointF(x, y), QPointF(x + 7 * dx, y))
        painter.drawLine(QPointF(x, y), QPointF(x, y + 7 * dy))


def _layers(painter: QPainter, ink: QColor) -> None:
    for y in (8, 16, 24):
        points = [(20, y - 5), (36, y + 3), (20, y + 11), (4, y + 3)]
        for (ax, ay), (bx, by) in zip(points[1:], points[2:] + points[:1], strict=True):
            if y == 8 or (ay >= y + 3 and by >= y + 3):
                painter.drawLine(QPointF(ax, ay), QPointF(bx, by))
    painter.drawLine(QPointF(20, 3), QPointF(36, 11))


_DRAWINGS: dict[str, Callable[[QPainter, QColor], None]] = {
    "three": _three,
    "one": _one,
    "compare": _compare,
    "volume": _volume,
    "swap": _swap,
    "crosshair": _crosshair,
    "link": _link,
    "fit": _fit,
    "layers": _layers,
}
