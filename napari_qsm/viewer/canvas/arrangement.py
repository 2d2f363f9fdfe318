"""The view area: napari's canvas and ours, in columns that can be dragged."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLayout, QSplitter, QWidget

from napari_qsm.viewer import compat


class ViewArea(QSplitter):
    """Holds napari's own canvas in its first column and ours in the others.

    Parameters
    ----------
    viewer : napari.Viewer
        Its canvas is moved in here, and back by :meth:`dispose`.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("qsm.views")
        self.setChildrenCollapsible(False)
        self.setHandleWidth(4)
        self._main: QWidget | None = compat.qt_viewer(viewer)
        self._home: QLayout | None = compat.qt_window(viewer).centralWidget().layout()
        self._columns: list[QSplitter] = []
        self.show_columns([[compat.qt_viewer(viewer)]], [1.0])

    def show_columns(self, columns: list[list[QWidget]], widths: list[float]) -> None:
        """Put widgets into columns from left to right, each from top to bottom.

        Widgets that were shown before and are not named now are hidden, not closed.
        """
        wanted = {widget for column in columns for widget in column}
        for column in self._columns:
            for index in range(column.count()):
                widget = column.widget(index)
                if widget is not None and widget not in wanted:
                    widget.hide()
        while len(self._columns) < len(columns):
            column = QSplitter(Qt.Orientation.Vertical)
            column.setChildrenCollapsible(False)
            column.setHandleWidth(4)
            self._columns.append(column)
            self.addWidget(column)
        for splitter, widgets in zip(self._columns, columns, strict=False):
            for index, widget in enumerate(widgets):
                if splitter.indexOf(widget) != index:
                    splitter.insertWidget(index, widget)
                widget.show()
            splitter.setSizes([1000 if w in wanted else 0 for w in _children(splitter)])
            splitter.show()
        for splitter in self._columns[len(columns) :]:
            splitter.hide()
        total = sum(widths) or 1.0
        self.setSizes([int(10000 * width / total) for width in widths])

    def release(self, widget: QWidget) -> None:
        """Let go of a canvas that is about to be closed."""
        widget.hide()
        widget.setParent(None)

    def dispose(self) -> None:
        """Give napari its canvas back."""
        main, self._main = self._main, None
        if main is None or self._home is None:
            return
        self._home.addWidget(main)
        main.show()


def _children(splitter: QSplitter) -> list[QWidget]:
    found = (splitter.widget(index) for index in range(splitter.count()))
    return [widget for widget in found if widget is not None]
