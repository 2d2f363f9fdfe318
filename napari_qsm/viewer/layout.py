"""Controls beside and below each other; used through :mod:`napari_qsm.viewer.ui`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, TypeVar

from qtpy.QtCore import Qt
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


def scrolled(body: QWidget, name: str = "") -> QScrollArea:
    """Let a panel scroll up and down, never sideways."""
    area = QScrollArea()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(body)
    return area
