"""Controls beside and below each other; used through :mod:`napari_qsm.viewer.ui`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TypeAlias, TypeVar

from qtpy.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from qtpy.QtWidgets import (
    QBoxLayout,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

L = TypeVar("L", bound=QBoxLayout)
#: What a row or column holds: a control, a layout, a gap in pixels, or None for a stretch.
#: A control with a number takes that share of the room.
Item: TypeAlias = QWidget | QLayout | int | tuple[QWidget | QLayout, int] | None


def row(
    *items: Item, spacing: int = 4, margins: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> QHBoxLayout:
    """Lay controls side by side; see :data:`Item`."""
    return _filled(QHBoxLayout(), items, spacing, margins)


def column(
    *items: Item, spacing: int = 4, margins: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> QVBoxLayout:
    """Lay controls one below the other; see :data:`Item`."""
    return _filled(QVBoxLayout(), items, spacing, margins)


def _filled(
    layout: L, items: Iterable[Item], spacing: int, margins: tuple[int, int, int, int]
) -> L:
    layout.setContentsMargins(*margins)
    layout.setSpacing(spacing)
    for item in items:
        each, share = item if isinstance(item, tuple) else (item, 0)
        if each is None:
            layout.addStretch(1)
        elif isinstance(each, int):
            layout.addSpacing(each)
        elif isinstance(each, QLayout):
            layout.addLayout(each, share)
        else:
            layout.addWidget(each, share)
    return layout


def form(*rows: tuple[str | QWidget, QWidget | QLayout] | QWidget | QLayout) -> QFormLayout:
    """Lay controls below each other behind their labels; one without a label takes the row."""
    layout = QFormLayout()
    layout.setContentsMargins(4, 2, 4, 2)
    layout.setVerticalSpacing(4)
    layout.setHorizontalSpacing(8)
    for each in rows:
        if isinstance(each, tuple):
            layout.addRow(*each)
        else:
            layout.addRow(each)
    return layout


def panel(layout: QLayout, name: str = "") -> QWidget:
    """Wrap a layout in a widget, which can be hidden as a whole."""
    widget = QWidget()
    widget.setObjectName(name)
    widget.setLayout(layout)
    return widget


class _Scroll(QScrollArea):
    """Scrolls up and down; never narrower than its content beside the scroll bar."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the content, which may need more room than before."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.fit()
        return bool(super().eventFilter(watched, event))

    def fit(self) -> None:
        """Be as wide as the content needs."""
        body, bar = self.widget(), self.verticalScrollBar()
        if body is None or bar is None:
            return
        width = body.minimumSizeHint().width() + bar.sizeHint().width()
        if width != self.minimumWidth():
            self.setMinimumWidth(width)


def scrolled(body: QWidget, name: str = "") -> QScrollArea:
    """Let a panel scroll up and down, never sideways; nothing is cut at the scroll bar."""
    area = _Scroll()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(body)
    area.fit()
    return area


def bring_into_view(widget: QWidget) -> None:
    """Scroll, once it has its new size, so far that a widget is seen, its top first of all."""
    timer = QTimer(widget)  # goes with the widget
    timer.setSingleShot(True)
    timer.timeout.connect(partial(_bring, widget))
    timer.timeout.connect(timer.deleteLater)
    timer.start(0)


def _bring(widget: QWidget) -> None:
    area = widget.parentWidget()
    while area is not None and not isinstance(area, QScrollArea):
        area = area.parentWidget()
    body = area.widget() if isinstance(area, QScrollArea) else None
    bar = area.verticalScrollBar() if isinstance(area, QScrollArea) else None
    viewport = area.viewport() if isinstance(area, QScrollArea) else None
    if body is None or bar is None or viewport is None:
        return
    layout = body.layout()
    if layout is not None:
        layout.activate()
    top = widget.mapTo(body, QPoint(0, 0)).y()
    bottom = top + widget.sizeHint().height()
    if bottom > bar.value() + viewport.height() or top < bar.value():
        bar.setValue(min(top, max(bottom - viewport.height(), 0)))
