"""Where widgets of plain napari lie in its window."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QMainWindow, QSizePolicy, QTabBar, QWidget


class DockedWidget(QWidget):
    """A widget whose dock goes behind a tab with those of its kind, not squeezed in below them.

    Alone or afloat it stays where it is. It has the whole height of its dock: napari puts an
    empty half below widgets that do not ask for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Join the others once the dock is in the window."""
        super().showEvent(event)
        QTimer.singleShot(0, self._join)

    def _join(self) -> None:
        window, own = self.window(), _dock_of(self)
        if own is None or not isinstance(window, QMainWindow):
            return
        if own.isFloating() or window.tabifiedDockWidgets(own):
            return
        area = window.dockWidgetArea(own)
        others = [_dock_of(each) for each in window.findChildren(DockedWidget) if each is not self]
        first = next(
            (
                dock
                for dock in others
                if dock and dock.isVisible() and window.dockWidgetArea(dock) == area
            ),
            None,
        )
        if first is None:
            return
        window.tabifyDockWidget(first, own)
        own.raise_()
        only_direct = Qt.FindChildOption.FindDirectChildrenOnly
        for bar in window.findChildren(QTabBar, options=only_direct):
            bar.setElideMode(Qt.TextElideMode.ElideNone)  # a letter and dots say nothing
            bar.setUsesScrollButtons(True)


def _dock_of(widget: QWidget) -> QDockWidget | None:
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent
