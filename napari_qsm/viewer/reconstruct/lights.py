"""The light of a stage: a shape and a colour for each state, so that neither stands alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_qsm.session.reconstruction import State
from napari_qsm.session.stage_texts import STATE_WORDS

_SIDE = 18


class Light(QWidget):
    """A small drawing that says how a stage stands."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFixedSize(_SIDE, _SIDE)
        self.state: State = "not run"

    def show_state(self, state: State) -> None:
        """Show another state."""
        self.state = state
        self.setToolTip(STATE_WORDS[state])
        self.setAccessibleName(STATE_WORDS[state])
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the shape."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _SHAPES[self.state](painter)
        painter.end()


def _disc(painter: QPainter, colour: str) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(QRectF(2, 2, 14, 14))


def _not_run(painter: QPainter) -> None:
    painter.setPen(QPen(QColor("#8b929a"), 2))
    painter.drawEllipse(QRectF(3, 3, 12, 12))


def _running(painter: QPainter) -> None:
    _disc(painter, "#2f7fd8")
    painter.setBrush(QColor("white"))
    painter.drawPolygon(QPolygonF([QPointF(7, 5), QPointF(13, 9), QPointF(7, 13)]))


def _waiting(painter: QPainter) -> None:
    painter.setPen(QPen(QColor("#2f7fd8"), 2))
    painter.drawEllipse(QRectF(3, 3, 12, 12))
    painter.drawLine(QPointF(9, 9), QPointF(9, 5.5))
    painter.drawLine(QPointF(9, 9), QPointF(11.5, 10.5))


def _done(painter: QPainter) -> None:
    _disc(painter, "#2a9d55")
    painter.setPen(QPen(QColor("white"), 2))
    painter.drawPolyline(QPolygonF([QPointF(5.5, 9), QPointF(8, 12), QPointF(12.5, 6)]))


def _stale(painter: QPainter) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#e0a10a"))
    painter.drawPolygon(QPolygonF([QPointF(9, 1), QPointF(17, 16), QPointF(1, 16)]))
    painter.setPen(QPen(QColor("#3a2a00"), 2))
    painter.drawLine(QPointF(9, 6), QPointF(9, 11))
    painter.drawPoint(QPointF(9, 14))


def _failed(painter: QPainter) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#d23c3c"))
    painter.drawRect(QRectF(2, 2, 14, 14))
    painter.setPen(QPen(QColor("white"), 2))
    painter.drawLine(QPointF(6, 6), QPointF(12, 12))
    painter.drawLine(QPointF(12, 6), QPointF(6, 12))


def _given(painter: QPainter) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#2f7fd8"))
    painter.drawPolygon(QPolygonF([QPointF(9, 1), QPointF(17, 9), QPointF(9, 17), QPointF(1, 9)]))


def _not_needed(painter: QPainter) -> None:
    painter.setPen(QPen(QColor("#8b929a"), 2))
    painter.drawLine(QPointF(4, 9), QPointF(14, 9))


_SHAPES: Mapping[State, Callable[[QPainter], None]] = {
    "not run": _not_run,
    "waiting": _waiting,
    "running": _running,
    "done": _done,
    "stale": _stale,
    "failed": _failed,
    "given": _given,
    "not needed": _not_needed,
}


def eye_icon(dark: bool) -> QIcon:
    """An eye, for the button that shows a result."""
    picture = QPixmap(40, 40)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    ink = QColor(235, 235, 235) if dark else QColor(40, 40, 40)
    painter.setPen(QPen(ink, 3))
    painter.drawArc(QRectF(3, 8, 34, 34), 30 * 16, 120 * 16)
    painter.drawArc(QRectF(3, -2, 34, 34), 210 * 16, 120 * 16)
    painter.setBrush(ink)
    painter.drawEllipse(QRectF(14, 14, 12, 12))
    painter.end()
    return QIcon(picture)
